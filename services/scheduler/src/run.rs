//! One run of a job, held under a lease on the database's clock.
//!
//! A scheduler that dies leaves a lease that ends; the run is then abandoned and the job fired again at once. A scheduler that was frozen for
//! longer than its lease finds, at its next step, that the run is no longer its own ([`Lost`]): what it may still write is fenced by the run.

use std::time::Duration;

use domain::ErrorCode;
use serde_json::Value;
use sqlx::PgPool;
use time::OffsetDateTime;
use uuid::Uuid;

use crate::jobs::Job;

/// A run in hand.
#[derive(Debug, Clone)]
pub struct Run {
    /// The row of `scheduling.job_runs`, which is also the request id of what the run does.
    pub id: Uuid,
    /// The job.
    pub job: Job,
    /// The fence: new for every run.
    pub(crate) owner: Uuid,
    pub(crate) pool: PgPool,
}

/// A run that went well.
#[derive(Debug, Default)]
pub struct Done {
    /// Things found, asked for or removed, as the job counts.
    pub items: u64,
    /// What it did, for the history.
    pub result: Value,
}

/// A run that did not.
#[derive(Debug)]
pub struct Failed {
    /// Why, as a code.
    pub code: ErrorCode,
    /// Why, in words, without personal data.
    pub message: String,
    /// What it did all the same.
    pub done: Done,
}

/// The lease is over: another scheduler may have the run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the lease of this run is over")]
pub struct Lost;

/// Why a step of a run could not be written.
#[derive(Debug, thiserror::Error)]
pub enum StepError {
    /// The run is another's by now.
    #[error(transparent)]
    Lost(#[from] Lost),
    /// The database could not be reached, or refused.
    #[error("the database: {0}")]
    Database(#[from] sqlx::Error),
}

impl Run {
    /// The present, by the clock that all schedulers share.
    ///
    /// # Errors
    /// The database can't be reached.
    pub async fn now(&self) -> Result<OffsetDateTime, sqlx::Error> {
        sqlx::query_scalar("SELECT clock_timestamp()").fetch_one(&self.pool).await
    }

    /// Where the job goes on, under a name of the job's own; none at first.
    ///
    /// # Errors
    /// The database can't be reached.
    pub async fn resume_after(&self, name: &str) -> Result<Option<Value>, sqlx::Error> {
        sqlx::query_scalar("SELECT resume_after -> $2 FROM scheduling.jobs WHERE name = $1")
            .bind(self.job.name())
            .bind(name)
            .fetch_one(&self.pool)
            .await
    }

    /// Sets where the job goes on, as long as the run is ours. What was written before it in other transactions is there already: a process that
    /// dies in between does that again.
    ///
    /// # Errors
    /// The run is another's, or the database can't be reached; nothing is written then.
    pub async fn set_resume_after(&self, name: &str, value: &Value) -> Result<(), StepError> {
        let moved = sqlx::query(
            "UPDATE scheduling.jobs SET resume_after = resume_after || jsonb_build_object($3::text, $4::jsonb)
             WHERE name = (
                SELECT r.job_name FROM scheduling.job_runs r
                WHERE r.id = $1 AND r.lease_owner = $2 AND r.status = 'running' FOR SHARE)",
        )
        .bind(self.id)
        .bind(self.owner)
        .bind(name)
        .bind(value)
        .execute(&self.pool)
        .await?;
        if moved.rows_affected() == 1 { Ok(()) } else { Err(Lost.into()) }
    }

    /// Makes the lease last so long from now on.
    ///
    /// # Errors
    /// The run is another's, or the database can't be reached.
    pub(crate) async fn renew(&self, lease: Duration) -> Result<(), StepError> {
        let renewed = sqlx::query(
            "UPDATE scheduling.job_runs SET lease_until = clock_timestamp() + make_interval(secs => $3)
             WHERE id = $1 AND lease_owner = $2 AND status = 'running'",
        )
        .bind(self.id)
        .bind(self.owner)
        .bind(lease.as_secs_f64())
        .execute(&self.pool)
        .await?;
        if renewed.rows_affected() == 1 { Ok(()) } else { Err(Lost.into()) }
    }
}
