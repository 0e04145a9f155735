//! Stripe's balance transaction: what a charge brought and what Stripe kept of it.

use serde::Deserialize;

use super::expandable::Identified;
use super::fields;
use super::ids::BalanceTransactionId;

/// A balance transaction. Its currency is that of UpCoach's account, which may be another than the payment's.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct BalanceTransaction {
    /// `txn_...`
    pub id: BalanceTransactionId,
    /// What Stripe kept, in Stripe's units of `currency`.
    pub fee: i64,
    /// What was left, in Stripe's units of `currency`.
    pub net: i64,
    /// Three lower-case letters.
    #[serde(deserialize_with = "fields::currency")]
    pub currency: String,
}

impl Identified for BalanceTransaction {
    type Id = BalanceTransactionId;

    fn id(&self) -> &BalanceTransactionId {
        &self.id
    }
}
