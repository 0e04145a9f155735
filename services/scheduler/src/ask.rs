//! `sync-transactions`, `sync-subscriptions` and `reconciliation`: jobs that ask others for work.
//!
//! Asking is inserting a row; a page of records is asked for in one statement. A process that dies half-way has the next run ask again, which costs
//! nothing: what is in step makes no call, and a job revives nothing that was given up or skipped by hand.

use domain::{EntityType, ErrorCode};
use events::{ReconciliationRequested, SyncRequested};
use messaging::Hints;
use serde_json::json;
use sqlx::PgPool;
use syncs::{StoredConfiguration, View};
use time::OffsetDateTime;
use uuid::Uuid;

use crate::run::{Done, Failed, Run};

/// Records asked for in one statement.
const PIECE: i64 = 1_000;
/// The window of a reconciliation.
const RECONCILED: time::Duration = time::Duration::days(90);
/// What FlashERP lists, and can be compared.
pub(crate) const COMPARED: [EntityType; 4] =
    [EntityType::Customer, EntityType::Subscription, EntityType::Transaction, EntityType::Invoice];

/// The jobs.
#[derive(Debug)]
pub(crate) struct Ask {
    pub(crate) hints: Hints,
    /// `FLASHERP_ENABLED=false`.
    pub(crate) disabled: bool,
}

fn failed(error: sqlx::Error) -> Failed {
    Failed { code: ErrorCode::InternalError, message: format!("the database: {error}"), done: Done::default() }
}

fn skipped(why: &str) -> Done {
    Done { items: 0, result: json!({"skipped": why}) }
}

impl Ask {
    /// Transactions of the last 24 h that are pending or were never asked for.
    pub(crate) async fn transactions(&self, run: &Run) -> Result<Done, Failed> {
        self.all(
            run,
            EntityType::Transaction,
            "SELECT t.id FROM upcoach.transactions t
             WHERE t.created_at >= now() - interval '24 hours' AND t.id > $1 AND NOT EXISTS (
                SELECT FROM sync.for_readers s WHERE s.source_system = 'upcoach' AND s.source_type = 'transaction'
                    AND s.source_id = t.id AND s.sync_status <> 'pending')
             ORDER BY t.id LIMIT $2",
        )
        .await
    }

    /// Subscriptions that are running.
    pub(crate) async fn subscriptions(&self, run: &Run) -> Result<Done, Failed> {
        self.all(
            run,
            EntityType::Subscription,
            "SELECT id FROM upcoach.subscriptions WHERE status IN ('active', 'past_due', 'trialing') AND id > $1
             ORDER BY id LIMIT $2",
        )
        .await
    }

    async fn all(&self, run: &Run, kind: EntityType, page: &'static str) -> Result<Done, Failed> {
        match self.configured(&run.pool).await? {
            Some(stored) if stored.holds(kind) => {}
            Some(_) => return Ok(skipped("the type is not in scope")),
            None => return Ok(skipped("the integration is not switched on")),
        }
        let mut asked = 0;
        let mut after = Uuid::nil();
        loop {
            let ids: Vec<Uuid> =
                sqlx::query_scalar(page).bind(after).bind(PIECE).fetch_all(&run.pool).await.map_err(failed)?;
            let Some(last) = ids.last() else { break };
            after = *last;
            sqlx::query("SELECT sync.request($1::text::sync.entity_type, $2, 'job', false, NULL)")
                .bind(kind.as_str())
                .bind(&ids)
                .execute(&run.pool)
                .await
                .map_err(failed)?;
            service::failpoint!("scheduler.asked");
            let count = ids.len() as u64;
            asked += count;
            self.hints.publish(SyncRequested { entity_type: kind, ids });
            if count < PIECE.unsigned_abs() {
                break;
            }
        }
        Ok(Done { items: asked, result: json!({"asked": asked}) })
    }

    /// A reconciliation of the last 90 days of all types in scope, unless one that was asked for here is still to end.
    pub(crate) async fn reconciliation(&self, run: &Run) -> Result<Done, Failed> {
        let Some(stored) = self.configured(&run.pool).await? else {
            return Ok(skipped("the integration is not switched on"));
        };
        let kinds: Vec<&str> =
            COMPARED.into_iter().filter(|kind| stored.holds(*kind)).map(EntityType::as_str).collect();
        if kinds.is_empty() {
            return Ok(skipped("no type is in scope"));
        }
        let unended: Option<Uuid> = sqlx::query_scalar(
            "SELECT id FROM reconciliation.runs_for_readers WHERE requested_by = 'scheduler' AND status IN ('pending', 'running')
             ORDER BY created_at LIMIT 1",
        )
        .fetch_optional(&run.pool)
        .await
        .map_err(failed)?;
        if let Some(id) = unended {
            self.hints.publish(ReconciliationRequested { run_id: id });
            return Ok(Done { items: 0, result: json!({"runId": id, "skipped": "the last one has not ended"}) });
        }
        let now: OffsetDateTime = run.now().await.map_err(failed)?;
        let id: Uuid = sqlx::query_scalar(
            "SELECT reconciliation.request($1, $2, $3::text[]::sync.entity_type[], false, 300, 'scheduler', NULL)",
        )
        .bind(now - RECONCILED)
        .bind(now)
        .bind(kinds)
        .fetch_one(&run.pool)
        .await
        .map_err(failed)?;
        service::failpoint!("scheduler.reconciliation_asked");
        self.hints.publish(ReconciliationRequested { run_id: id });
        Ok(Done { items: 1, result: json!({"runId": id}) })
    }

    /// The configuration, if the integration is switched on.
    async fn configured(&self, pool: &PgPool) -> Result<Option<StoredConfiguration>, Failed> {
        let stored = StoredConfiguration::load_as(pool, View::Scheduler).await.map_err(failed)?;
        Ok(stored.filter(|stored| stored.is_enabled() && !self.disabled))
    }
}
