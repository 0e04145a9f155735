//! A Stripe that tells coherent stories: ids that fit together, in the API shapes before and after 2025-03-31, with synthetic people only.
//!
//! A story is one customer and what happens to it, by a [`Plot`]. It is a function of seed, number and options, so that sender, benchmark and
//! test can each make the same events without passing them on, and a run can be repeated. Nothing of a story is kept: what is asked about it
//! later (an event, an object) is found by telling it again.

pub mod api;
mod calendar;
mod catalog;
mod currency;
mod ids;
mod objects;
mod options;
mod outage;
mod person;
mod plan;
mod plots;
mod sends;
mod signature;
mod teller;

pub use currency::{StripeCurrency, UnknownCurrency};
pub use options::{ApiShape, EventKind, StoryOptions};
pub use outage::{ApiOutage, Failing};
pub use plan::{Plan, PlannedEvent};
pub use plots::Plot;
pub use sends::{Progress, Refused, SendId, SendOrder, Sends, State};
pub use signature::sign;

use bytes::Bytes;
use serde_json::Value;

use teller::{Teller, Told, Wanted};

/// An event as Stripe would send it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StripeEvent {
    /// `evt_...`
    pub id: String,
    /// `payment_intent.succeeded` and so on.
    pub event_type: &'static str,
    /// Unix seconds.
    pub created: i64,
    /// The JSON text to sign and send.
    pub body: Bytes,
}

/// The events of story number `index`, oldest first; [`StoryOptions::events_per_story`] tells how many.
pub fn story(seed: u64, index: u64, options: &StoryOptions) -> Vec<StripeEvent> {
    tell(seed, index, options, Wanted::All).events
}

/// The objects of story number `index` as they are after its last event, in the order in which they were made.
pub fn objects_of(seed: u64, index: u64, options: &StoryOptions) -> Vec<Value> {
    tell(seed, index, options, Wanted::Heads).objects
}

fn tell(seed: u64, index: u64, options: &StoryOptions, wanted: Wanted) -> Told {
    let mut teller = Teller::new(seed, index, options, wanted);
    options.plot(index).play(&mut teller, index);
    teller.end()
}
