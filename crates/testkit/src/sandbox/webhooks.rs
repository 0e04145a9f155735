//! FlashERP's webhooks, as the control API takes and tells them.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// How webhooks are sent. What is `None` is left to the sandbox, which follows FlashERP's contract.
#[derive(Debug, Clone, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct WebhookSettings {
    /// Which changes are told.
    pub tells: WebhookTells,
    /// Where to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub target: Option<String>,
    /// What to sign with: each signs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub secrets: Option<Vec<String>>,
    /// The share of events that is sent twice, 0 to 1.
    pub duplicate_rate: f64,
    /// Each event waits between so many milliseconds and so many before its first try.
    pub delay_ms: (u64, u64),
    /// New events wait until they are released.
    pub hold: bool,
    /// How long a try may take.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timeout_ms: Option<u64>,
    /// Times between tries; the last one is repeated.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retry_delays_ms: Option<Vec<u64>>,
    /// When an event is given up, counted from its first try.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub give_up_after_ms: Option<u64>,
    /// Tries under way at once.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub concurrency: Option<u32>,
}

/// Which changes FlashERP tells.
#[derive(Debug, Clone, Copy, Default, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum WebhookTells {
    /// None; only what it is told to send.
    #[default]
    Nothing,
    /// Those behind the integration's back ([`super::Sandbox::edit_record`]).
    Edits,
    /// Those of the integration's own calls as well.
    All,
}

/// One event to be sent now.
#[derive(Debug, Clone, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct WebhookSend {
    /// `invoice.paid`, ...
    #[serde(rename = "type")]
    pub event_type: String,
    /// The record that it is about, as it is now.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub record: Option<String>,
    /// Its `data`, instead of a record.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub data: Option<Value>,
    /// Of `payment.failed`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failure_reason: Option<String>,
    /// So often; once when left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub copies: Option<u32>,
    /// So much later.
    pub delay_ms: u64,
}

/// In which order held events are released.
#[derive(Debug, Clone, Copy, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum ReleaseOrder {
    /// As they were told.
    Kept,
    /// The last one first.
    Reversed,
    /// Any.
    Shuffled,
}

/// FlashERP's webhooks at one moment.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Webhooks {
    /// Events that wait for their time.
    pub waiting: u64,
    /// Events that wait to be released.
    pub held: u64,
    /// Tries under way.
    pub in_flight: u64,
    /// Events that were queued, copies not counted.
    pub told: u64,
    /// Copies.
    pub repeats: u64,
    /// Tries.
    pub tries: u64,
    /// Events and copies that were answered 2xx.
    pub delivered: u64,
    /// Tries that weren't and are repeated.
    pub retried: u64,
    /// Events and copies that were given up.
    pub given_up: u64,
    /// Events that found no place in the queue.
    pub overflowed: u64,
    /// Answers by status; 0 for tries without an answer.
    pub statuses: BTreeMap<u16, u64>,
    /// The last try that went wrong.
    pub last_error: Option<String>,
}

impl Webhooks {
    /// Whether nothing is to be sent any more.
    pub fn is_idle(&self) -> bool {
        self.waiting + self.held + self.in_flight == 0
    }
}
