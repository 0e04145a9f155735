//! Stripe's invoice, and since 2025-03-31 the payments of it as objects of their own.
//!
//! Before, an invoice named its subscription, payment intent and charge itself; since, the subscription is in `parent` and the payments are in
//! `payments`, which events leave out: `invoice_payment.paid` tells of them. Use the methods, which know both.

use std::collections::BTreeMap;

use serde::Deserialize;
use time::OffsetDateTime;

use super::charge::Charge;
use super::customer::Customer;
use super::expandable::{Expandable, Identified};
use super::fields;
use super::ids::{ChargeId, CustomerId, InvoiceId, PaymentIntentId, SubscriptionId};
use super::payment_intent::PaymentIntent;
use super::subscription::Subscription;

/// An invoice.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Invoice {
    /// `in_...`
    pub id: InvoiceId,
    /// Where it stands.
    pub status: InvoiceStatus,
    /// What is billed, in Stripe's units of `currency`.
    pub total: i64,
    /// What has been paid so far, in Stripe's units of `currency`.
    #[serde(default)]
    pub amount_paid: i64,
    /// Whether it was paid past Stripe: then no payment of Stripe's belongs to it. Gone from the API with 2025-03-31, where such an invoice
    /// has no `invoice_payment`.
    #[serde(default)]
    pub paid_out_of_band: bool,
    /// Three lower-case letters.
    #[serde(deserialize_with = "fields::currency")]
    pub currency: String,
    /// Whose it is.
    #[serde(default)]
    pub customer: Option<Expandable<Customer>>,
    /// Of which subscription, before 2025-03-31.
    #[serde(default)]
    subscription: Option<Expandable<Subscription>>,
    /// What it comes from, since 2025-03-31.
    #[serde(default)]
    parent: Option<Parent>,
    /// What paid it, before 2025-03-31.
    #[serde(default)]
    payment_intent: Option<Expandable<PaymentIntent>>,
    /// What paid it, before 2025-03-31.
    #[serde(default)]
    charge: Option<Expandable<Charge>>,
    /// What paid it, since 2025-03-31; left out of events.
    #[serde(default)]
    payments: Option<Payments>,
    /// Shown to the customer.
    #[serde(default, deserialize_with = "fields::text")]
    pub description: Option<String>,
    /// What UpCoach put there.
    #[serde(default, deserialize_with = "fields::metadata")]
    pub metadata: BTreeMap<String, String>,
    /// When it has to be paid, if it is sent to the customer.
    #[serde(default, with = "time::serde::timestamp::option")]
    pub due_date: Option<OffsetDateTime>,
    /// When it came to which state.
    #[serde(default)]
    status_transitions: StatusTransitions,
    /// When it was made.
    #[serde(with = "time::serde::timestamp")]
    pub created: OffsetDateTime,
}

/// Where an invoice stands, in Stripe's own words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum InvoiceStatus {
    Draft,
    Open,
    Paid,
    Void,
    Uncollectible,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
struct StatusTransitions {
    #[serde(default, with = "time::serde::timestamp::option")]
    paid_at: Option<OffsetDateTime>,
}

#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
struct Parent {
    #[serde(default)]
    subscription_details: Option<SubscriptionDetails>,
}

#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
struct SubscriptionDetails {
    #[serde(default)]
    subscription: Option<Expandable<Subscription>>,
}

#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
struct Payments {
    data: Vec<InvoicePayment>,
}

/// One payment of an invoice.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct InvoicePayment {
    /// Of which invoice.
    pub invoice: Expandable<Invoice>,
    /// What was paid, in Stripe's units of `currency`; null while open.
    #[serde(default)]
    pub amount_paid: Option<i64>,
    /// Three lower-case letters.
    #[serde(deserialize_with = "fields::currency")]
    pub currency: String,
    /// `open`, `paid` or `canceled`.
    pub status: String,
    /// What paid.
    pub payment: PaidBy,
    /// When it was made.
    #[serde(with = "time::serde::timestamp")]
    pub created: OffsetDateTime,
}

/// What paid an invoice.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct PaidBy {
    #[serde(default)]
    payment_intent: Option<Expandable<PaymentIntent>>,
    #[serde(default)]
    charge: Option<Expandable<Charge>>,
}

impl PaidBy {
    /// The payment intent, if it was one.
    #[must_use]
    pub fn payment_intent_id(&self) -> Option<&PaymentIntentId> {
        self.payment_intent.as_ref().map(Expandable::id)
    }

    /// The charge, if it was one without payment intent.
    #[must_use]
    pub fn charge_id(&self) -> Option<&ChargeId> {
        self.charge.as_ref().map(Expandable::id)
    }
}

impl Invoice {
    /// Id of the customer, if it has one.
    #[must_use]
    pub fn customer_id(&self) -> Option<&CustomerId> {
        self.customer.as_ref().map(Expandable::id)
    }

    /// Id of the subscription that it bills, in whichever place the API version has it.
    #[must_use]
    pub fn subscription_id(&self) -> Option<&SubscriptionId> {
        let in_parent = || self.parent.as_ref()?.subscription_details.as_ref()?.subscription.as_ref();
        self.subscription.as_ref().or_else(in_parent).map(Expandable::id)
    }

    /// The payment intent that pays it, where this event tells.
    #[must_use]
    pub fn payment_intent_id(&self) -> Option<&PaymentIntentId> {
        let paid = || self.paid_by().and_then(PaidBy::payment_intent_id);
        self.payment_intent.as_ref().map(Expandable::id).or_else(paid)
    }

    /// The charge that pays it, where this event tells.
    #[must_use]
    pub fn charge_id(&self) -> Option<&ChargeId> {
        let paid = || self.paid_by().and_then(PaidBy::charge_id);
        self.charge.as_ref().map(Expandable::id).or_else(paid)
    }

    /// When it was paid, if it is.
    #[must_use]
    pub fn paid_at(&self) -> Option<OffsetDateTime> {
        self.status_transitions.paid_at
    }

    /// The one payment that is listed: of several this can't tell which is meant, and each has an event of its own.
    fn paid_by(&self) -> Option<&PaidBy> {
        match self.payments.as_ref()?.data.as_slice() {
            [only] => Some(&only.payment),
            _ => None,
        }
    }
}

impl Identified for Invoice {
    type Id = InvoiceId;

    fn id(&self) -> &InvoiceId {
        &self.id
    }
}
