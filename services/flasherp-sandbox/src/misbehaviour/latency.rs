//! How long a call takes, beyond the work itself.

use std::time::Duration;

use rand::{Rng, rngs::StdRng};
use serde::{Deserialize, Serialize};

/// Evenly distributed between two bounds; both alike for a fixed one.
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
        Self { min_ms: ms, max_ms: ms, when: When::Before }
    }

    /// Whether no call is held up.
    pub const fn is_none(self) -> bool {
        self.max_ms == 0
    }

    /// How long one call is held up, before and after its write.
    pub(super) fn draw(self, random: &mut StdRng) -> (Duration, Duration) {
        let ms = if self.min_ms == self.max_ms { self.max_ms } else { random.random_range(self.min_ms..=self.max_ms) };
        let time = Duration::from_millis(ms);
        match self.when {
            When::Before => (time, Duration::ZERO),
            When::After => (Duration::ZERO, time),
        }
    }
}
