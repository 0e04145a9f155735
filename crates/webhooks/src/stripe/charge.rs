//! Stripe's charge: one attempt to take the money of a payment intent.

use std::collections::BTreeMap;

use serde::Deserialize;
use time::OffsetDateTime;

use super::balance_transaction::BalanceTransaction;
use super::customer::Customer;
use super::expandable::{Expandable, Identified};
use super::fields;
use super::ids::{ChargeId, CustomerId, InvoiceId, PaymentIntentId};
use super::payment_intent::{InvoiceReference, PaymentIntent};
use super::refund::Refund;

/// A charge.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Charge {
    /// `ch_...`, or `py_...` for some methods.
    pub id: ChargeId,
    /// In Stripe's units of `currency`.
    pub amount: i64,
    /// What was taken of it, in Stripe's units of `currency`; absent in API versions before 2020-08-27.
    #[serde(default)]
    pub amount_captured: Option<i64>,
    /// In Stripe's units of `currency`, up to now.
    #[serde(default)]
    pub amount_refunded: i64,
    /// False for what is only reserved.
    #[serde(default = "yes")]
    pub captured: bool,
    /// Three lower-case letters.
    #[serde(deserialize_with = "fields::currency")]
    pub currency: String,
    /// How far it got.
    pub status: ChargeStatus,
    /// Whose it is, if anyone's.
    #[serde(default)]
    pub customer: Option<Expandable<Customer>>,
    /// What it belongs to; charges without one are from before payment intents.
    #[serde(default)]
    pub payment_intent: Option<Expandable<PaymentIntent>>,
    /// The invoice that it pays; gone from the API with 2025-03-31.
    #[serde(default)]
    pub invoice: Option<Expandable<InvoiceReference>>,
    /// What it brought; in events an id at most.
    #[serde(default)]
    pub balance_transaction: Option<Expandable<BalanceTransaction>>,
    /// Its refunds, in API versions before 2022-11-15.
    #[serde(default)]
    refunds: Option<Refunds>,
    /// Shown to the customer.
    #[serde(default, deserialize_with = "fields::text")]
    pub description: Option<String>,
    /// Why it failed: the code, such as `card_declined`.
    #[serde(default, deserialize_with = "fields::text")]
    pub failure_code: Option<String>,
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

/// How far a charge got, in Stripe's own words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ChargeStatus {
    Succeeded,
    Pending,
    Failed,
}

#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
struct Refunds {
    data: Vec<Refund>,
}

fn yes() -> bool {
    true
}

impl Charge {
    /// Id of the customer, if it has one.
    #[must_use]
    pub fn customer_id(&self) -> Option<&CustomerId> {
        self.customer.as_ref().map(Expandable::id)
    }

    /// Id of the payment intent, if it belongs to one.
    #[must_use]
    pub fn payment_intent_id(&self) -> Option<&PaymentIntentId> {
        self.payment_intent.as_ref().map(Expandable::id)
    }

    /// Id of the invoice that it pays, where the API version tells.
    #[must_use]
    pub fn invoice_id(&self) -> Option<&InvoiceId> {
        self.invoice.as_ref().map(Expandable::id)
    }

    /// The refunds that it lists, in API versions before 2022-11-15.
    pub fn refunds(&self) -> impl Iterator<Item = &Refund> {
        self.refunds.iter().flat_map(|refunds| &refunds.data)
    }
}

impl Identified for Charge {
    type Id = ChargeId;

    fn id(&self) -> &ChargeId {
        &self.id
    }
}
