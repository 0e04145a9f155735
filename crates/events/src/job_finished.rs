//! `job.finished`: a scheduled job has run.
//!
//! For the panel's list of jobs. Stated by the transaction that closes the row of `scheduling.job_runs`.

use domain::ErrorCode;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use uuid::Uuid;

use crate::{EventType, Fact, timestamp, wire};

/// How a run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum JobResult {
    /// It did its work.
    Succeeded,
    /// It did not.
    Failed,
}

/// What made it run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum JobTrigger {
    /// Its schedule.
    Schedule,
    /// A firing that was missed while nothing ran.
    MakeUp,
    /// A person.
    Manual,
}

/// A run of a job that has ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct JobFinished {
    /// The name of the job, e.g. `sync-transactions`.
    pub job: String,
    /// The run.
    pub run_id: Uuid,
    /// What made it run.
    pub trigger: JobTrigger,
    /// How it ended.
    pub result: JobResult,
    /// Things it asked for, found or removed, as the job counts.
    pub items: u64,
    /// When it began.
    #[serde(with = "timestamp")]
    #[schemars(schema_with = "timestamp::schema")]
    pub started_at: OffsetDateTime,
    /// How long it ran, in milliseconds.
    pub duration_ms: u64,
    /// When it runs next; absent: it is paused.
    #[serde(default, with = "timestamp::option", skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "timestamp::schema")]
    pub next_run_at: Option<OffsetDateTime>,
    /// Why it failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "wire::error_code")]
    pub error_code: Option<ErrorCode>,
}

impl EventType for JobFinished {
    const TYPE: &'static str = "upcoach.erp.job.finished.v1";
    const SUBJECTS: &'static str = "job.finished";
    const SUMMARY: &'static str = "A scheduled job has run.";

    fn subject(&self) -> String {
        Self::SUBJECTS.to_owned()
    }

    fn about(&self) -> Option<String> {
        Some(format!("job_run/{}", self.run_id))
    }

    fn examples() -> Vec<Self> {
        let succeeded = Self {
            job: "sync-transactions".to_owned(),
            run_id: Uuid::from_u128(1),
            trigger: JobTrigger::Schedule,
            result: JobResult::Succeeded,
            items: 12,
            started_at: OffsetDateTime::UNIX_EPOCH,
            duration_ms: 35,
            next_run_at: Some(OffsetDateTime::UNIX_EPOCH + time::Duration::hours(1)),
            error_code: None,
        };
        let failed = Self {
            trigger: JobTrigger::Manual,
            result: JobResult::Failed,
            next_run_at: None,
            error_code: Some(ErrorCode::ServerError),
            ..succeeded.clone()
        };
        vec![succeeded, failed]
    }
}

impl Fact for JobFinished {}
