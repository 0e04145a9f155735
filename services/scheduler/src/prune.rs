//! Erases what is kept for a time only: the bodies of webhook events that were applied or ignored, which hold personal data, and the history of
//! runs. The events' ids stay, so that nothing is applied twice.
//!
//! A piece at a time, each a statement of its own: a process that dies in between has erased what it has erased.

use domain::ErrorCode;
use serde_json::json;
use time::{Duration, OffsetDateTime};

use crate::run::{Done, Failed, Run};

/// Rows in one statement, so that none holds its locks for long.
const PIECE: i32 = 1_000;
/// How long the history of runs is kept.
const HISTORY: Duration = Duration::days(90);

/// The job.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Prune {
    /// How long bodies are kept; none: for ever.
    pub(crate) body_retention: Option<Duration>,
}

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
        if let Some(retention) = self.body_retention {
            erased.bodies = bodies(run, now - retention).await?;
        }
        erased.runs = runs(run, now - HISTORY).await?;
        Ok(())
    }
}

#[derive(Debug, Default)]
struct Erased {
    bodies: u64,
    runs: u64,
}

impl Erased {
    fn done(&self) -> Done {
        Done {
            items: self.bodies + self.runs,
            result: json!({"bodiesErased": self.bodies, "runsForgotten": self.runs}),
        }
    }
}

async fn bodies(run: &Run, before: OffsetDateTime) -> Result<u64, sqlx::Error> {
    let mut total = 0;
    loop {
        let erased: i32 = sqlx::query_scalar("SELECT ingress.erase_bodies($1, $2)")
            .bind(before)
            .bind(PIECE)
            .fetch_one(&run.pool)
            .await?;
        total += u64::try_from(erased).unwrap_or(0);
        if erased < PIECE {
            return Ok(total);
        }
    }
}

async fn runs(run: &Run, before: OffsetDateTime) -> Result<u64, sqlx::Error> {
    let mut total = 0;
    loop {
        let forgotten = sqlx::query(
            "DELETE FROM scheduling.job_runs WHERE id IN (
                SELECT id FROM scheduling.job_runs WHERE finished_at < $1 AND status <> 'running' ORDER BY id LIMIT $2
                FOR UPDATE SKIP LOCKED)",
        )
        .bind(before)
        .bind(PIECE)
        .execute(&run.pool)
        .await?
        .rows_affected();
        total += forgotten;
        if forgotten < u64::from(PIECE.unsigned_abs()) {
            return Ok(total);
        }
    }
}
