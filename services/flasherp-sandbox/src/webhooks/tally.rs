//! What was counted, and how the queue looks from outside.

use std::collections::BTreeMap;

use serde::Serialize;

use super::{EventId, EventType, Settings};

/// What happened so far.
#[derive(Debug, Clone, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Tally {
    /// Events that were queued, copies not counted.
    pub told: u64,
    /// Copies.
    pub repeats: u64,
    /// Tries.
    pub tries: u64,
    /// Events and copies that were answered 2xx.
    pub delivered: u64,
    /// Tries that weren't and will be repeated.
    pub retried: u64,
    /// Events and copies that were given up.
    pub given_up: u64,
    /// Events that found no place in the queue.
    pub overflowed: u64,
    /// Answers by status; `0` for tries without an answer.
    pub statuses: BTreeMap<u16, u64>,
    /// The last try that went wrong.
    pub last_error: Option<String>,
}

/// One try, for people.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Try {
    /// The event.
    pub id: EventId,
    /// Its type.
    #[serde(rename = "type")]
    pub event_type: EventType,
    /// Which try it was.
    pub nth: u32,
    /// The answer; 0 for none.
    pub status: u16,
    /// How long it took.
    pub took_ms: u64,
}

/// The queue at one moment.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct View {
    /// How webhooks are sent.
    pub settings: Settings,
    /// Events that wait for their time.
    pub waiting: usize,
    /// Events that wait to be released.
    pub held: usize,
    /// Tries under way.
    pub in_flight: usize,
    /// What happened.
    #[serde(flatten)]
    pub tally: Tally,
    /// The last tries, newest first.
    pub recent: Vec<Try>,
}
