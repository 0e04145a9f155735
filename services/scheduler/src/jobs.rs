//! The jobs there are: what each is called, when it runs unless somebody has changed that, and what it does.
//!
//! A new job is a variant here and a module of its own; the timetable, the leases, the history and the metrics are there already.

use crate::prune::Prune;
use crate::pull::Pull;
use crate::run::{Done, Failed, Run};
use crate::seal::SealAuditLog;

/// A job.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Job {
    /// Fetches the events that no webhook has told of.
    PullMissedEvents,
    /// Puts what was written to the audit log under the next seal.
    SealAuditLog,
    /// Erases what is kept for a time only.
    Prune,
}

impl Job {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::PullMissedEvents, Self::SealAuditLog, Self::Prune];

    /// Its name in the database, the admin API, metrics and logs.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::PullMissedEvents => "pull-missed-events",
            Self::SealAuditLog => "seal-audit-log",
            Self::Prune => "prune",
        }
    }

    /// The job of a name.
    #[must_use]
    pub fn of(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|job| job.name() == name)
    }

    /// When it runs, in UTC, until an admin says otherwise.
    #[must_use]
    pub const fn default_cron(self) -> &'static str {
        match self {
            Self::PullMissedEvents => "*/10 * * * *",
            Self::SealAuditLog => "* * * * *",
            Self::Prune => "30 3 * * *",
        }
    }
}

/// What the jobs work with.
#[derive(Debug)]
pub(crate) struct Jobs {
    pub(crate) pull: Pull,
    pub(crate) seal: SealAuditLog,
    pub(crate) prune: Prune,
}

impl Jobs {
    /// Does a job's work. It may be dropped at any await: what it has begun is then begun again by the next run.
    pub(crate) async fn work(&self, job: Job, run: &Run) -> Result<Done, Failed> {
        match job {
            Job::PullMissedEvents => self.pull.work(run).await,
            Job::SealAuditLog => self.seal.work(run).await,
            Job::Prune => self.prune.work(run).await,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schedule::Schedule;
    use time::macros::datetime;

    #[test]
    fn every_job_is_known_by_its_name_and_has_a_schedule_that_comes() {
        for job in Job::ALL {
            assert_eq!(Job::of(job.name()), Some(job));
            let schedule = Schedule::parse(Some(job.default_cron()), None, "UTC").expect("a schedule");
            assert!(schedule.next_after(datetime!(2026-11-24 10:00 UTC)).is_ok(), "{job:?}");
        }
        assert_eq!(Job::of("reticulate-splines"), None);
    }
}
