//! `retry-queue`: says how many failed syncs wait for their retry and since when, and frees what dead workers hold, should no other worker be there to
//! do it. The retries themselves are the workers', within a second of their time.

use std::time::Duration;

use domain::ErrorCode;
use events::{AlertKind, Severity};
use serde_json::json;

use crate::alerts::state::{self, Condition};
use crate::run::{Done, Failed, Run};

/// Leases freed in one statement.
const PIECE: i32 = 1_000;

/// The job.
#[derive(Debug, Clone, Copy)]
pub(crate) struct RetryQueue {
    /// `FLASHERP_SETTLE_SECS`.
    pub(crate) settle: Duration,
    /// `ALERT_RETRY_QUEUE`.
    pub(crate) most: i64,
}

impl RetryQueue {
    pub(crate) async fn work(&self, run: &Run) -> Result<Done, Failed> {
        self.look(run).await.map_err(|error| Failed {
            code: ErrorCode::InternalError,
            message: format!("the database: {error}"),
            done: Done::default(),
        })
    }

    async fn look(&self, run: &Run) -> Result<Done, sqlx::Error> {
        let mut freed = 0;
        loop {
            let piece: i32 = sqlx::query_scalar("SELECT sync.free_expired_leases($1, $2)")
                .bind(self.settle)
                .bind(PIECE)
                .fetch_one(&run.pool)
                .await?;
            freed += u64::try_from(piece).unwrap_or(0);
            if piece < PIECE {
                break;
            }
        }
        let (depth, oldest_secs): (i64, Option<i64>) = sqlx::query_as(
            "SELECT count(*), extract(epoch FROM clock_timestamp() - min(coalesce(waiting_since, last_sync_attempt, created_at)))::bigint
             FROM sync.for_readers WHERE sync_status = 'failed' AND next_retry_at IS NOT NULL",
        )
        .fetch_one(&run.pool)
        .await?;
        let alert = Condition {
            kind: AlertKind::RetryQueue,
            severity: Severity::Warning,
            state: "deep",
            fingerprint: "retry_queue".to_owned(),
            message: format!("{depth} failed syncs wait for their retry, more than {}", self.most),
            details: json!({"value": depth, "threshold": self.most}),
        };
        state::set(&mut *run.pool.acquire().await?, depth > self.most, &alert).await?;
        Ok(Done { items: freed, result: json!({"depth": depth, "oldestWaitsSecs": oldest_secs, "leasesFreed": freed}) })
    }
}
