//! A row of `upcoach.transactions`, as Stripe feeds it: a payment, a refund or a chargeback.

use domain::upcoach::TransactionType;
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use uuid::Uuid;

use super::books::Row;
use super::chargeback::DisputeTold;
use super::keys;
use super::newest::Newest;
use super::payment::{BestCharge, ChargeTold, IntentTold, InvoiceTold, Own};
use super::refund::RefundTold;

/// The row. Amounts are in Stripe's units of `currency`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, sqlx::FromRow)]
pub(crate) struct Transaction {
    pub(crate) id: Uuid,
    pub(crate) user_id: Uuid,
    pub(crate) subscription_id: Option<Uuid>,
    pub(crate) stripe_transaction_id: Option<String>,
    #[serde(rename = "type")]
    #[sqlx(rename = "type")]
    pub(crate) kind: String,
    pub(crate) status: String,
    pub(crate) amount: i64,
    pub(crate) currency: String,
    pub(crate) payment_method: Option<String>,
    pub(crate) description: Option<String>,
    pub(crate) stripe_invoice_id: Option<String>,
    pub(crate) stripe_charge_id: Option<String>,
    pub(crate) stripe_refund_id: Option<String>,
    pub(crate) original_id: Option<Uuid>,
    pub(crate) failure_reason: Option<String>,
    pub(crate) refunded_amount: i64,
    pub(crate) fee: Option<i64>,
    pub(crate) net: Option<i64>,
    #[sqlx(json)]
    pub(crate) stripe_facts: TransactionFacts,
    #[serde(with = "time::serde::rfc3339")]
    pub(crate) created_at: OffsetDateTime,
}

/// What Stripe's objects told of it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct TransactionFacts {
    /// What the row said before Stripe told anything: it was imported, or is UpCoach's own.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) own: Option<Own>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) payment_intent: Option<Newest<IntentTold>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) charge: Option<Newest<ChargeTold, BestCharge>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) invoice: Option<Newest<InvoiceTold>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) refund: Option<Newest<RefundTold>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) dispute: Option<Newest<DisputeTold>>,
}

impl Transaction {
    /// A new row, pending and of nothing, to be filled from its facts.
    pub(crate) fn new(
        id: Uuid,
        user_id: Uuid,
        kind: TransactionType,
        currency: &str,
        created_at: OffsetDateTime,
    ) -> Self {
        Self {
            id,
            user_id,
            subscription_id: None,
            stripe_transaction_id: None,
            kind: kind.as_str().to_owned(),
            status: domain::upcoach::TransactionStatus::Pending.as_str().to_owned(),
            amount: 0,
            currency: currency.to_owned(),
            payment_method: None,
            description: None,
            stripe_invoice_id: None,
            stripe_charge_id: None,
            stripe_refund_id: None,
            original_id: None,
            failure_reason: None,
            refunded_amount: 0,
            fee: None,
            net: None,
            stripe_facts: TransactionFacts::default(),
            created_at,
        }
    }

    /// Whether money went back by it.
    pub(crate) fn is_refund(&self) -> bool {
        self.kind == TransactionType::Refund.as_str()
    }

    /// Whether it is a payment, rather than what belongs to one.
    pub(crate) fn is_payment(&self) -> bool {
        self.kind == TransactionType::Payment.as_str()
    }
}

impl Row for Transaction {
    fn id(&self) -> Uuid {
        self.id
    }

    fn names(&self) -> Vec<(String, String)> {
        let mut names = Vec::new();
        if let Some(id) = &self.stripe_transaction_id {
            names.push((id.clone(), keys::payment(id)));
            names.push((id.clone(), keys::payer_of(id)));
        }
        if let (true, Some(charge)) = (self.is_payment(), &self.stripe_charge_id) {
            names.push((charge.clone(), keys::payment(charge)));
        }
        if let Some(refund) = &self.stripe_refund_id {
            names.push((refund.clone(), keys::payment(refund)));
        }
        names
    }
}
