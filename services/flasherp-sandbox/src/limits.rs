//! FlashERP's limits: so many calls in a window, so many a day. Both count by the sandbox's clock, a refused call counts for neither, and
//! every answer says what is left in `X-RateLimit-*`. There are none until the control API sets some.

use std::sync::{
    Mutex, MutexGuard, PoisonError,
    atomic::{AtomicBool, Ordering},
};

use serde::{Deserialize, Serialize};

use crate::api::{Code, Endpoint};

const DAY_MS: i64 = 24 * 60 * 60 * 1000;

/// What is limited.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Limit {
    /// Calls in one window; none for no limit.
    #[serde(default)]
    pub per_window: Option<u64>,
    /// How long a window is.
    #[serde(default = "a_minute")]
    pub window_ms: u64,
    /// Calls of one day (UTC); none for no quota.
    #[serde(default)]
    pub per_day: Option<u64>,
    /// The form of `Retry-After`.
    #[serde(default)]
    pub retry_after: Form,
    /// Whether `GET /health` counts and is refused, too.
    #[serde(default)]
    pub health: bool,
}

fn a_minute() -> u64 {
    60_000
}

/// The two forms of `Retry-After`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Form {
    /// Seconds.
    #[default]
    Seconds,
    /// An HTTP date.
    Date,
}

/// How a call stands to the limits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Standing {
    /// `X-RateLimit-Limit`
    pub limit: u64,
    /// `X-RateLimit-Remaining`
    pub remaining: u64,
    /// `X-RateLimit-Reset`, in unix seconds.
    pub reset: i64,
    /// Why the call is refused, and for how many seconds, if it is.
    pub refused: Option<(Code, u64)>,
    /// The form of `Retry-After`.
    pub form: Form,
}

/// Limits and what was used up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct View {
    /// What is limited.
    #[serde(flatten)]
    pub limit: Limit,
    /// Calls of the current window.
    pub used_in_window: u64,
    /// Calls of today.
    pub used_today: u64,
}

#[derive(Debug, Default)]
struct Used {
    limit: Limit,
    window_began_ms: i64,
    in_window: u64,
    day: i64,
    today: u64,
}

/// FlashERP's limits.
#[derive(Debug, Default)]
pub struct Limits {
    used: Mutex<Used>,
    is_limited: AtomicBool,
}

impl Limits {
    /// Sets what is limited; counting starts over.
    pub fn set(&self, limit: Limit) {
        *self.locked() = Used { limit, ..Used::default() };
        self.is_limited.store(limit.per_window.is_some() || limit.per_day.is_some(), Ordering::Release);
    }

    /// What is limited, and what was used.
    pub fn view(&self, now_ms: i64) -> View {
        let mut used = self.locked();
        used.turn(now_ms);
        View { limit: used.limit, used_in_window: used.in_window, used_today: used.today }
    }

    /// Counts a call. `None`: nothing is limited, or not this call.
    pub fn count(&self, endpoint: Endpoint, now_ms: i64) -> Option<Standing> {
        if !self.is_limited.load(Ordering::Acquire) {
            return None;
        }
        let mut used = self.locked();
        if endpoint == Endpoint::Health && !used.limit.health {
            return None;
        }
        used.turn(now_ms);
        Some(used.count(now_ms))
    }

