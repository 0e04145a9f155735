//! Stripe's dispute: a bank takes a payment back, or asks about it.

use serde::Deserialize;
use time::OffsetDateTime;

use super::charge::Charge;
use super::expandable::{Expandable, Identified};
use super::fields;
use super::ids::{ChargeId, DisputeId, PaymentIntentId};
use super::payment_intent::PaymentIntent;

/// A dispute.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Dispute {
    /// `dp_...` or `du_...`
    pub id: DisputeId,
    /// What is disputed, in Stripe's units of `currency`.
    pub amount: i64,
    /// Three lower-case letters.
    #[serde(deserialize_with = "fields::currency")]
    pub currency: String,
    /// Where it stands.
    pub status: DisputeStatus,
    /// Of which charge.
    #[serde(default)]
    pub charge: Option<Expandable<Charge>>,
    /// Of which payment.
    #[serde(default)]
    pub payment_intent: Option<Expandable<PaymentIntent>>,
    /// `fraudulent`, `product_not_received`, ...
    #[serde(default, deserialize_with = "fields::text")]
    pub reason: Option<String>,
    /// When it was made.
    #[serde(with = "time::serde::timestamp")]
    pub created: OffsetDateTime,
}

/// Where a dispute stands, in Stripe's own words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DisputeStatus {
    /// An inquiry: no money has moved.
    WarningNeedsResponse,
    /// An inquiry that has been answered.
    WarningUnderReview,
    /// An inquiry that came to nothing.
    WarningClosed,
    NeedsResponse,
    UnderReview,
    /// Closed because the charge was refunded.
    ChargeRefunded,
    /// Settled before it became one.
    Prevented,
    Won,
    Lost,
    /// One that Stripe has added since.
    #[serde(other)]
    Other,
}

impl Dispute {
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

impl Identified for Dispute {
    type Id = DisputeId;

    fn id(&self) -> &DisputeId {
        &self.id
    }
}
