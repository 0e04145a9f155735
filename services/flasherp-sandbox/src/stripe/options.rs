//! What stories are to be like.

use serde::{Deserialize, Serialize};

use super::StripeCurrency;

/// Options of [`super::story`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoryOptions {
    /// Which events are told; a story is the same story with fewer.
    pub kinds: Vec<EventKind>,
    /// Each payment takes one of these; never empty.
    pub currencies: Vec<StripeCurrency>,
    /// Before or after 2025-03-31.
    pub shape: ApiShape,
    /// Payments of each customer.
    pub payments: u32,
    /// Every so many stories end with `customer.updated`; 0 for none.
    pub update_every: u32,
    /// Unix seconds at which each story begins.
    pub created: i64,
    /// Stripe's `livemode`.
    pub livemode: bool,
}

/// What an event is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum EventKind {
    /// `customer.created`, `customer.updated`
    Customer,
    /// `payment_intent.succeeded`
    Payment,
    /// `charge.succeeded`
    Charge,
}

/// The API version that events are rendered in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ApiShape {
    /// Before 2025-03-31: payment intents and charges name their invoice.
    Legacy,
    /// After it.
    #[default]
    Current,
}

impl ApiShape {
    /// `api_version` of the events.
    pub const fn api_version(self) -> &'static str {
        match self {
            ApiShape::Legacy => "2024-06-20",
            ApiShape::Current => "2025-09-30.clover",
        }
    }
}

impl StoryOptions {
    /// Stories that begin at `created` (unix seconds): all kinds, one payment, Stripe's several ways with decimals.
    pub fn beginning_at(created: i64) -> Self {
        Self {
            kinds: vec![EventKind::Customer, EventKind::Payment, EventKind::Charge],
            currencies: StripeCurrency::USUAL.to_vec(),
            shape: ApiShape::default(),
            payments: 1,
            update_every: 4,
            created,
            livemode: false,
        }
    }

    /// Whether story number `index` ends with `customer.updated`.
    pub fn has_update(&self, index: u64) -> bool {
        self.update_every > 0 && index % u64::from(self.update_every) == u64::from(self.update_every) - 1
    }

    /// How many events story number `index` has.
    pub fn events_per_story(&self, index: u64) -> u32 {
        let has = |kind| u32::from(self.kinds.contains(&kind));
        has(EventKind::Customer) * (1 + u32::from(self.has_update(index)))
            + self.payments * (has(EventKind::Payment) + has(EventKind::Charge))
    }
}
