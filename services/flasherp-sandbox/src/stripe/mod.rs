//! A Stripe that tells coherent stories: ids that fit together, in the API shapes before and after 2025-03-31, with synthetic people only.
//!
//! A story is one customer: `customer.created`, then for each of its payments `charge.succeeded` and `payment_intent.succeeded`, then now
//! and then `customer.updated`. It is a function of seed, number and options, so that sender, benchmark and test can each make the same
//! events without passing them on, and a run can be repeated.

mod currency;
mod ids;
mod objects;
mod options;
mod person;
mod plan;
mod sends;
mod signature;

pub use currency::{StripeCurrency, UnknownCurrency};
pub use options::{ApiShape, EventKind, StoryOptions};
pub use plan::{Plan, PlannedEvent};
pub use sends::{Progress, Refused, SendId, SendOrder, Sends, State};
pub use signature::sign;

use bytes::Bytes;
use rand::{SeedableRng, rngs::StdRng};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

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
    let mut random = random_for(seed, index);
    let mut teller = Teller { options, random: &mut random, events: Vec::new(), at: options.created };
    let customer = objects::Customer::draw(teller.random, options.created);
    teller.tell(EventKind::Customer, "customer.created", customer.render(options), None);
    for _ in 0..options.payments {
        teller.at += 1;
        let payment = objects::Payment::draw(teller.random, &customer, options, teller.at);
        teller.tell(EventKind::Charge, "charge.succeeded", payment.render_charge(options), None);
        teller.tell(EventKind::Payment, "payment_intent.succeeded", payment.render_intent(options), None);
    }
    if options.has_update(index) {
        teller.at += 1;
        let (renamed, before) = customer.renamed(teller.random);
        teller.tell(EventKind::Customer, "customer.updated", renamed.render(options), Some(before));
    }
    teller.events
}

fn random_for(seed: u64, index: u64) -> StdRng {
    let digest =
        Sha256::new().chain_update(b"stripe story").chain_update(seed.to_be_bytes()).chain_update(index.to_be_bytes());
    StdRng::from_seed(digest.finalize().into())
}

struct Teller<'a> {
    options: &'a StoryOptions,
    random: &'a mut StdRng,
    events: Vec<StripeEvent>,
    at: i64,
}

impl Teller<'_> {
    /// Ids are drawn for events that are left out, too: which kinds are told must not change the others.
    fn tell(&mut self, kind: EventKind, event_type: &'static str, object: Value, previous: Option<Value>) {
        let id = ids::draw("evt_", self.random);
        let request = ids::draw("req_", self.random);
        if !self.options.kinds.contains(&kind) {
            return;
        }
        let mut data = json!({ "object": object });
        if let (Some(previous), Some(data)) = (previous, data.as_object_mut()) {
            data.insert("previous_attributes".into(), previous);
        }
        let event = json!({
            "id": id,
            "object": "event",
            "api_version": self.options.shape.api_version(),
            "created": self.at,
            "data": data,
            "livemode": self.options.livemode,
            "pending_webhooks": 1,
            "request": { "id": request, "idempotency_key": null },
            "type": event_type,
        });
        self.events.push(StripeEvent { id, event_type, created: self.at, body: event.to_string().into() });
    }
}
