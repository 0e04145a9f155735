//! The jobs there are: what each is called, when it runs unless somebody has changed that, and what it does.
//!
//! A new job is a variant here and a module of its own; the timetable, the leases, the history and the metrics are there already.

use crate::ask::Ask;
use crate::financial_report::FinancialReports;
use crate::health::HealthCheck;
use crate::prune::Prune;
use crate::pull::Pull;
use crate::retry_queue::RetryQueue;
use crate::run::{Done, Failed, Run};
use crate::seal::SealAuditLog;

/// A job.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Job {
    /// Asks for transactions of the last 24 h that were never asked for.
    SyncTransactions,
    /// Asks for the subscriptions that are running.
    SyncSubscriptions,
    /// Asks for a reconciliation of the last 90 days.
    Reconciliation,
    /// Says how many retries wait, and frees what dead workers hold.
    RetryQueue,
    /// Looks how FlashERP is.
    HealthCheck,
    /// Fetches the events that no webhook has told of.
    PullMissedEvents,
    /// Makes the financial reports of the day before.
    FinancialReport,
    /// Puts what was written to the audit log under the next seal.
    SealAuditLog,
    /// Erases what is kept for a time only.
    Prune,
}

/// When a job runs, in UTC, until an admin says otherwise.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Usual {
    /// At the times of a cron expression.
    Cron(&'static str),
    /// So many seconds after it was fired; the configuration's `syncInterval`, where there is one.
    SyncInterval(i32),
}

impl Job {
    /// All of them.
    pub const ALL: [Self; 9] = [
        Self::SyncTransactions,
        Self::SyncSubscriptions,
        Self::Reconciliation,
        Self::RetryQueue,
        Self::HealthCheck,
        Self::PullMissedEvents,
        Self::FinancialReport,
        Self::SealAuditLog,
        Self::Prune,
    ];

    /// Its name in the database, the admin API, metrics and logs.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::SyncTransactions => "sync-transactions",
            Self::SyncSubscriptions => "sync-subscriptions",
            Self::Reconciliation => "reconciliation",
            Self::RetryQueue => "retry-queue",
            Self::HealthCheck => "health-check",
            Self::PullMissedEvents => "pull-missed-events",
            Self::FinancialReport => "financial-report",
            Self::SealAuditLog => "seal-audit-log",
            Self::Prune => "prune",
        }
    }

    /// The job of a name.
    #[must_use]
    pub fn of(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|job| job.name() == name)
    }

    /// When it runs until an admin says otherwise (design section 6).
    #[must_use]
    pub const fn usual(self) -> Usual {
        match self {
            Self::SyncTransactions => Usual::SyncInterval(3600),
            Self::SyncSubscriptions => Usual::Cron("0 */6 * * *"),
            Self::Reconciliation => Usual::Cron("0 2 * * *"),
            Self::RetryQueue => Usual::Cron("*/5 * * * *"),
            Self::HealthCheck => Usual::Cron("*/15 * * * *"),
            Self::PullMissedEvents => Usual::Cron("*/10 * * * *"),
            Self::FinancialReport => Usual::Cron("15 0 * * *"),
            Self::SealAuditLog => Usual::Cron("* * * * *"),
            Self::Prune => Usual::Cron("30 3 * * *"),
        }
    }
}

impl Usual {
    /// As the columns of `scheduling.jobs` have it: a cron expression, or seconds.
    #[must_use]
    pub const fn columns(self) -> (Option<&'static str>, Option<i32>) {
        match self {
            Self::Cron(expression) => (Some(expression), None),
            Self::SyncInterval(seconds) => (None, Some(seconds)),
        }
    }
}

/// What the jobs work with.
#[derive(Debug)]
pub(crate) struct Jobs {
    pub(crate) ask: Ask,
    pub(crate) retry_queue: RetryQueue,
    pub(crate) health: HealthCheck,
    pub(crate) pull: Pull,
    pub(crate) reports: FinancialReports,
    pub(crate) seal: SealAuditLog,
    pub(crate) prune: Prune,
}

impl Jobs {
    /// Does a job's work. It may be dropped at any await: what it has begun is then begun again by the next run.
    pub(crate) async fn work(&self, job: Job, run: &Run) -> Result<Done, Failed> {
        match job {
            Job::SyncTransactions => self.ask.transactions(run).await,
            Job::SyncSubscriptions => self.ask.subscriptions(run).await,
            Job::Reconciliation => self.ask.reconciliation(run).await,
            Job::RetryQueue => self.retry_queue.work(run).await,
            Job::HealthCheck => self.health.work(run).await,
            Job::PullMissedEvents => self.pull.work(run).await,
            Job::FinancialReport => self.reports.work(run).await,
            Job::SealAuditLog => self.seal.work(run).await,
            Job::Prune => self.prune.work(run).await,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use domain::schedule::Schedule;
    use time::macros::datetime;

    #[test]
    fn every_job_runs_by_default_when_the_design_says() {
        let cron = |expression| (Some(expression), None);
        let table = [
            ("sync-transactions", (None, Some(3600))),
            ("sync-subscriptions", cron("0 */6 * * *")),
            ("reconciliation", cron("0 2 * * *")),
            ("retry-queue", cron("*/5 * * * *")),
            ("health-check", cron("*/15 * * * *")),
            ("pull-missed-events", cron("*/10 * * * *")),
            ("financial-report", cron("15 0 * * *")),
            ("seal-audit-log", cron("* * * * *")),
            ("prune", cron("30 3 * * *")),
        ];
        assert_eq!(Job::ALL.map(|job| (job.name(), job.usual().columns())), table);
    }

    #[test]
    fn every_job_is_known_by_its_name_and_has_a_schedule_that_comes() {
        for job in Job::ALL {
            assert_eq!(Job::of(job.name()), Some(job));
            let (cron, seconds) = job.usual().columns();
            let schedule = Schedule::parse(cron, seconds, "UTC").expect("a schedule");
            assert!(schedule.next_after(datetime!(2026-11-24 10:00 UTC)).is_ok(), "{job:?}");
        }
        assert_eq!(Job::of("reticulate-splines"), None);
    }
}
