//! Batches state no facts: their progress is counted once a second by the workers. While somebody listens it is looked at as often, and what has
//! changed is told.

use std::collections::HashMap;
use std::time::Duration;

use serde_json::json;
use sqlx::PgPool;
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::{Hub, Kind};

const INTERVAL: Duration = Duration::from_secs(1);

/// How far a batch is, as text that differs when anything does.
type Progress = HashMap<Uuid, String>;

/// Looks after them until `stop`.
pub(crate) async fn watch(hub: &Hub, pool: &PgPool, stop: &CancellationToken) {
    let mut ticks = tokio::time::interval(INTERVAL);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut known: Option<Progress> = None;
    while stop.run_until_cancelled(ticks.tick()).await.is_some() {
        if hub.clients() == 0 {
            known = None;
            continue;
        }
        // That it can't be read now is told by what else can't be.
        let Ok(now) = unfinished(pool).await else { continue };
        if let Some(before) = &known {
            tell(hub, before, &now);
        }
        known = Some(now);
    }
}

/// Those that are new, further, or gone from the unfinished ones.
fn tell(hub: &Hub, before: &Progress, now: &Progress) {
    let further = now.iter().filter(|(id, progress)| before.get(id) != Some(progress)).map(|(id, _)| (id, false));
    let ended = before.keys().filter(|id| !now.contains_key(id)).map(|id| (id, true));
    for (id, is_over) in further.chain(ended) {
        hub.publish(Kind::Batch, &json!({ "batchId": id, "finished": is_over }));
    }
}

/// By the index of unfinished batches.
async fn unfinished(pool: &PgPool) -> Result<Progress, sqlx::Error> {
    let rows: Vec<(Uuid, String)> = sqlx::query_as(
        "SELECT id, concat_ws(' ', status, total, asked, done, failed, skipped) FROM sync.batches \
         WHERE status IN ('pending', 'running')",
    )
    .fetch_all(pool)
    .await?;
    Ok(rows.into_iter().collect())
}
