//! Stripe's charge: one attempt to take the money of a payment intent.

use std::collections::BTreeMap;

use serde::Deserialize;
use time::OffsetDateTime;

use super::customer::Customer;
use super::expandable::{Expandable, Identified};
use super::fields;
use super::ids::ChargeId;
use super::payment_intent::PaymentIntent;

/// A charge.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Charge {
    /// `ch_...`, or `py_...` for some methods.
    pub id: ChargeId,
    /// In Stripe's units of `currency`.
    pub amount: i64,
    /// In Stripe's units of `currency`, up to now.
    #[serde(default)]
    pub amount_refunded: i64,
    /// Three lower-case letters.
    #[serde(deserialize_with = "fields::currency")]
    pub currency: String,
    /// `succeeded`, `pending` or `failed`.
    pub status: String,
    /// Whose it is, if anyone's.
    #[serde(default)]
    pub customer: Option<Expandable<Customer>>,
    /// What it belongs to; charges without one are from before payment intents.
    #[serde(default)]
    pub payment_intent: Option<Expandable<PaymentIntent>>,
    /// Shown to the customer.
    #[serde(default, deserialize_with = "fields::text")]
    pub description: Option<String>,
    /// Why it failed, for a reader.
    #[serde(default, deserialize_with = "fields::text")]
    pub failure_message: Option<String>,
    /// How it was paid.
    #[serde(default)]
    pub payment_method_details: Option<PaymentMethodDetails>,
    /// What UpCoach put there.
    #[serde(default, deserialize_with = "fields::metadata")]
    pub metadata: BTreeMap<String, String>,
    /// When it was made.
    #[serde(with = "time::serde::timestamp")]
    pub created: OffsetDateTime,
}

/// How a charge was paid, as far as it matters here.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct PaymentMethodDetails {
    /// `card`, `sepa_debit`, ...
    #[serde(rename = "type")]
    pub kind: String,
}

impl Identified for Charge {
    type Id = ChargeId;

    fn id(&self) -> &ChargeId {
        &self.id
    }
}
