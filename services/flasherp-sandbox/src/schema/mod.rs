//! FlashERP's record types and their fields, as `flasherp-api.yaml` declares them: one table that validation, storage, control API and
//! counters read, so that a field can't be known to one of them and unknown to another.

mod amount;
mod document;
mod field;
mod instant;
mod text;
mod validate;

pub use document::{Document, Malformed};
pub use field::{Field, Kind};
pub use instant::{parse as parse_instant, render as render_instant};
pub use text::decode as decode_text;
pub use validate::{Fields, Invalid, Issue, create, update};

use field::{INVOICE_STATUS, SUBSCRIPTION_STATUS, optional, required};

/// One of FlashERP's collections, named as in its paths.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Resource {
    /// `/customers`
    Customers,
    /// `/transactions`
    Transactions,
    /// `/subscriptions`
    Subscriptions,
    /// `/invoices`
    Invoices,
    /// `/metrics`: written only, one record per (period, periodStart, currency)
    Metrics,
}

impl Resource {
    /// Every collection, in the order of the contract.
    pub const ALL: [Resource; 5] =
        [Resource::Customers, Resource::Transactions, Resource::Subscriptions, Resource::Invoices, Resource::Metrics];

    /// The collection's name in paths, of the API and of the control API.
    pub const fn path(self) -> &'static str {
        match self {
            Resource::Customers => "customers",
            Resource::Transactions => "transactions",
            Resource::Subscriptions => "subscriptions",
            Resource::Invoices => "invoices",
            Resource::Metrics => "metrics",
        }
    }

    /// The collection of that path, if there is one.
    pub fn from_path(path: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|resource| resource.path() == path)
    }

    /// What ids of its records start with.
    pub const fn id_prefix(self) -> &'static str {
        match self {
            Resource::Customers => "fcu_",
            Resource::Transactions => "ftx_",
            Resource::Subscriptions => "fsu_",
            Resource::Invoices => "fin_",
            Resource::Metrics => "fme_",
        }
    }

    /// Whether its records carry `id`, `createdAt` and `updatedAt` and can be read back (all but metrics).
    pub const fn is_readable(self) -> bool {
        !matches!(self, Resource::Metrics)
    }

    /// The fields that make two records "the same" to its users: the client's reference, or a report's period. FlashERP keeps them unique
    /// for metrics only.
    pub const fn key_fields(self) -> &'static [&'static str] {
        match self {
            Resource::Metrics => &["period", "periodStart", "currency"],
            _ => &["upcoachReference"],
        }
    }

    /// Its fields, in the order in which they are answered.
    pub const fn fields(self) -> &'static [Field] {
        match self {
            Resource::Customers => CUSTOMER,
            Resource::Transactions => TRANSACTION,
            Resource::Subscriptions => SUBSCRIPTION,
            Resource::Invoices => INVOICE,
            Resource::Metrics => METRICS,
        }
    }

    /// The place of a field in [`Resource::fields`].
    pub fn position(self, name: &str) -> Option<usize> {
        self.fields().iter().position(|field| field.name == name)
    }
}

const CUSTOMER: &[Field] = &[
    required("email", Kind::Email { max: 255 }),
    required("name", Kind::Text { min: 1, max: 255 }),
    required("upcoachReference", Kind::ANY_TEXT),
    optional("stripeCustomerId", Kind::ANY_TEXT),
    optional("metadata", Kind::ANY_OBJECT),
];

const TRANSACTION: &[Field] = &[
    required("customerId", Kind::Customer),
    required("amount", Kind::Amount),
    required("currency", Kind::Currency),
    required("status", Kind::OneOf(&["pending", "completed", "failed", "refunded"])),
    required("type", Kind::OneOf(&["payment", "refund", "adjustment"])),
    optional("paymentMethod", Kind::ANY_TEXT),
    optional("description", Kind::Text { min: 0, max: 500 }),
    required("upcoachReference", Kind::ANY_TEXT),
    optional("stripeTransactionId", Kind::ANY_TEXT),
    optional("metadata", Kind::Object { max_properties: 50 }),
];

const SUBSCRIPTION: &[Field] = &[
    required("customerId", Kind::Customer),
    required("plan", Kind::ANY_TEXT),
    required("status", Kind::OneOf(SUBSCRIPTION_STATUS)),
    required("billingInterval", Kind::OneOf(&["monthly", "quarterly", "yearly"])),
    required("amount", Kind::Amount),
    required("currency", Kind::Currency),
    required("currentPeriodStart", Kind::Instant),
    required("currentPeriodEnd", Kind::Instant),
    optional("canceledAt", Kind::Instant),
    required("upcoachReference", Kind::ANY_TEXT),
    optional("stripeSubscriptionId", Kind::ANY_TEXT),
    optional("metadata", Kind::ANY_OBJECT),
];

const INVOICE: &[Field] = &[
    required("customerId", Kind::Customer),
    required("amount", Kind::Amount),
    required("currency", Kind::Currency),
    required("dueDate", Kind::Instant),
    required("upcoachReference", Kind::ANY_TEXT),
    optional("status", Kind::OneOf(INVOICE_STATUS)).or_else("\"draft\""),
    optional("paidAt", Kind::Instant),
    optional("metadata", Kind::ANY_OBJECT),
];

const METRICS: &[Field] = &[
    required("revenue", Kind::Amount),
    required("costs", Kind::Amount),
    required("profit", Kind::Amount),
    required("mrr", Kind::Amount),
    required("arr", Kind::Amount),
    required("currency", Kind::Currency),
    required("period", Kind::OneOf(&["daily", "weekly", "monthly", "quarterly", "yearly"])),
    required("periodStart", Kind::Instant),
    required("periodEnd", Kind::Instant),
    optional("metadata", Kind::ANY_OBJECT),
];
