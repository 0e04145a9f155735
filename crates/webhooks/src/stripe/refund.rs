//! Stripe's refund: money of one charge that goes back.

use std::collections::BTreeMap;

use serde::Deserialize;
use time::OffsetDateTime;

use super::charge::Charge;
use super::expandable::{Expandable, Identified};
use super::fields;
use super::ids::{ChargeId, PaymentIntentId, RefundId};
use super::payment_intent::PaymentIntent;

/// A refund.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Refund {
    /// `re_...`, or `pyr_...` for some methods.
    pub id: RefundId,
    /// In Stripe's units of `currency`.
    pub amount: i64,
    /// Three lower-case letters.
    #[serde(deserialize_with = "fields::currency")]
    pub currency: String,
    /// How far it got; null is taken for a success, as it was before Stripe told.
    #[serde(default)]
    pub status: Option<RefundStatus>,
    /// Of which charge.
    #[serde(default)]
    pub charge: Option<Expandable<Charge>>,
    /// Of which payment.
    #[serde(default)]
    pub payment_intent: Option<Expandable<PaymentIntent>>,
    /// `duplicate`, `fraudulent`, `requested_by_customer`, ...
    #[serde(default, deserialize_with = "fields::text")]
    pub reason: Option<String>,
    /// Why it failed, if it did.
    #[serde(default, deserialize_with = "fields::text")]
    pub failure_reason: Option<String>,
    /// What UpCoach put there.
    #[serde(default, deserialize_with = "fields::metadata")]
    pub metadata: BTreeMap<String, String>,
    /// When it was made.
    #[serde(with = "time::serde::timestamp")]
    pub created: OffsetDateTime,
}

/// How far a refund got, in Stripe's own words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RefundStatus {
    Pending,
    RequiresAction,
    Succeeded,
    Failed,
    Canceled,
    /// One that Stripe has added since.
    #[serde(other)]
    Other,
}

impl Refund {
    /// Id of the charge, if it names one.
    #[must_use]
    pub fn charge_id(&self) -> Option<&ChargeId> {
        self.charge.as_ref().map(Expandable::id)
    }

    /// Id of the payment intent, if it names one.
    #[must_use]
    pub fn payment_intent_id(&self) -> Option<&PaymentIntentId> {
        self.payment_intent.as_ref().map(Expandable::id)
    }
}

impl Identified for Refund {
    type Id = RefundId;

    fn id(&self) -> &RefundId {
        &self.id
    }
}
