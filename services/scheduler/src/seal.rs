//! `seal-audit-log`: each minute, what was written to the audit log since the last seal comes under the next one (docs/audit-seals.md).
//!
//! A seal and the fact that tells of it (`audit.sealed`) are one transaction; a backlog is sealed in parts, each its own. A process that dies in between
//! has made the seals that it has committed, and the next run goes on from there; two that run at once take turns and make one chain.

use std::sync::Arc;
use std::time::Duration;

use audit::{MOST_ROWS, NO_HEAD, Seal, seal_next};
use domain::ErrorCode;
use events::AuditSealed;
use messaging::Outbox;
use serde_json::json;
use service::metrics::{Counter, Gauge};
use sqlx::PgPool;
use tokio::sync::Notify;
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;

use crate::run::{Done, Failed, Run};

/// How often it is looked how long the oldest unsealed row waits.
const LOOK: Duration = Duration::from_secs(5);

/// The job.
#[derive(Debug)]
pub(crate) struct SealAuditLog {
    pub(crate) outbox: Outbox,
    /// Rung when facts were stated.
    pub(crate) stated: Arc<Notify>,
}

impl SealAuditLog {
    pub(crate) async fn work(&self, run: &Run) -> Result<Done, Failed> {
        let (mut seals, mut rows, mut head) = (0_u64, 0_u64, None);
        let ended = loop {
            match self.one(&run.pool).await {
                Ok(Some(seal)) => {
                    seals += 1;
                    rows += seal.row_count;
                    head = Some(hex::encode(seal.head()));
                }
                Ok(None) => break Ok(()),
                Err(error) => break Err(error),
            }
        };
        let done = Done { items: rows, result: json!({"seals": seals, "rows": rows, "head": head}) };
        match ended {
            Ok(()) => Ok(done),
            Err(error) => {
                Err(Failed { code: ErrorCode::InternalError, message: format!("the database: {error}"), done })
            }
        }
    }

    /// The next seal with its fact; none when nothing is to be sealed.
    async fn one(&self, pool: &PgPool) -> Result<Option<Seal>, sqlx::Error> {
        let mut transaction = pool.begin().await?;
        let Some(seal) = seal_next(&mut transaction, MOST_ROWS).await? else { return Ok(None) };
        self.outbox.insert(&mut transaction, &[self.outbox.fact(fact(&seal))]).await?;
        service::failpoint!("scheduler.before_seal");
        transaction.commit().await?;
        service::failpoint!("scheduler.after_seal");
        self.stated.notify_one();
        Counter::AuditRowsSealed.add(seal.row_count, &[]);
        // This line is to be kept outside: it proves later that the log was not rewritten.
        tracing::info!(
            number = seal.number,
            epoch = seal.epoch.epoch,
            rows = seal.row_count,
            head = hex::encode(seal.head()),
            "the audit log is sealed"
        );
        Ok(Some(seal))
    }
}

fn fact(seal: &Seal) -> AuditSealed {
    AuditSealed {
        epoch: i64::from(seal.epoch.epoch),
        number: seal.number,
        rows: seal.row_count,
        head: hex::encode(seal.head()),
        previous_head: (seal.previous_head != NO_HEAD).then(|| hex::encode(seal.previous_head)),
    }
}

/// Keeps the gauge of how long the oldest row without a seal has waited, until told to stop: it grows also when no run succeeds.
pub(crate) async fn watch_unsealed(pool: PgPool, stop: CancellationToken) {
    let mut ticks = tokio::time::interval(LOOK);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            _ = ticks.tick() => {}
        }
        let age: Result<Option<i64>, sqlx::Error> = sqlx::query_scalar(
            "SELECT greatest(0, extract(epoch FROM clock_timestamp() - l.created_at))::bigint
             FROM audit.erp_audit_logs l
             WHERE (l.epoch, l.xid) >= (SELECT epoch, until_xid FROM (
                SELECT epoch, until_xid, number FROM audit.seals UNION ALL SELECT 0, '0', 0) AS s ORDER BY number DESC LIMIT 1)
             ORDER BY l.epoch, l.xid LIMIT 1",
        )
        .fetch_optional(&pool)
        .await;
        match age {
            Ok(age) => Gauge::AuditUnsealed.set(age.unwrap_or(0), &[]),
            Err(error) => tracing::debug!(error = error.to_string(), "the seals can't be read now"),
        }
    }
}
