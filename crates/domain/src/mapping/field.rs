//! The names of FlashERP's fields, and what each holds.

use crate::labels::labels;

labels! {
    /// A field that we write to FlashERP or read from it.
    pub enum Field {
        /// FlashERP's id of the customer.
        CustomerId => "customerId",
        /// Our id of the record.
        UpcoachReference => "upcoachReference",
        /// E-mail address.
        Email => "email",
        /// Name.
        Name => "name",
        /// `cus_...`
        StripeCustomerId => "stripeCustomerId",
        /// Amount in major units.
        Amount => "amount",
        /// ISO 4217, upper case.
        Currency => "currency",
        /// State.
        Status => "status",
        /// Kind of transaction.
        Type => "type",
        /// Means of payment.
        PaymentMethod => "paymentMethod",
        /// In words.
        Description => "description",
        /// `pi_...` or `ch_...`
        StripeTransactionId => "stripeTransactionId",
        /// Plan.
        Plan => "plan",
        /// monthly, quarterly, yearly.
        BillingInterval => "billingInterval",
        /// Begin of the paid period.
        CurrentPeriodStart => "currentPeriodStart",
        /// End of the paid period.
        CurrentPeriodEnd => "currentPeriodEnd",
        /// When a subscription was cancelled.
        CanceledAt => "canceledAt",
        /// `sub_...`
        StripeSubscriptionId => "stripeSubscriptionId",
        /// When an invoice is due.
        DueDate => "dueDate",
        /// When it was paid.
        PaidAt => "paidAt",
        /// Money taken.
        Revenue => "revenue",
        /// Money spent.
        Costs => "costs",
        /// Revenue less costs.
        Profit => "profit",
        /// Monthly recurring revenue.
        Mrr => "mrr",
        /// Annual recurring revenue.
        Arr => "arr",
        /// Length of a report's period.
        Period => "period",
        /// Its begin.
        PeriodStart => "periodStart",
        /// Its end.
        PeriodEnd => "periodEnd",
        /// What has no field of its own. A PUT replaces it whole.
        Metadata => "metadata",
    }
}

/// What a field holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FieldKind {
    /// A text.
    Text,
    /// A number in major units.
    Decimal,
    /// An instant.
    Time,
    /// A JSON object.
    Object,
}

impl Field {
    /// What it holds.
    #[must_use]
    pub const fn kind(self) -> FieldKind {
        match self {
            Self::Amount | Self::Revenue | Self::Costs | Self::Profit | Self::Mrr | Self::Arr => FieldKind::Decimal,
            Self::CurrentPeriodStart
            | Self::CurrentPeriodEnd
            | Self::CanceledAt
            | Self::DueDate
            | Self::PaidAt
            | Self::PeriodStart
            | Self::PeriodEnd => FieldKind::Time,
            Self::Metadata => FieldKind::Object,
            Self::CustomerId
            | Self::UpcoachReference
            | Self::Email
            | Self::Name
            | Self::StripeCustomerId
            | Self::Currency
            | Self::Status
            | Self::Type
            | Self::PaymentMethod
            | Self::Description
            | Self::StripeTransactionId
            | Self::Plan
            | Self::BillingInterval
            | Self::StripeSubscriptionId
            | Self::Period => FieldKind::Text,
        }
    }

    /// Whether FlashERP takes null for it, which clears it. The others are required.
    #[must_use]
    pub const fn clearable(self) -> bool {
        matches!(
            self,
            Self::StripeCustomerId
                | Self::PaymentMethod
                | Self::Description
                | Self::StripeTransactionId
                | Self::StripeSubscriptionId
                | Self::CanceledAt
                | Self::PaidAt
                | Self::Metadata
        )
    }

    /// Whether a difference in it alone is worth a PUT. FlashERP sets `canceledAt` by its own clock: it is sent, never compared.
    #[must_use]
    pub const fn compared(self) -> bool {
        !matches!(self, Self::CanceledAt)
    }
}
