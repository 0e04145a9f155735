//! How far a run is.

use std::{collections::BTreeMap, time::Duration};

use serde::Serialize;
use url::Url;

use super::SendId;

/// A run at one moment.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Progress {
    /// The run.
    pub id: SendId,
    /// Where it is.
    pub state: State,
    /// Whether it has ended, in whatever way.
    pub done: bool,
    /// What its stories are made from.
    pub seed: u64,
    /// Where it sends to.
    pub target: Url,
    /// Stories (customers) in all.
    pub stories: u32,
    /// Payments in all.
    pub payments: u64,
    /// Events to send, repeats included.
    pub events: u64,
    /// How many of them are repeats of others.
    pub repeats: u64,
    /// Tries that were sent.
    pub sent: u64,
    /// Events that were answered 2xx.
    pub accepted: u64,
    /// Tries beyond each event's first.
    pub retried: u64,
    /// Events that were given up.
    pub failed: u64,
    /// Answers by status; `0` for tries without an answer.
    pub statuses: BTreeMap<u16, u64>,
    /// The last try that went wrong.
    pub last_error: Option<String>,
    /// Time since the beginning, or that the run took.
    pub elapsed_ms: u64,
    /// How long the tries took that were answered 2xx.
    pub latency_micros: Percentiles,
}

/// Where a run is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// Sending.
    Running,
    /// All events were accepted or given up.
    Ended,
    /// Ended before that.
    Cancelled,
}

/// Of a set of times, in microseconds; 0 for an empty one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct Percentiles {
    /// Half were faster.
    pub p50: u32,
    /// 90 in 100 were faster.
    pub p90: u32,
    /// 99 in 100 were faster.
    pub p99: u32,
    /// The slowest.
    pub max: u32,
}

impl Percentiles {
    /// By nearest rank.
    pub(super) fn of(mut micros: Vec<u32>) -> Self {
        micros.sort_unstable();
        let at = |percent: usize| {
            let rank = (micros.len() * percent).div_ceil(100).max(1);
            micros.get(rank - 1).copied().unwrap_or_default()
        };
        Self { p50: at(50), p90: at(90), p99: at(99), max: at(100) }
    }
}

pub(super) fn micros(time: Duration) -> u32 {
    u32::try_from(time.as_micros()).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_the_nearest_rank() {
        assert_eq!(Percentiles::of((1..=200).rev().collect()), Percentiles { p50: 100, p90: 180, p99: 198, max: 200 });
        assert_eq!(Percentiles::of(vec![7]), Percentiles { p50: 7, p90: 7, p99: 7, max: 7 });
        assert_eq!(Percentiles::of(Vec::new()), Percentiles::default());
    }
}
