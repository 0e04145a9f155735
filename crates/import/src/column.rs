//! The fields that each type may have: what a line calls them, what the table does, and what they hold.

use domain::EntityType;
use domain::upcoach::{BillingInterval, InvoiceStatus, Plan, SubscriptionStatus, TransactionStatus, TransactionType};

/// A field of a record.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Column {
    /// In files, as in the admin API.
    pub(crate) name: &'static str,
    /// In the table; files may use it too.
    pub(crate) column: &'static str,
    pub(crate) kind: Kind,
    pub(crate) is_required: bool,
}

/// What a field holds.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Kind {
    Uuid,
    /// So many characters at most.
    Text(usize),
    /// One of these words.
    Label(fn() -> Vec<&'static str>),
    /// In Stripe's units.
    Amount {
        may_be_negative: bool,
    },
    /// ISO 4217, either case.
    Currency,
    /// RFC 3339.
    Time,
}

const ANY_LENGTH: usize = usize::MAX;
const STRIPE_ID: Kind = Kind::Text(255);
const AMOUNT: Kind = Kind::Amount { may_be_negative: true };
const POSITIVE: Kind = Kind::Amount { may_be_negative: false };

macro_rules! labels_of {
    ($type:ty) => {
        Kind::Label(|| <$type>::ALL.iter().map(|label| label.as_str()).collect())
    };
}

const fn required(name: &'static str, column: &'static str, kind: Kind) -> Column {
    Column { name, column, kind, is_required: true }
}

const fn optional(name: &'static str, column: &'static str, kind: Kind) -> Column {
    Column { name, column, kind, is_required: false }
}

const ID: Column = required("id", "id", Kind::Uuid);
const USER: Column = required("userId", "user_id", Kind::Uuid);
const SUBSCRIPTION: Column = optional("subscriptionId", "subscription_id", Kind::Uuid);
const CUSTOMER: Column = optional("stripeCustomerId", "stripe_customer_id", STRIPE_ID);
const INVOICE: Column = optional("stripeInvoiceId", "stripe_invoice_id", STRIPE_ID);
const CURRENCY: Column = required("currency", "currency", Kind::Currency);
const CREATED: Column = optional("createdAt", "created_at", Kind::Time);
const UPDATED: Column = optional("updatedAt", "updated_at", Kind::Time);

const CUSTOMERS: &[Column] = &[
    ID,
    optional("email", "email", Kind::Text(320)),
    optional("name", "name", Kind::Text(1000)),
    CUSTOMER,
    CREATED,
    UPDATED,
];

const SUBSCRIPTIONS: &[Column] = &[
    ID,
    USER,
    optional("stripeSubscriptionId", "stripe_subscription_id", STRIPE_ID),
    CUSTOMER,
    required("plan", "plan", labels_of!(Plan)),
    required("status", "status", labels_of!(SubscriptionStatus)),
    required("billingInterval", "billing_interval", labels_of!(BillingInterval)),
    required("amount", "amount", POSITIVE),
    CURRENCY,
    optional("trialStart", "trial_start", Kind::Time),
    optional("trialEnd", "trial_end", Kind::Time),
    optional("currentPeriodStart", "current_period_start", Kind::Time),
    optional("currentPeriodEnd", "current_period_end", Kind::Time),
    optional("canceledAt", "canceled_at", Kind::Time),
    CREATED,
    UPDATED,
];

const TRANSACTIONS: &[Column] = &[
    ID,
    USER,
    SUBSCRIPTION,
    optional("stripeTransactionId", "stripe_transaction_id", STRIPE_ID),
    required("type", "type", labels_of!(TransactionType)),
    required("status", "status", labels_of!(TransactionStatus)),
    required("amount", "amount", AMOUNT),
    CURRENCY,
    optional("paymentMethod", "payment_method", Kind::Text(255)),
    optional("description", "description", Kind::Text(ANY_LENGTH)),
    INVOICE,
    optional("stripeChargeId", "stripe_charge_id", STRIPE_ID),
    optional("stripeRefundId", "stripe_refund_id", STRIPE_ID),
    optional("failureReason", "failure_reason", Kind::Text(ANY_LENGTH)),
    optional("refundedAmount", "refunded_amount", POSITIVE),
    optional("fee", "fee", AMOUNT),
    optional("net", "net", AMOUNT),
    CREATED,
    UPDATED,
];

const INVOICES: &[Column] = &[
    ID,
    USER,
    SUBSCRIPTION,
    optional("transactionId", "transaction_id", Kind::Uuid),
    INVOICE,
    required("status", "status", labels_of!(InvoiceStatus)),
    required("amount", "amount", AMOUNT),
    CURRENCY,
    optional("dueDate", "due_date", Kind::Time),
    optional("paidAt", "paid_at", Kind::Time),
    CREATED,
    UPDATED,
];

/// The columns of a type; none of one that can't be imported.
pub(crate) const fn columns(kind: EntityType) -> Option<&'static [Column]> {
    match kind {
        EntityType::Customer => Some(CUSTOMERS),
        EntityType::Subscription => Some(SUBSCRIPTIONS),
        EntityType::Transaction => Some(TRANSACTIONS),
        EntityType::Invoice => Some(INVOICES),
        EntityType::FinancialReport => None,
    }
}

/// The column that a file calls so.
pub(crate) fn named(columns: &'static [Column], name: &str) -> Option<&'static Column> {
    columns.iter().find(|column| column.name == name || column.column == name)
}

/// All names, for whoever wrote another.
pub(crate) fn names(columns: &[Column]) -> String {
    columns.iter().map(|column| column.name).collect::<Vec<_>>().join(", ")
}
