//! `upcoach.transactions`: money that moved, or should have.

use time::OffsetDateTime;

use crate::{
    ids::{SubscriptionId, TransactionId, UserId},
    labels::labels,
};

labels! {
    /// What kind of movement.
    pub enum TransactionType {
        /// A customer paid.
        Payment => "payment",
        /// Money went back.
        Refund => "refund",
        /// A correction.
        Adjustment => "adjustment",
        /// A disputed payment.
        Chargeback => "chargeback",
        /// Stripe paid UpCoach out.
        Payout => "payout",
    }
}

labels! {
    /// How far it got.
    pub enum TransactionStatus {
        /// Not decided.
        Pending => "pending",
        /// Moved.
        Completed => "completed",
        /// Did not move.
        Failed => "failed",
        /// Moved and went back whole.
        Refunded => "refunded",
        /// Moved and went back in part.
        PartiallyRefunded => "partially_refunded",
    }
}

/// A row of `upcoach.transactions`. Amounts are in Stripe's units of `currency`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Transaction {
    /// Its id, FlashERP's `upcoachReference`.
    pub id: TransactionId,
    /// Whose.
    pub user_id: UserId,
    /// Of which subscription.
    pub subscription_id: Option<SubscriptionId>,
    /// `pi_...`, else `ch_...`.
    pub stripe_transaction_id: Option<String>,
    /// Its kind.
    pub kind: TransactionType,
    /// Its state.
    pub status: TransactionStatus,
    /// How much.
    pub amount: i64,
    /// ISO 4217, either case.
    pub currency: String,
    /// `card`, `sepa_debit` ...
    pub payment_method: Option<String>,
    /// In words.
    pub description: Option<String>,
    /// `in_...`
    pub stripe_invoice_id: Option<String>,
    /// `ch_...`
    pub stripe_charge_id: Option<String>,
    /// `re_...`
    pub stripe_refund_id: Option<String>,
    /// Why it failed.
    pub failure_reason: Option<String>,
    /// How much of it went back.
    pub refunded_amount: Option<i64>,
    /// Stripe's fee.
    pub fee: Option<i64>,
    /// What is left after it.
    pub net: Option<i64>,
    /// Stripe's `created`, else when the row was made.
    pub created_at: OffsetDateTime,
    /// When the row last changed.
    pub updated_at: OffsetDateTime,
}
