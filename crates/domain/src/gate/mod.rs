//! The outbound gate as a state machine: breaker, hold, stop and pause, before every call to FlashERP.
//!
//! One value of [`Gate`] is shared by all callers: it is a row in Postgres, changed by compare-and-set, so that what a process knew when it died is
//! still there. Nothing here reads a clock: the present comes in, and it is the database's.
//!
//! | part | shuts when | opens when |
//! |---|---|---|
//! | breaker | failures in a row, from two records at least or with a failed health check | after a while a probe succeeds |
//! | hold | FlashERP asks to wait (429, quota) | its time is over |
//! | stop | /health refuses our credentials | the configuration changes, or /health passes |
//! | pause | a person says so | a person says so |

mod admission;
mod step;
#[cfg(test)]
mod tests;

use std::time::Duration;

use time::OffsetDateTime;
use uuid::Uuid;

use crate::{error_code::ErrorCode, ids::SyncId};

pub use admission::{Admission, Caller, Shut};
pub use step::{Cause, Report, Step};

/// How sensitive the breaker is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BreakerSettings {
    /// Failures in a row that open it (`CIRCUIT_FAILURES`), at least 1.
    pub failures: u32,
    /// How long it stays open before a probe (`CIRCUIT_RESET_SECS`).
    pub reset: Duration,
}

impl Default for BreakerSettings {
    /// 5 failures, 60 s.
    fn default() -> Self {
        Self { failures: 5, reset: Duration::from_secs(60) }
    }
}

/// The gate. Starts with nothing in the way.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Gate {
    /// Whether FlashERP is believed to work.
    pub breaker: Breaker,
    /// The record that was tried last while half-open; another goes first while another is due.
    pub last_probe: Option<SyncId>,
    /// FlashERP asked everyone to wait.
    pub hold: Option<Hold>,
    /// FlashERP refuses our credentials.
    pub stop: Option<Stop>,
    /// Outbound work is paused by hand.
    pub paused: bool,
}

/// The circuit breaker.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Breaker {
    /// Calls pass.
    Closed(Streak),
    /// No call passes before a probe has succeeded.
    Open {
        /// Since when.
        opened_at: OffsetDateTime,
        /// From when on a probe may go.
        retry_at: OffsetDateTime,
        /// Failures in a row when it opened.
        failures: u32,
    },
    /// One worker holds the probe.
    HalfOpen {
        /// Since when no ordinary call passes.
        opened_at: OffsetDateTime,
        /// Who holds it.
        probe: Probe,
        /// Failures in a row when it opened.
        failures: u32,
    },
}

impl Default for Breaker {
    fn default() -> Self {
        Self::Closed(Streak::default())
    }
}

/// The lease on the probe.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Probe {
    /// The fence: only its owner's word counts.
    pub owner: Uuid,
    /// When it ends. After that another worker may take it: the owner has died.
    pub until: OffsetDateTime,
}

/// Failures since the last success.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Streak {
    /// How many.
    pub failures: u32,
    /// Whose they were, two at most: that many it takes. A caller without a record (a page of a list) is the nil id.
    pub records: Vec<SyncId>,
    /// Whether the last health check failed as well.
    pub health_failed: bool,
}

/// FlashERP asked everyone to wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Hold {
    /// Nothing is sent before.
    pub until: OffsetDateTime,
    /// [`ErrorCode::RateLimitExceeded`] or [`ErrorCode::QuotaExceeded`].
    pub code: ErrorCode,
}

/// FlashERP refuses our credentials.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stop {
    /// How.
    pub code: ErrorCode,
    /// The version of the configuration that they are of.
    pub version: i64,
}

impl Gate {
    /// Whether ordinary calls pass the breaker.
    #[must_use]
    pub const fn is_closed(&self) -> bool {
        matches!(self.breaker, Breaker::Closed(_))
    }

    /// Failures in a row, now or when the breaker opened.
    #[must_use]
    pub const fn failures(&self) -> u32 {
        match &self.breaker {
            Breaker::Closed(streak) => streak.failures,
            Breaker::Open { failures, .. } | Breaker::HalfOpen { failures, .. } => *failures,
        }
    }

    /// Whether a success is worth telling: there is something that it ends.
    #[must_use]
    pub const fn heeds_success(&self) -> bool {
        match &self.breaker {
            Breaker::Closed(streak) => streak.failures > 0,
            Breaker::Open { .. } | Breaker::HalfOpen { .. } => false,
        }
    }

    /// Whether a worker may take the probe now. Not while calls are shut out for another reason as well.
    #[must_use]
    pub fn probe_is_due(&self, now: OffsetDateTime) -> bool {
        let free = match &self.breaker {
            Breaker::Closed(_) => false,
            Breaker::Open { retry_at, .. } => *retry_at <= now,
            Breaker::HalfOpen { probe, .. } => probe.until <= now,
        };
        free && !self.paused && self.stop.is_none() && self.hold.is_none_or(|hold| hold.until <= now)
    }
}
