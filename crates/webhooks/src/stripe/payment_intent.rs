//! Stripe's payment intent: one payment, whatever attempts it takes.

use std::collections::BTreeMap;

use serde::Deserialize;
use time::OffsetDateTime;

use super::charge::Charge;
use super::customer::Customer;
use super::expandable::{Expandable, Identified};
use super::fields;
use super::ids::{ChargeId, CustomerId, InvoiceId, PaymentIntentId};

/// A payment intent.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct PaymentIntent {
    /// `pi_...`
    pub id: PaymentIntentId,
    /// What was asked for, in Stripe's units of `currency`.
    pub amount: i64,
    /// What came in, in Stripe's units of `currency`.
    #[serde(default)]
    pub amount_received: i64,
    /// Three lower-case letters.
    #[serde(deserialize_with = "fields::currency")]
    pub currency: String,
    /// Whose it is, if anyone's.
    #[serde(default)]
    pub customer: Option<Expandable<Customer>>,
    /// Where the payment stands.
    pub status: PaymentIntentStatus,
    /// The latest attempt. API versions before 2022-11-15 have `charges` in its place: use [`PaymentIntent::charge_id`].
    #[serde(default)]
    pub latest_charge: Option<Expandable<Charge>>,
    /// The attempts, newest first, in API versions before 2022-11-15.
    #[serde(default)]
    charges: Option<Charges>,
    /// The kinds of payment method that it may use, such as `card`.
    #[serde(default)]
    pub payment_method_types: Vec<String>,
    /// Shown to the customer.
    #[serde(default, deserialize_with = "fields::text")]
    pub description: Option<String>,
    /// What UpCoach put there.
    #[serde(default, deserialize_with = "fields::metadata")]
    pub metadata: BTreeMap<String, String>,
    /// The invoice that it pays; gone from the API with 2025-03-31.
    #[serde(default)]
    pub invoice: Option<Expandable<InvoiceReference>>,
    /// Where the receipt goes.
    #[serde(default, deserialize_with = "fields::text")]
    pub receipt_email: Option<String>,
    /// Why the last attempt failed.
    #[serde(default)]
    pub last_payment_error: Option<PaymentError>,
    /// When it was made.
    #[serde(with = "time::serde::timestamp")]
    pub created: OffsetDateTime,
    /// When it was cancelled.
    #[serde(default, with = "time::serde::timestamp::option")]
    pub canceled_at: Option<OffsetDateTime>,
}

impl PaymentIntent {
    /// Id of the customer, if it has one.
    #[must_use]
    pub fn customer_id(&self) -> Option<&CustomerId> {
        self.customer.as_ref().map(Expandable::id)
    }

    /// Id of the latest charge, in whichever place the API version has it.
    #[must_use]
    pub fn charge_id(&self) -> Option<&ChargeId> {
        let first_of_list = || self.charges.as_ref().and_then(|charges| charges.data.first()).map(Identified::id);
        self.latest_charge.as_ref().map(Expandable::id).or_else(first_of_list)
    }

    /// Id of the invoice that it pays, where the API version tells.
    #[must_use]
    pub fn invoice_id(&self) -> Option<&InvoiceId> {
        self.invoice.as_ref().map(Expandable::id)
    }
}

impl Identified for PaymentIntent {
    type Id = PaymentIntentId;

    fn id(&self) -> &PaymentIntentId {
        &self.id
    }
}

/// Where a payment stands, in Stripe's own words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PaymentIntentStatus {
    RequiresPaymentMethod,
    RequiresConfirmation,
    RequiresAction,
    RequiresCapture,
    Processing,
    Canceled,
    Succeeded,
    /// One that Stripe has added since.
    #[serde(other)]
    Other,
}

/// Why an attempt to pay failed.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct PaymentError {
    /// Stripe's code, such as `card_declined`.
    #[serde(default, deserialize_with = "fields::text")]
    pub code: Option<String>,
    /// The bank's code, such as `insufficient_funds`.
    #[serde(default, deserialize_with = "fields::text")]
    pub decline_code: Option<String>,
    /// For a reader.
    #[serde(default, deserialize_with = "fields::text")]
    pub message: Option<String>,
}

/// An invoice of which only the id is read.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct InvoiceReference {
    /// `in_...`
    pub id: InvoiceId,
}

impl Identified for InvoiceReference {
    type Id = InvoiceId;

    fn id(&self) -> &InvoiceId {
        &self.id
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
struct Charges {
    data: Vec<Charge>,
}
