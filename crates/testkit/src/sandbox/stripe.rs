//! Sends of Stripe stories, as the control API takes and tells them.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// A request to send stories. What is `None` is left to the sandbox.
#[derive(Debug, Clone, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct StripeSend {
    /// How many stories; each is a customer with its payments.
    pub count: u32,
    /// The number of the first one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub first_story: Option<u64>,
    /// What the stories are made from.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seed: Option<u64>,
    /// Events a second; as fast as answers come when left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rate_per_second: Option<u32>,
    /// Events under way at once.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub concurrency: Option<u32>,
    /// Where to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub target: Option<String>,
    /// What to sign with.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub secret: Option<String>,
    /// In any order instead of the stories'.
    pub shuffle: bool,
    /// The share of events that is sent twice, 0 to 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub duplicate_rate: Option<f64>,
    /// The share of events that no webhook tells of; they are in Stripe's list of events only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub miss_rate: Option<f64>,
    /// The plots that stories take turns through (`subscription`, `refunds`, ...), or `all`; single payments when left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stories: Option<Vec<String>>,
    /// Days and months pass as in life; a second each otherwise.
    pub calendar: bool,
    /// When to give up, in seconds after the beginning.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub deadline_secs: Option<u64>,
    /// How long one try may take, in milliseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timeout_ms: Option<u64>,
    /// ISO 4217 codes to choose from, or `all`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub currencies: Option<Vec<String>>,
    /// `current`, `legacy` (before 2025-03-31) or `oldest` (2020).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub api_shape: Option<String>,
    /// Payments of each customer of plot `payment`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub payments_per_customer: Option<u32>,
    /// Which events are told: `customer`, `payment`, `charge`, `invoice`, `subscription`, `refund`, `dispute`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kinds: Option<Vec<String>>,
    /// Every so many stories end with `customer.updated`; 0 for none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub update_every: Option<u32>,
    /// When the stories begin, as RFC 3339.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub created: Option<String>,
    /// Stripe's `livemode`.
    pub livemode: bool,
}

/// How far a send is.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct StripeProgress {
    /// The send's number.
    pub id: u64,
    /// `running`, `ended` or `cancelled`.
    pub state: String,
    /// Whether it has ended, in whatever way.
    pub done: bool,
    /// What its stories are made from.
    pub seed: u64,
    /// Stories (customers) in all.
    pub stories: u64,
    /// Payments in all, as far as they go through.
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
    /// Answers by status; 0 for tries without an answer.
    pub statuses: BTreeMap<u16, u64>,
    /// The last try that went wrong.
    pub last_error: Option<String>,
    /// Time since the beginning, or that the send took.
    pub elapsed_ms: u64,
    /// How long the accepted tries took.
    pub latency_micros: StripeLatency,
}

/// Percentiles in microseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
pub struct StripeLatency {
    /// Half were faster.
    pub p50: u32,
    /// 90 in 100 were faster.
    pub p90: u32,
    /// 99 in 100 were faster.
    pub p99: u32,
    /// The slowest.
    pub max: u32,
}
