//! What a report changes in the gate.
//!
//! Reports that come late are no danger: what was true of another time (a failure of a call that began before the breaker opened, a probe whose
//! lease is gone) changes nothing.

use std::time::Duration;

use time::OffsetDateTime;
use uuid::Uuid;

use super::{Breaker, BreakerSettings, Gate, Hold, Probe, Stop, Streak};
use crate::{error_code::ErrorCode, ids::SyncId, labels::labels};

/// What a caller tells the gate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Report {
    /// A call succeeded. Worth telling after a failure only ([`Gate::heeds_success`]).
    Succeeded,
    /// A call failed in a way that says that FlashERP as a whole is in trouble ([`ErrorCode::counts_for_breaker`]).
    Failed {
        /// For which record.
        record: Option<SyncId>,
    },
    /// GET /health was answered.
    HealthPassed,
    /// GET /health failed in that way.
    HealthFailed,
    /// GET /health refused our credentials.
    LockedOut {
        /// How.
        code: ErrorCode,
        /// The version of the configuration that they are of.
        version: i64,
    },
    /// FlashERP asked us to wait.
    ToldToWait {
        /// How long.
        wait: Duration,
        /// Why.
        code: ErrorCode,
    },
    /// A worker wants to probe.
    ProbeTaken {
        /// The worker's fence.
        owner: Uuid,
        /// How long it may take.
        lease: Duration,
    },
    /// The probe's owner chose this record.
    ProbeChosen {
        /// Who.
        owner: Uuid,
        /// Which.
        record: SyncId,
    },
    /// The probe's record failed as in [`Report::Failed`].
    ProbeFailed {
        /// Whose probe.
        owner: Uuid,
    },
    /// The probe succeeded, or nothing is due that could be tried.
    ProbeSucceeded {
        /// Whose probe.
        owner: Uuid,
    },
    /// The owner can't go on (it is stopping): another one may.
    ProbeGivenBack {
        /// Whose probe.
        owner: Uuid,
    },
    /// This version of the configuration is in force.
    Configured {
        /// Which.
        version: i64,
    },
}

labels! {
    /// What changed, for those who are told.
    pub enum Cause {
        /// The breaker opened: failures in a row from at least two records.
        FailuresInARow => "failures_in_a_row",
        /// The breaker opened: a failed call, and a failed health check.
        HealthCheckFailed => "health_check_failed",
        /// Half-open: the time of being open is over, and a worker probes.
        ResetTime => "reset_time",
        /// Closed.
        ProbeSucceeded => "probe_succeeded",
        /// Open again.
        ProbeFailed => "probe_failed",
        /// FlashERP refuses our credentials; everything stops.
        CredentialsRefused => "credentials_refused",
        /// The configuration changed or health passed; no longer stopped.
        StopLifted => "stop_lifted",
        /// FlashERP asked everyone to wait (rate limit or quota).
        ToldToWait => "told_to_wait",
        /// Paused by hand; no report's doing.
        Paused => "paused",
        /// Resumed by hand.
        Resumed => "resumed",
    }
}

/// The gate after a report.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// It.
    pub gate: Gate,
    /// What changed that others have to be told; counting a failure is not.
    pub cause: Option<Cause>,
}

impl Gate {
    /// The gate after a report at this time.
    #[must_use]
    pub fn after(&self, report: Report, now: OffsetDateTime, settings: &BreakerSettings) -> Step {
        let mut gate = self.clone();
        let cause = gate.apply(report, now, settings);
        Step { gate, cause }
    }

