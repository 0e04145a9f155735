//! Erases what is kept for a time only: the bodies of webhook events that were applied or ignored, which hold personal data, then, much later, the events
//! with their ids; the history of runs, health checks, alerts, batches, reconciliations, stray writes and acknowledged failures; and makes the audit log's partitions for the months to come.
//!
//! A piece at a time, each a statement of its own that passes over what others hold: nobody waits for it for long, what is unfinished stays, and a process
//! that dies in between has erased what it has erased.

use domain::ErrorCode;
use serde_json::{Map, Value};
use time::{Duration, OffsetDateTime};

use crate::run::{Done, Failed, Run};

/// Rows in one statement, so that none holds its locks for long.
const PIECE: i32 = 1_000;

/// The job.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Prune {
    /// `WEBHOOK_BODY_RETENTION_DAYS`; none: for ever.
    pub(crate) bodies: Option<Duration>,
    /// `WEBHOOK_EVENT_RETENTION_DAYS`.
    pub(crate) events: Duration,
    /// `HISTORY_RETENTION_DAYS`.
    pub(crate) history: Duration,
}

/// What is forgotten, under which name it is counted, and by which statement: of what was over before $1, at most $2; answers how many.
const HISTORY: [(&str, &str); 7] = [
    (
        "runsForgotten",
        "WITH gone AS (DELETE FROM scheduling.job_runs WHERE id IN (
            SELECT id FROM scheduling.job_runs WHERE finished_at < $1 AND status <> 'running' ORDER BY finished_at LIMIT $2
            FOR UPDATE SKIP LOCKED) RETURNING 1)
         SELECT count(*)::integer FROM gone",
    ),
    (
        // the newest stays: the next check compares with it
        "healthChecksForgotten",
        "WITH gone AS (DELETE FROM scheduling.health_checks WHERE id IN (
            SELECT id FROM scheduling.health_checks
            WHERE checked_at < $1 AND checked_at < (SELECT max(checked_at) FROM scheduling.health_checks)
            ORDER BY checked_at LIMIT $2 FOR UPDATE SKIP LOCKED) RETURNING 1)
         SELECT count(*)::integer FROM gone",
    ),
    (
        // with their notices, once these are sent or given up
        "alertsForgotten",
        "WITH gone AS (DELETE FROM scheduling.alerts WHERE id IN (
            SELECT a.id FROM scheduling.alerts a WHERE a.resolved_at < $1 AND a.end_announced_at IS NOT NULL
                AND NOT EXISTS (SELECT FROM scheduling.alert_notices n WHERE n.alert_id = a.id AND n.due_at IS NOT NULL)
            ORDER BY a.resolved_at LIMIT $2 FOR UPDATE SKIP LOCKED) RETURNING 1)
         SELECT count(*)::integer FROM gone",
    ),
    ("reconciliationRowsForgotten", "SELECT reconciliation.forget($1, $2)"),
    ("batchRowsForgotten", "SELECT sync.forget_batches($1, $2)"),
    ("strayWritesForgotten", "SELECT sync.forget_stray_writes($1, $2)"),
    ("acknowledgementsForgotten", "SELECT config.forget_acknowledgements($1, $2)"),
];

impl Prune {
    pub(crate) async fn work(&self, run: &Run) -> Result<Done, Failed> {
        let mut erased = Erased::default();
        match self.erase(run, &mut erased).await {
            Ok(()) => Ok(erased.done()),
            Err(error) => Err(Failed {
                code: ErrorCode::InternalError,
                message: format!("the database: {error}"),
                done: erased.done(),
            }),
        }
    }

    async fn erase(&self, run: &Run, erased: &mut Erased) -> Result<(), sqlx::Error> {
        let now = run.now().await?;
        let made: i32 = sqlx::query_scalar("SELECT audit.ensure_partitions()").fetch_one(&run.pool).await?;
        erased.told.insert("partitionsMade".to_owned(), made.into());
        if let Some(bodies) = self.bodies {
            pieces(run, erased, "bodiesErased", "SELECT ingress.erase_bodies($1, $2)", now - bodies).await?;
        }
        pieces(run, erased, "eventsForgotten", "SELECT ingress.forget($1, $2)", now - self.events).await?;
        for (name, statement) in HISTORY {
            pieces(run, erased, name, statement, now - self.history).await?;
        }
        Ok(())
    }
}

#[derive(Debug, Default)]
struct Erased {
    total: u64,
    told: Map<String, Value>,
}

impl Erased {
    fn done(self) -> Done {
        Done { items: self.total, result: Value::Object(self.told) }
    }
}

/// Piece after piece until nothing is left to erase.
async fn pieces(
    run: &Run,
    erased: &mut Erased,
    name: &str,
    statement: &'static str,
    before: OffsetDateTime,
) -> Result<(), sqlx::Error> {
    let mut total = 0;
    loop {
        let piece: i32 = sqlx::query_scalar(statement).bind(before).bind(PIECE).fetch_one(&run.pool).await?;
        total += u64::try_from(piece).unwrap_or(0);
        erased.told.insert(name.to_owned(), total.into());
        service::failpoint!("scheduler.pruned_a_piece");
        if piece == 0 {
            erased.total += total;
            return Ok(());
        }
    }
}
