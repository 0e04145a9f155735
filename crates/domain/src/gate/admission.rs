//! Who is let through.

use time::OffsetDateTime;
use uuid::Uuid;

use super::{Breaker, Gate};
use crate::error_code::ErrorCode;

/// Who asks. Health checks don't: they always pass.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Caller {
    /// Whether it is outbound work, which can be paused. Reconciliation's reading is not.
    pub outbound: bool,
    /// The probe's owner, if the call is for the probe's record.
    pub probe: Option<Uuid>,
}

/// What a caller is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Admission {
    /// Go on.
    Pass,
    /// Not before then.
    Wait {
        /// When.
        until: OffsetDateTime,
        /// Why.
        code: ErrorCode,
    },
    /// No.
    Shut(Shut),
}

/// Why a call is not let through.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shut {
    /// Paused by hand.
    Paused,
    /// Our credentials are refused.
    Stopped(ErrorCode),
    /// The breaker is open until a probe succeeds, which may go then at the earliest.
    Open {
        /// When.
        retry_at: OffsetDateTime,
    },
}

impl Gate {
    /// Whether a call may go now. What lasts longest is told first.
    #[must_use]
    pub fn admits(&self, caller: Caller, now: OffsetDateTime) -> Admission {
        if let Some(stop) = self.stop {
            return Admission::Shut(Shut::Stopped(stop.code));
        }
        if self.paused && caller.outbound {
            return Admission::Shut(Shut::Paused);
        }
        match &self.breaker {
            Breaker::Closed(_) => {}
            Breaker::Open { retry_at, .. } => return Admission::Shut(Shut::Open { retry_at: *retry_at }),
            Breaker::HalfOpen { probe, .. } if caller.probe == Some(probe.owner) && now < probe.until => {}
            Breaker::HalfOpen { probe, .. } => return Admission::Shut(Shut::Open { retry_at: probe.until }),
        }
        match self.hold {
            Some(hold) if now < hold.until => Admission::Wait { until: hold.until, code: hold.code },
            Some(_) | None => Admission::Pass,
        }
    }
}
