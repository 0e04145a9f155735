//! How long a call takes, beyond the work itself.

use std::time::Duration;

use rand::{Rng, rngs::StdRng};
use serde::{Deserialize, Serialize};

const LATENCY_MAX_MS: u64 = 60_000;

/// Evenly distributed between two bounds, both alike for a fixed one; a few calls may take much longer, as they do in life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Latency {
    /// At least so many milliseconds.
    pub min_ms: u64,
    /// At most so many milliseconds.
    pub max_ms: u64,
    /// On which side of the write the time passes.
    #[serde(default)]
    pub when: When,
    /// What some of the calls take instead.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub slow: Option<Slow>,
}

/// The slow ones among the calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Slow {
    /// So many of a thousand calls.
    pub per_mille: u32,
    /// At least so many milliseconds.
    pub min_ms: u64,
    /// At most so many milliseconds.
    pub max_ms: u64,
}

/// Before or after a write takes effect. It decides what a caller who gave up is left with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum When {
    /// The write takes effect late, even though its caller has gone.
    #[default]
    Before,
    /// The write takes effect at once, and the answer is late.
    After,
}

impl Latency {
    /// Always the same.
    pub const fn fixed(ms: u64) -> Self {
        Self { min_ms: ms, max_ms: ms, when: When::Before, slow: None }
    }

    /// Whether no call is held up.
    pub const fn is_none(self) -> bool {
        self.max_ms == 0 && self.slow.is_none()
    }

    /// What is wrong with it, if something is.
    pub(crate) fn problem(self) -> Option<&'static str> {
        let is_range = |min_ms: u64, max_ms: u64| min_ms <= max_ms && max_ms <= LATENCY_MAX_MS;
        let slow_is_right = |slow: Slow| is_range(slow.min_ms, slow.max_ms) && slow.per_mille <= 1000;
        match is_range(self.min_ms, self.max_ms) && self.slow.is_none_or(slow_is_right) {
            true => None,
            false => Some("minMs must be at most maxMs, maxMs at most 60000, and perMille at most 1000"),
        }
    }

    /// How long one call is held up, before and after its write.
    pub(super) fn draw(self, random: &mut StdRng) -> (Duration, Duration) {
        let slow = self.slow.filter(|slow| random.random_ratio(slow.per_mille.min(1000), 1000));
        let (min_ms, max_ms) = slow.map_or((self.min_ms, self.max_ms), |slow| (slow.min_ms, slow.max_ms));
        let ms = if min_ms == max_ms { max_ms } else { random.random_range(min_ms..=max_ms) };
        let time = Duration::from_millis(ms);
        match self.when {
            When::Before => (time, Duration::ZERO),
            When::After => (Duration::ZERO, time),
        }
    }
}
