//! How webhooks are sent, as the control API takes and tells it.

use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use url::Url;

/// Which changes are told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Tells {
    /// None; only what the control API is told to send.
    #[default]
    Nothing,
    /// Those behind the integration's back.
    Edits,
    /// Those of the integration's own calls as well.
    All,
}

/// Settings as they are asked for; what is left out is as at the start.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct NewSettings {
    /// Which changes are told.
    #[serde(default)]
    pub tells: Tells,
    /// Where to.
    pub target: Option<Url>,
    /// What to sign with: each signs.
    pub secrets: Option<Vec<SecretString>>,
    /// The share of events that is sent twice, 0 to 1.
    #[serde(default)]
    pub duplicate_rate: f64,
    /// Each event waits so long before its first try, drawn between the two: with a distance between them events overtake each other.
    #[serde(default)]
    pub delay_ms: (u64, u64),
    /// New events wait until they are released.
    #[serde(default)]
    pub hold: bool,
    /// How long a try may take.
    pub timeout_ms: Option<u64>,
    /// Times between tries; the last one is repeated.
    pub retry_delays_ms: Option<Vec<u64>>,
    /// When an event is given up, counted from its first try.
    pub give_up_after_ms: Option<u64>,
    /// Tries under way at once.
    pub concurrency: Option<usize>,
}

/// Settings in force.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Settings {
    /// Which changes are told.
    pub tells: Tells,
    /// Where to.
    pub target: Url,
    #[serde(skip)]
    pub(super) secrets: Vec<SecretString>,
    /// The share of events that is sent twice.
    pub duplicate_rate: f64,
    /// How long each event waits before its first try.
    pub delay_ms: (u64, u64),
    /// Whether new events wait until they are released.
    pub hold: bool,
    /// How long a try may take.
    pub timeout_ms: u64,
    /// Times between tries; the last one is repeated.
    pub retry_delays_ms: Vec<u64>,
    /// When an event is given up, counted from its first try.
    pub give_up_after_ms: u64,
    /// Tries under way at once.
    pub concurrency: usize,
}

/// The contract's: 5 s, 30 s, 5 min, 1 h, then every 6 h.
const RETRY_DELAYS_MS: [u64; 5] = [5_000, 30_000, 300_000, 3_600_000, 21_600_000];
const GIVE_UP_AFTER_MS: u64 = 3 * 24 * 60 * 60 * 1000;
const TIMEOUT_MS: u64 = 10_000;
const CONCURRENCY: usize = 8;

impl Settings {
    /// Those of the start.
    pub fn new(target: Url, secrets: Vec<SecretString>) -> Self {
        Self {
            tells: Tells::Nothing,
            target,
            secrets,
            duplicate_rate: 0.0,
            delay_ms: (0, 0),
            hold: false,
            timeout_ms: TIMEOUT_MS,
            retry_delays_ms: RETRY_DELAYS_MS.to_vec(),
            give_up_after_ms: GIVE_UP_AFTER_MS,
            concurrency: CONCURRENCY,
        }
    }

    /// These with what is asked for, or what is wrong with that.
    pub(super) fn with(self, new: NewSettings) -> Result<Self, &'static str> {
        let target = new.target.unwrap_or(self.target);
        let secrets = new.secrets.unwrap_or(self.secrets);
        let retry_delays_ms = new.retry_delays_ms.unwrap_or(self.retry_delays_ms);
        let concurrency = new.concurrency.unwrap_or(self.concurrency);
        if !matches!(target.scheme(), "http" | "https") {
            return Err("target must be an http or https URL");
        }
        if secrets.iter().any(|secret| secret.expose_secret().is_empty()) {
            return Err("secrets must not be empty");
        }
        if !(0.0..=1.0).contains(&new.duplicate_rate) {
            return Err("duplicateRate must be from 0 to 1");
        }
        if new.delay_ms.0 > new.delay_ms.1 {
            return Err("delayMs must be two numbers, the smaller first");
        }
        if retry_delays_ms.is_empty() {
            return Err("retryDelaysMs must not be empty");
        }
        if !(1..=1_000).contains(&concurrency) {
            return Err("concurrency must be from 1 to 1000");
        }
        Ok(Self {
            tells: new.tells,
            target,
            secrets,
            duplicate_rate: new.duplicate_rate,
            delay_ms: new.delay_ms,
            hold: new.hold,
            timeout_ms: new.timeout_ms.unwrap_or(self.timeout_ms),
            retry_delays_ms,
            give_up_after_ms: new.give_up_after_ms.unwrap_or(self.give_up_after_ms),
            concurrency,
        })
    }

    /// How long to wait after so many tries; `None` if the event is given up.
    pub(super) fn wait_after(&self, tries: u32, since_first_ms: i64) -> Option<u64> {
        let place = usize::try_from(tries.saturating_sub(1)).unwrap_or(usize::MAX);
        let wait = self.retry_delays_ms.get(place).or_else(|| self.retry_delays_ms.last()).copied()?;
        let then = u64::try_from(since_first_ms).unwrap_or(0).saturating_add(wait);
        (then <= self.give_up_after_ms).then_some(wait)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tries_come_after_the_contracts_times_for_three_days() {
        let settings = Settings::new("http://127.0.0.1:1/".parse().expect("a URL"), Vec::new());
        let (mut at, mut tries, mut waits) = (0_i64, 1, Vec::new());
        while let Some(wait) = settings.wait_after(tries, at) {
            (at, tries) = (at + i64::try_from(wait).expect("small"), tries + 1);
            waits.push(wait / 1000);
        }
        assert_eq!(waits[..6], [5, 30, 300, 3_600, 21_600, 21_600]);
        assert_eq!(waits.len(), 15);
        assert!(at <= 259_200_000 && at + 21_600_000 > 259_200_000);
    }
}
