//! `upcoach.invoices`: what is billed, by Stripe or by finance in FlashERP.

use time::OffsetDateTime;

use crate::{
    ids::{FlashErpId, InvoiceId, SubscriptionId, TransactionId, UserId},
    labels::labels,
};

labels! {
    /// Where an invoice was born.
    pub enum InvoiceOrigin {
        /// At Stripe, through UpCoach.
        Upcoach => "upcoach",
        /// In FlashERP.
        Flasherp => "flasherp",
    }
}

labels! {
    /// An invoice's state, the same on both sides.
    pub enum InvoiceStatus {
        /// Not final.
        Draft => "draft",
        /// To be paid.
        Open => "open",
        /// Paid.
        Paid => "paid",
        /// Withdrawn.
        Void => "void",
        /// Given up.
        Uncollectible => "uncollectible",
    }
}

/// A row of `upcoach.invoices`. The amount is in Stripe's units of `currency`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Invoice {
    /// Its id, FlashERP's `upcoachReference`.
    pub id: InvoiceId,
    /// Whose.
    pub user_id: UserId,
    /// Of which subscription.
    pub subscription_id: Option<SubscriptionId>,
    /// The transaction it bills.
    pub transaction_id: Option<TransactionId>,
    /// `in_...`
    pub stripe_invoice_id: Option<String>,
    /// FlashERP's id, where it told of it first.
    pub flasherp_invoice_id: Option<FlashErpId>,
    /// Where it was born.
    pub origin: InvoiceOrigin,
    /// Its state.
    pub status: InvoiceStatus,
    /// How much.
    pub amount: i64,
    /// ISO 4217, either case.
    pub currency: String,
    /// Stripe's due date.
    pub due_date: Option<OffsetDateTime>,
    /// When it was paid.
    pub paid_at: Option<OffsetDateTime>,
    /// The invoice's own date: Stripe's `created`, else when the row was made.
    pub created_at: OffsetDateTime,
    /// When the row last changed.
    pub updated_at: OffsetDateTime,
}