    fn apply(&mut self, report: Report, now: OffsetDateTime, settings: &BreakerSettings) -> Option<Cause> {
        match report {
            Report::Succeeded => self.succeeded(),
            Report::Failed { record } => {
                self.failed(now, settings, |streak| streak.count(record.unwrap_or(SyncId(Uuid::nil()))))
            }
            Report::HealthFailed => match self.breaker {
                Breaker::HalfOpen { .. } => self.open_again(now, settings),
                Breaker::Closed(_) | Breaker::Open { .. } => {
                    self.failed(now, settings, |streak| streak.health_failed = true)
                }
            },
            Report::HealthPassed => {
                if let Breaker::Closed(streak) = &mut self.breaker {
                    streak.health_failed = false;
                }
                self.stop.take().map(|_| Cause::StopLifted)
            }
            Report::LockedOut { code, version } => self.lock_out(code, version, now),
            Report::ToldToWait { wait, code } => self.hold(wait, code, now),
            Report::ProbeTaken { owner, lease } => self.take_probe(owner, lease, now),
            Report::ProbeChosen { owner, record } => {
                if self.is_probed_by(owner) {
                    self.last_probe = Some(record);
                }
                None
            }
            Report::ProbeFailed { owner } if self.is_probed_by(owner) => self.open_again(now, settings),
            Report::ProbeSucceeded { owner } if self.is_probed_by(owner) => {
                self.breaker = Breaker::default();
                Some(Cause::ProbeSucceeded)
            }
            Report::ProbeGivenBack { owner } => {
                if let Breaker::HalfOpen { probe, .. } = &mut self.breaker
                    && probe.owner == owner
                {
                    probe.until = now;
                }
                None
            }
            Report::ProbeFailed { .. } | Report::ProbeSucceeded { .. } => None,
            Report::Configured { version } => {
                let lifted = self.stop.is_some_and(|stop| stop.version != version);
                if lifted {
                    self.stop = None;
                }
                lifted.then_some(Cause::StopLifted)
            }
        }
    }

    fn succeeded(&mut self) -> Option<Cause> {
        if let Breaker::Closed(streak) = &mut self.breaker {
            *streak = Streak::default();
        }
        None
    }

    fn failed(
        &mut self,
        now: OffsetDateTime,
        settings: &BreakerSettings,
        count: impl FnOnce(&mut Streak),
    ) -> Option<Cause> {
        let Breaker::Closed(streak) = &mut self.breaker else { return None };
        count(streak);
        let cause = streak.opens(settings)?;
        let failures = streak.failures;
        self.breaker = Breaker::Open { opened_at: now, retry_at: now + settings.reset, failures };
        Some(cause)
    }

    fn open_again(&mut self, now: OffsetDateTime, settings: &BreakerSettings) -> Option<Cause> {
        let Breaker::HalfOpen { opened_at, failures, .. } = self.breaker else { return None };
        self.breaker =
            Breaker::Open { opened_at, retry_at: now + settings.reset, failures: failures.saturating_add(1) };
        Some(Cause::ProbeFailed)
    }

    fn lock_out(&mut self, code: ErrorCode, version: i64, now: OffsetDateTime) -> Option<Cause> {
        // FlashERP answers, so the next probe need not wait; but it is for after the stop.
        if let Breaker::HalfOpen { opened_at, failures, .. } = self.breaker {
            self.breaker = Breaker::Open { opened_at, retry_at: now, failures };
        }
        let stop = Stop { code, version };
        (self.stop.replace(stop) != Some(stop)).then_some(Cause::CredentialsRefused)
    }

    fn hold(&mut self, wait: Duration, code: ErrorCode, now: OffsetDateTime) -> Option<Cause> {
        let held = self.hold.filter(|hold| now < hold.until);
        let until = now + wait;
        if wait.is_zero() || held.is_some_and(|hold| until <= hold.until) {
            return None;
        }
        self.hold = Some(Hold { until, code });
        // Who is told of a hold looks at the gate for its end; a longer one is no news.
        held.is_none().then_some(Cause::ToldToWait)
    }

    fn take_probe(&mut self, owner: Uuid, lease: Duration, now: OffsetDateTime) -> Option<Cause> {
        if !self.probe_is_due(now) {
            return None;
        }
        let (Breaker::Open { opened_at, failures, .. } | Breaker::HalfOpen { opened_at, failures, .. }) = self.breaker
        else {
            return None;
        };
        let was_open = matches!(self.breaker, Breaker::Open { .. });
        self.breaker = Breaker::HalfOpen { opened_at, failures, probe: Probe { owner, until: now + lease } };
        was_open.then_some(Cause::ResetTime)
    }

    fn is_probed_by(&self, owner: Uuid) -> bool {
        matches!(&self.breaker, Breaker::HalfOpen { probe, .. } if probe.owner == owner)
    }
}

impl Streak {
    fn count(&mut self, record: SyncId) {
        self.failures = self.failures.saturating_add(1);
        if self.records.len() < 2 && !self.records.contains(&record) {
            self.records.push(record);
        }
    }

    fn opens(&self, settings: &BreakerSettings) -> Option<Cause> {
        if self.health_failed && self.failures > 0 {
            Some(Cause::HealthCheckFailed)
        } else if self.failures >= settings.failures && self.records.len() >= 2 {
            Some(Cause::FailuresInARow)
        } else {
            None
        }
    }
}
