//! Stripe's event around its object, and which types are read.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::value::RawValue;
use time::OffsetDateTime;

use super::charge::Charge;
use super::customer::Customer;
use super::dispute::Dispute;
use super::ids::EventId;
use super::invoice::{Invoice, InvoicePayment};
use super::payment_intent::PaymentIntent;
use super::refund::Refund;
use super::subscription::Subscription;

/// An event with what it is about, as it was when the event was made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event<T> {
    /// `evt_...`
    pub id: EventId,
    /// Such as `payment_intent.succeeded`.
    pub event_type: String,
    /// When the event was made, in whole seconds: two events of one object can have the same.
    pub created: OffsetDateTime,
    /// False for Stripe's test mode.
    pub livemode: bool,
    /// The API version that the object has the shape of.
    pub api_version: Option<String>,
    /// What the change that it tells of replaced, as far as that are texts of the object itself: the text before, or that there was none. Of
    /// two events of one second it tells which is the later.
    pub before: BTreeMap<String, Option<String>>,
    /// What it is about.
    pub object: T,
}

/// An event by what it is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StripeEvent {
    /// `customer.created`, `.updated`, `.deleted`
    Customer(Event<Customer>),
    /// `payment_intent.succeeded`, `.payment_failed`, `.canceled`
    PaymentIntent(Event<PaymentIntent>),
    /// `charge.succeeded`, `.updated`, `.failed`, `.refunded`
    Charge(Event<Charge>),
    /// `invoice.finalized`, `.paid`, `.payment_succeeded`, `.payment_failed`, `.voided`, `.marked_uncollectible`
    Invoice(Event<Invoice>),
    /// `invoice_payment.paid`
    InvoicePayment(Event<InvoicePayment>),
    /// `refund.created`, `.updated`, `.failed`, `charge.refund.updated`
    Refund(Event<Refund>),
    /// `charge.dispute.created`, `.closed`, `.funds_withdrawn`, `.funds_reinstated`
    Dispute(Event<Dispute>),
    /// `customer.subscription.created`, `.updated`, `.deleted`, `.trial_will_end`, `.paused`, `.resumed`
    Subscription(Event<Subscription>),
    /// A type that nothing is done for.
    Other {
        /// The event's type.
        event_type: String,
    },
}

/// The body does not have the shape that its type promises.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the event can't be read: {reason}")]
pub struct Unusable {
    /// What is wrong with it, for an operator. Names fields, holds none of their values.
    pub reason: String,
}

/// Reads a stored body.
///
/// # Errors
/// [`Unusable`] when it is no event of Stripe's, or one of a type that is applied whose object lacks something or has it in a wrong form.
pub fn parse(body: &[u8]) -> Result<StripeEvent, Unusable> {
    let raw: RawEvent<'_> = serde_json::from_slice(body).map_err(|error| unusable("event", &error))?;
    match What::of(&raw.event_type) {
        Some(What::Customer) => raw.with("customer").map(StripeEvent::Customer),
        Some(What::PaymentIntent) => raw.with("payment_intent").map(StripeEvent::PaymentIntent),
        Some(What::Charge) => raw.with("charge").map(StripeEvent::Charge),
        Some(What::Invoice) => raw.with("invoice").map(StripeEvent::Invoice),
        Some(What::InvoicePayment) => raw.with("invoice_payment").map(StripeEvent::InvoicePayment),
        Some(What::Refund) => raw.with("refund").map(StripeEvent::Refund),
        Some(What::Dispute) => raw.with("dispute").map(StripeEvent::Dispute),
        Some(What::Subscription) => raw.with("subscription").map(StripeEvent::Subscription),
        None => Ok(StripeEvent::Other { event_type: raw.event_type }),
    }
}

/// Whether something is done for events of this type. Of all others only a webhook's word is kept: missed ones are not fetched.
#[must_use]
pub fn is_read(event_type: &str) -> bool {
    What::of(event_type).is_some()
}

/// What an event is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum What {
    Customer,
    PaymentIntent,
    Charge,
    Invoice,
    InvoicePayment,
    Refund,
    Dispute,
    Subscription,
}

impl What {
    fn of(event_type: &str) -> Option<Self> {
        Some(match event_type {
            "customer.created" | "customer.updated" | "customer.deleted" => Self::Customer,
            "payment_intent.succeeded" | "payment_intent.payment_failed" | "payment_intent.canceled" => {
                Self::PaymentIntent
            }
            "charge.succeeded" | "charge.updated" | "charge.failed" | "charge.refunded" => Self::Charge,
            "invoice.finalized"
            | "invoice.paid"
            | "invoice.payment_succeeded"
            | "invoice.payment_failed"
            | "invoice.voided"
            | "invoice.marked_uncollectible" => Self::Invoice,
            "invoice_payment.paid" => Self::InvoicePayment,
            "refund.created" | "refund.updated" | "refund.failed" | "charge.refund.updated" => Self::Refund,
            "charge.dispute.created"
            | "charge.dispute.closed"
            | "charge.dispute.funds_withdrawn"
            | "charge.dispute.funds_reinstated" => Self::Dispute,
            "customer.subscription.created"
            | "customer.subscription.updated"
            | "customer.subscription.deleted"
            | "customer.subscription.trial_will_end"
            | "customer.subscription.paused"
            | "customer.subscription.resumed" => Self::Subscription,
            _ => return None,
        })
    }
}

#[derive(Deserialize)]
struct RawEvent<'a> {
    id: EventId,
    #[serde(rename = "type")]
    event_type: String,
    #[serde(with = "time::serde::timestamp")]
    created: OffsetDateTime,
    livemode: bool,
    #[serde(default)]
    api_version: Option<String>,
    #[serde(borrow)]
    data: RawData<'a>,
}

#[derive(Deserialize)]
struct RawData<'a> {
    #[serde(borrow)]
    object: &'a RawValue,
    #[serde(default, borrow)]
    previous_attributes: Option<BTreeMap<String, &'a RawValue>>,
}

impl RawData<'_> {
    fn before(&self) -> BTreeMap<String, Option<String>> {
        let changed = self.previous_attributes.iter().flatten();
        changed.filter_map(|(name, value)| Some((name.clone(), serde_json::from_str(value.get()).ok()?))).collect()
    }
}

impl RawEvent<'_> {
    /// Reads the object, which must say that it is one of `kind`.
    fn with<T: DeserializeOwned>(self, kind: &str) -> Result<Event<T>, Unusable> {
        #[derive(Deserialize)]
        struct Kind {
            object: String,
        }
        let json = self.data.object.get();
        let said: Kind = serde_json::from_str(json).map_err(|error| unusable(kind, &error))?;
        if said.object != kind {
            return Err(Unusable { reason: format!("{} is not about a {kind}", self.event_type) });
        }
        let object = serde_json::from_str(json).map_err(|error| unusable(kind, &error))?;
        Ok(Event {
            before: self.data.before(),
            id: self.id,
            event_type: self.event_type,
            created: self.created,
            livemode: self.livemode,
            api_version: self.api_version,
            object,
        })
    }
}

/// serde's messages quote values of a wrong type, and those may be personal data: what is in quotes or backticks and not a field's name goes.
fn unusable(what: &str, error: &serde_json::Error) -> Unusable {
    let text = error.to_string();
    let reason = match text.split_once("invalid type: ").or_else(|| text.split_once("invalid value: ")) {
        Some((_, rest)) => match rest.split_once(", expected ") {
            Some((_, expected)) => format!("expected {expected}"),
            None => "a value of the wrong type".to_owned(),
        },
        None => text,
    };
    Unusable { reason: format!("{what}: {reason}") }
}
