//! What is to be sent, as the control API takes it: `{"count": 100}` sends a hundred stories to the configured endpoint.

use std::time::Duration;

use secrecy::SecretString;
use serde::Deserialize;
use time::OffsetDateTime;
use url::Url;

use crate::stripe::{ApiShape, EventKind, Plan, StoryOptions, StripeCurrency, UnknownCurrency};

/// A request for a run.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SendOrder {
    /// How many stories (customers).
    pub count: u32,
    /// The number of the first one: runs with one seed and different numbers tell different stories.
    #[serde(default)]
    pub first_story: u64,
    /// What the stories are made from; drawn, and told in the progress, when left out.
    pub seed: Option<u64>,
    /// First tries a second; 0 for as fast as answers come.
    #[serde(default)]
    pub rate_per_second: u32,
    /// Events under way at once.
    #[serde(default = "eight")]
    pub concurrency: u32,
    /// Where to; the configured endpoint when left out.
    pub target: Option<Url>,
    /// What to sign with; the configured secret when left out.
    pub secret: Option<SecretString>,
    /// In any order instead of the stories'.
    #[serde(default)]
    pub shuffle: bool,
    /// The share of events that is sent twice, 0 to 1.
    #[serde(default)]
    pub duplicate_rate: f64,
    /// When to give up what wasn't accepted, in seconds after the beginning.
    #[serde(default = "five_minutes")]
    pub deadline_secs: u64,
    /// How long one try may take, in milliseconds.
    #[serde(default = "ten_seconds")]
    pub timeout_ms: u64,
    /// ISO 4217 codes; Stripe's several ways with decimals when left out.
    pub currencies: Option<Vec<String>>,
    /// Before or after 2025-03-31.
    #[serde(default)]
    pub api_shape: ApiShape,
    /// Payments of each customer.
    #[serde(default = "one")]
    pub payments_per_customer: u32,
    /// Which events are told; all when left out.
    pub kinds: Option<Vec<EventKind>>,
    /// Every so many stories end with `customer.updated`; 0 for none.
    #[serde(default = "four")]
    pub update_every: u32,
    /// When the stories begin; now when left out.
    #[serde(default, with = "time::serde::rfc3339::option")]
    pub created: Option<OffsetDateTime>,
    /// Stripe's `livemode`.
    #[serde(default)]
    pub livemode: bool,
}

fn one() -> u32 {
    1
}
fn four() -> u32 {
    4
}
fn eight() -> u32 {
    8
}
fn five_minutes() -> u64 {
    300
}
fn ten_seconds() -> u64 {
    10_000
}

/// Why a run wasn't begun.
#[derive(Debug, thiserror::Error)]
pub enum Refused {
    /// Something is wrong with the order.
    #[error("{field} {problem}")]
    Bad {
        /// The order's field.
        field: &'static str,
        /// What is wrong with it.
        problem: &'static str,
    },
    /// A currency that stories don't know.
    #[error("currencies: {0}")]
    Currency(#[from] UnknownCurrency),
    /// Nothing to sign with.
    #[error("there is no secret to sign with: set STRIPE_WEBHOOK_SECRET, or give `secret`")]
    NoSecret,
}

/// An order with nothing left open.
#[derive(Debug)]
pub(super) struct Ready {
    pub(super) plan: Plan,
    pub(super) seed: u64,
    pub(super) stories: u32,
    pub(super) payments: u64,
    pub(super) target: Url,
    pub(super) secret: SecretString,
    pub(super) rate_per_second: u32,
    pub(super) concurrency: u32,
    pub(super) deadline: Duration,
    pub(super) timeout: Duration,
}

const EVENTS_MAX: u64 = 10_000_000;

impl SendOrder {
    pub(super) fn prepare(self, target: &Url, secret: Option<&SecretString>) -> Result<Ready, Refused> {
        let bad = |field, problem| Err(Refused::Bad { field, problem });
        if !(0.0..=1.0).contains(&self.duplicate_rate) {
            return bad("duplicateRate", "must be from 0 to 1");
        }
        if !(1..=1_000).contains(&self.concurrency) {
            return bad("concurrency", "must be from 1 to 1000");
        }
        let payments = u64::from(self.count) * u64::from(self.payments_per_customer);
        if u64::from(self.count) * 2 + payments * 2 > EVENTS_MAX {
            return bad("count", "makes more than 10,000,000 events");
        }
        let target = self.target.unwrap_or_else(|| target.clone());
        if !matches!(target.scheme(), "http" | "https") {
            return bad("target", "must be an http or https URL");
        }
        let secret = self.secret.or_else(|| secret.cloned()).ok_or(Refused::NoSecret)?;
        let mut options =
            StoryOptions::beginning_at(self.created.unwrap_or_else(OffsetDateTime::now_utc).unix_timestamp());
        if let Some(codes) = &self.currencies {
            options.currencies = codes.iter().map(|code| StripeCurrency::from_code(code)).collect::<Result<_, _>>()?;
            if options.currencies.is_empty() {
                return bad("currencies", "must not be empty");
            }
        }
        if let Some(kinds) = self.kinds {
            options.kinds = kinds;
        }
        options.shape = self.api_shape;
        options.payments = self.payments_per_customer;
        options.update_every = self.update_every;
        options.livemode = self.livemode;
        let seed = self.seed.unwrap_or_else(|| u64::from(rand::random::<u32>()));
        Ok(Ready {
            plan: Plan::new(seed, self.first_story, self.count, options, self.shuffle, self.duplicate_rate),
            seed,
            stories: self.count,
            payments,
            target,
            secret,
            rate_per_second: self.rate_per_second,
            concurrency: self.concurrency,
            deadline: Duration::from_secs(self.deadline_secs),
            timeout: Duration::from_millis(self.timeout_ms),
        })
    }
}
