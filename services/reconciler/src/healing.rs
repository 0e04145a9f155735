//! Findings whose records were asked to be synced: healed once that sync has succeeded, open again if it has failed for good, or if somebody has skipped
//! it: what is skipped by hand no healing brings back, whenever it was skipped and whatever is asked for still.

use std::time::Duration;

use sqlx::PgPool;
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;

/// How often syncs are looked at.
const LOOK: Duration = Duration::from_secs(2);

/// Follows them until it is told to stop. Any number of replicas may.
pub(crate) async fn follow(pool: PgPool, stop: CancellationToken) {
    let mut ticks = tokio::time::interval(LOOK);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            _ = ticks.tick() => {}
        }
        if let Err(error) = settle(&pool).await {
            tracing::warn!(error = error.to_string(), "healing syncs can't be looked at now");
        }
    }
}

async fn settle(pool: &PgPool) -> Result<(), sqlx::Error> {
    // Most of the time nothing is being healed.
    let is_healing: bool =
        sqlx::query_scalar("SELECT EXISTS (SELECT FROM reconciliation.findings WHERE decision = 'healing')")
            .fetch_one(pool)
            .await?;
    if !is_healing {
        return Ok(());
    }
    sqlx::query(
        "WITH over AS MATERIALIZED (
            SELECT f.id, s.sync_status = 'synced' AS is_healed,
                concat('the sync did not mend it: ', CASE WHEN s.sync_status = 'skipped' THEN coalesce('skipped, ' || s.skip_reason, 'skipped')
                    ELSE coalesce(s.error_code, s.sync_status::text) END) AS why
            FROM reconciliation.findings f JOIN sync.for_readers s
                ON s.source_system = 'upcoach' AND s.source_type = f.entity_type AND s.source_id = f.source_id
            WHERE f.decision = 'healing' AND ((s.sync_status = 'skipped' AND s.skipped_by_hand)
                OR (s.outcome = 'known' AND s.nothing_asked
                    AND ((s.sync_status = 'synced' AND s.last_sync_success > f.decided_at)
                        OR (s.sync_status IN ('failed', 'skipped') AND s.due_at IS NULL AND s.waits_for IS NULL
                            AND s.updated_at > f.decided_at))))
            ORDER BY f.id LIMIT 1000 FOR UPDATE OF f SKIP LOCKED
         )
         UPDATE reconciliation.findings f
         SET decision = CASE WHEN o.is_healed THEN 'healed' ELSE 'open' END::reconciliation.decision,
            note = CASE WHEN o.is_healed THEN f.note ELSE o.why END
         FROM over o WHERE f.id = o.id AND f.decision = 'healing'",
    )
    .execute(pool)
    .await?;
    Ok(())
}