    fn locked(&self) -> MutexGuard<'_, Used> {
        self.used.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Used {
    /// Begins the window and the day that `now_ms` is in.
    fn turn(&mut self, now_ms: i64) {
        let window = i64::try_from(self.limit.window_ms.max(1)).unwrap_or(i64::MAX);
        // A clock that was set back begins a new window, too.
        if !(0..window).contains(&now_ms.saturating_sub(self.window_began_ms)) {
            self.window_began_ms = now_ms;
            self.in_window = 0;
        }
        let day = now_ms.div_euclid(DAY_MS);
        if day != self.day {
            self.day = day;
            self.today = 0;
        }
    }

    fn count(&mut self, now_ms: i64) -> Standing {
        let Limit { per_window, window_ms, per_day, retry_after: form, .. } = self.limit;
        let window_ends_ms = self.window_began_ms.saturating_add_unsigned(window_ms.max(1));
        let day_ends_ms = (self.day + 1).saturating_mul(DAY_MS);
        let seconds = |until_ms: i64| u64::try_from(until_ms - now_ms).unwrap_or(0).div_ceil(1000).max(1);
        let reset = |until_ms: i64| until_ms.div_euclid(1000) + i64::from(until_ms.rem_euclid(1000) > 0);
        if let Some(quota) = per_day.filter(|quota| self.today >= *quota) {
            let refused = Some((Code::QuotaExceeded, seconds(day_ends_ms).min(86_400)));
            return Standing { limit: quota, remaining: 0, reset: reset(day_ends_ms), refused, form };
        }
        if let Some(limit) = per_window.filter(|limit| self.in_window >= *limit) {
            let refused = Some((Code::RateLimitExceeded, seconds(window_ends_ms)));
            return Standing { limit, remaining: 0, reset: reset(window_ends_ms), refused, form };
        }
        self.in_window += 1;
        self.today += 1;
        match (per_window, per_day) {
            (Some(limit), _) => {
                let remaining = limit.saturating_sub(self.in_window);
                Standing { limit, remaining, reset: reset(window_ends_ms), refused: None, form }
            }
            (None, quota) => {
                let limit = quota.unwrap_or(u64::MAX);
                let remaining = limit.saturating_sub(self.today);
                Standing { limit, remaining, reset: reset(day_ends_ms), refused: None, form }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOON_MS: i64 = 1_764_000_000_000 / DAY_MS * DAY_MS + DAY_MS / 2;

    fn count(limits: &Limits, now_ms: i64) -> Standing {
        limits.count(Endpoint::Unknown, now_ms).expect("there are limits")
    }

    #[test]
    fn a_window_lets_so_many_calls_through_and_then_starts_over() {
        let limits = Limits::default();
        assert_eq!(limits.count(Endpoint::Unknown, NOON_MS), None);
        limits.set(Limit { per_window: Some(2), window_ms: 1_500, ..Limit::default() });
        assert_eq!((count(&limits, NOON_MS).remaining, count(&limits, NOON_MS).remaining), (1, 0));
        let refused = count(&limits, NOON_MS + 1);
        assert_eq!(refused.refused, Some((Code::RateLimitExceeded, 2)));
        assert_eq!((refused.limit, refused.reset), (2, NOON_MS / 1000 + 2));
        assert_eq!(count(&limits, NOON_MS + 1_499).refused, Some((Code::RateLimitExceeded, 1)));
        assert_eq!(count(&limits, NOON_MS + 1_500).refused, None);
    }

    #[test]
    fn a_quota_lasts_until_midnight_and_refused_calls_cost_nothing() {
        let limits = Limits::default();
        limits.set(Limit { per_day: Some(1), ..Limit::default() });
        assert_eq!(count(&limits, NOON_MS).refused, None);
        for _ in 0..3 {
            assert_eq!(count(&limits, NOON_MS).refused, Some((Code::QuotaExceeded, 43_200)));
        }
        assert_eq!(limits.view(NOON_MS).used_today, 1);
        assert_eq!(count(&limits, NOON_MS + DAY_MS / 2).refused, None);
    }

    #[test]
    fn health_is_free_unless_told_otherwise() {
        let limits = Limits::default();
        limits.set(Limit { per_window: Some(0), ..Limit::default() });
        assert_eq!(limits.count(Endpoint::Health, NOON_MS), None);
        limits.set(Limit { per_window: Some(0), health: true, ..Limit::default() });
        assert!(limits.count(Endpoint::Health, NOON_MS).is_some_and(|standing| standing.refused.is_some()));
    }
}
