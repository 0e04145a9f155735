//! Fires what is due, runs it under its lease, and writes down what came of it.
//!
//! A process that dies in a run leaves a lease that ends. One that is told to stop drops its runs where they are (every job may be cut off at any
//! point) and gives them back.

use std::sync::Arc;
use std::time::{Duration, Instant};

use domain::ErrorCode;
use events::{AlertKind, JobFinished, JobResult, Severity};
use messaging::Outbox;
use service::metrics::{Counter, Histogram};
use sqlx::PgPool;
use time::OffsetDateTime;
use tokio::sync::Notify;
use tokio::task::JoinSet;
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::alerts::state::{self, Condition};
use crate::jobs::Jobs;
use crate::run::{Done, Failed, Run, StepError};
use crate::timetable::{self, Fired};

/// How often the timetable is looked at.
const LOOK: Duration = Duration::from_millis(500);
/// Renewals in the time of a lease: so many may fail before it is over.
const RENEWALS: u32 = 3;

/// Runs jobs.
#[derive(Debug, Clone)]
pub(crate) struct Runner {
    pub(crate) pool: PgPool,
    pub(crate) jobs: Arc<Jobs>,
    pub(crate) outbox: Outbox,
    /// This process, in the runs that it fires.
    pub(crate) instance: Uuid,
    /// How long a run's lease lasts without being renewed.
    pub(crate) lease: Duration,
    /// Rung when facts were stated.
    pub(crate) stated: Arc<Notify>,
    pub(crate) stop: CancellationToken,
}

impl Runner {
    /// Fires and runs until it is told to stop; what is in hand is given back then.
    pub(crate) async fn run(self) {
        let mut ticks = tokio::time::interval(LOOK);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut running = JoinSet::new();
        loop {
            tokio::select! {
                () = self.stop.cancelled() => break,
                _ = ticks.tick() => {}
            }
            if let Err(error) = self.look(&mut running).await {
                Counter::DatabaseErrors.increment(&[("stage", "timetable"), ("error_type", "unavailable")]);
                tracing::warn!(error = error.to_string(), "the timetable can't be read; due jobs stay due");
            }
            // A panic was logged by its hook, and its run's lease ends.
            while running.try_join_next().is_some() {}
        }
        while running.join_next().await.is_some() {}
    }

    async fn look(&self, running: &mut JoinSet<()>) -> Result<(), sqlx::Error> {
        timetable::look(&self.pool, self.instance, self.lease, None, &self.stop, |fired| {
            running.spawn(self.clone().execute(fired));
        })
        .await
    }

    async fn execute(self, fired: Fired) {
        let run = &fired.run;
        let begun = Instant::now();
        tracing::info!(job = run.job.name(), run_id = %run.id, trigger = ?fired.trigger, "a job runs");
        let outcome = tokio::select! {
            biased;
            outcome = self.jobs.work(run.job, run) => Some(outcome),
            () = self.keep_lease(run) => None,
            () = self.stop.cancelled() => {
                if let Err(error) = timetable::give_back(run).await {
                    tracing::warn!(run_id = %run.id, error = error.to_string(), "a run can't be given back; its lease ends");
                }
                return;
            }
        };
        let Some(outcome) = outcome else {
            tracing::warn!(job = run.job.name(), run_id = %run.id, "the lease of a run is over; another scheduler has it");
            return;
        };
        Histogram::JobDuration.observe(begun.elapsed(), &[("job", run.job.name())]);
        service::failpoint!("scheduler.before_finish");
        if let Err(error) = self.finish(&fired, begun.elapsed(), outcome).await {
            tracing::warn!(
                job = run.job.name(),
                run_id = %run.id,
                error = error.to_string(),
                "the end of a run can't be written; it will be taken for abandoned and run again"
            );
        }
        service::failpoint!("scheduler.after_finish");
    }

    /// Returns when the run is another's, or the lease may be over.
    async fn keep_lease(&self, run: &Run) {
        let mut held_until = Instant::now() + self.lease;
        loop {
            tokio::time::sleep(self.lease / RENEWALS).await;
            let asked = Instant::now();
            match run.renew(self.lease).await {
                Ok(()) => held_until = asked + self.lease,
                Err(StepError::Lost(_)) => return,
                Err(StepError::Database(error)) => {
                    tracing::warn!(run_id = %run.id, error = error.to_string(), "a lease can't be renewed now");
                    if Instant::now() >= held_until {
                        return;
                    }
                }
            }
        }
    }

    /// The end of a run and its fact, in one transaction.
    async fn finish(&self, fired: &Fired, took: Duration, outcome: Result<Done, Failed>) -> Result<(), sqlx::Error> {
        let (run, name) = (&fired.run, fired.run.job.name());
        let (result, done, failure) = match outcome {
            Ok(done) => (JobResult::Succeeded, done, None),
            Err(Failed { code, message, done }) => (JobResult::Failed, done, Some((code, message))),
        };
        let word = match result {
            JobResult::Succeeded => "succeeded",
            JobResult::Failed => "failed",
        };
        let mut transaction = self.pool.begin().await?;
        let finished: Option<Option<OffsetDateTime>> = sqlx::query_scalar(
            "UPDATE scheduling.job_runs r SET status = $3::scheduling.job_run_status, finished_at = clock_timestamp(),
                lease_owner = NULL, lease_until = NULL, result = $4, error = $5
             FROM scheduling.jobs j
             WHERE r.id = $1 AND r.lease_owner = $2 AND r.status = 'running' AND j.name = r.job_name
             RETURNING CASE WHEN j.paused_at IS NULL THEN j.next_run_at END",
        )
        .bind(run.id)
        .bind(run.owner)
        .bind(word)
        .bind(&done.result)
        .bind(failure.as_ref().map(|(code, message)| format!("{}: {message}", code.as_str())))
        .fetch_optional(&mut *transaction)
        .await?;
        let Some(next_run_at) = finished else {
            tracing::warn!(job = name, run_id = %run.id, "the lease of a run is over; another scheduler has it");
            return Ok(());
        };
        let fact = self.outbox.fact(JobFinished {
            job: name.to_owned(),
            run_id: run.id,
            trigger: fired.trigger,
            result,
            items: done.items,
            started_at: fired.started_at,
            duration_ms: u64::try_from(took.as_millis()).unwrap_or(u64::MAX),
            next_run_at,
            error_code: failure.as_ref().map(|(code, _)| *code),
        });
        self.outbox.insert(&mut transaction, &[fact]).await?;
        state::set(&mut transaction, failure.is_some(), &alert(name, run, failure.as_ref())).await?;
        transaction.commit().await?;
        self.stated.notify_one();
        Counter::JobRuns.increment(&[("job", name), ("result", word)]);
        match failure {
            None => tracing::info!(job = name, run_id = %run.id, items = done.items, "a job is done"),
            Some((code, message)) => {
                tracing::error!(job = name, run_id = %run.id, error_code = code.as_str(), error = message, "a job failed");
            }
        }
        Ok(())
    }
}

/// A job that failed needs a human until it has run well again.
fn alert(name: &str, run: &Run, failure: Option<&(ErrorCode, String)>) -> Condition {
    let (code, message) = failure.map_or(("", ""), |(code, message)| (code.as_str(), message.as_str()));
    Condition {
        kind: AlertKind::Job,
        severity: Severity::Warning,
        state: "failed",
        fingerprint: format!("job:{name}"),
        message: format!("the job {name} failed: {code}: {message}"),
        details: serde_json::json!({"job": name, "errorCode": code, "referenceId": run.id}),
    }
}
