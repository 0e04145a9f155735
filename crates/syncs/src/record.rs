//! A record of UpCoach's, whichever type it is of, on its way to FlashERP.

use domain::mapping::{self, Field, Fields, MappingError};
use domain::upcoach::{FinancialReport, Invoice, InvoiceOrigin, Subscription, Transaction, User};
use domain::{EntityType, FlashErpId, UserId};
use time::OffsetDateTime;

/// Stands for a customer that is not in FlashERP yet; never shown or sent.
const NO_CUSTOMER: &str = "none";

/// A record of UpCoach's.
#[derive(Debug, Clone)]
pub enum SourceRecord {
    /// A user.
    Customer(User),
    /// A transaction.
    Transaction(Transaction),
    /// A subscription.
    Subscription(Subscription),
    /// An invoice.
    Invoice(Invoice),
    /// A row of `scheduling.reports`.
    Report(FinancialReport),
}

impl SourceRecord {
    /// Whose it is; none for a customer itself, and for what concerns nobody in particular.
    #[must_use]
    pub const fn depends_on(&self) -> Option<UserId> {
        match self {
            Self::Customer(_) | Self::Report(_) => None,
            Self::Transaction(transaction) => Some(transaction.user_id),
            Self::Subscription(subscription) => Some(subscription.user_id),
            Self::Invoice(invoice) => Some(invoice.user_id),
        }
    }

    /// The fields of it that FlashERP's word may change.
    #[must_use]
    pub const fn open(&self) -> &'static [Field] {
        match self {
            Self::Customer(_) => mapping::open_to_flasherp(EntityType::Customer, false),
            Self::Invoice(invoice) => {
                mapping::open_to_flasherp(EntityType::Invoice, invoice.stripe_invoice_id.is_some())
            }
            Self::Transaction(_) => mapping::open_to_flasherp(EntityType::Transaction, false),
            Self::Subscription(_) => mapping::open_to_flasherp(EntityType::Subscription, false),
            Self::Report(_) => mapping::open_to_flasherp(EntityType::FinancialReport, false),
        }
    }

    /// Whether FlashERP is to tell it by our reference. An invoice that finance made there has one of finance's own.
    #[must_use]
    pub fn bears_our_reference(&self) -> bool {
        !matches!(self, Self::Invoice(invoice) if invoice.origin == InvoiceOrigin::Flasherp)
    }

    /// When it was born: Stripe's `created`, else UpCoach's.
    #[must_use]
    pub const fn born(&self) -> OffsetDateTime {
        match self {
            Self::Customer(user) => user.created_at,
            Self::Transaction(transaction) => transaction.created_at,
            Self::Subscription(subscription) => subscription.created_at,
            Self::Invoice(invoice) => invoice.created_at,
            Self::Report(report) => report.period_end,
        }
    }

    /// When UpCoach changed it last; of a report, never.
    #[must_use]
    pub const fn updated_at(&self) -> Option<OffsetDateTime> {
        match self {
            Self::Customer(user) => Some(user.updated_at),
            Self::Transaction(transaction) => Some(transaction.updated_at),
            Self::Subscription(subscription) => Some(subscription.updated_at),
            Self::Invoice(invoice) => Some(invoice.updated_at),
            Self::Report(_) => None,
        }
    }

    /// As FlashERP is to hold it. Without `customer`, of one that depends on a customer, all but that.
    ///
    /// # Errors
    /// It can't be told to FlashERP as it is.
    pub fn map_without_customer(&self, customer: Option<&FlashErpId>) -> Result<Fields, MappingError> {
        if customer.is_some() || self.depends_on().is_none() {
            return self.map(customer).unwrap_or_else(|| Ok(Fields::new()));
        }
        let nobody = FlashErpId::new(NO_CUSTOMER.to_owned()).ok();
        let mut wanted = self.map(nobody.as_ref()).unwrap_or_else(|| Ok(Fields::new()))?;
        wanted.remove(&Field::CustomerId);
        Ok(wanted)
    }

    /// As FlashERP is to hold it; none when it depends on a customer and there is none. `customer` is FlashERP's id of whom it depends on; a customer needs none.
    ///
    /// # Errors
    /// It can't be told to FlashERP as it is.
    #[must_use]
    pub fn map(&self, customer: Option<&FlashErpId>) -> Option<Result<Fields, MappingError>> {
        Some(match (self, customer) {
            (Self::Customer(user), _) => mapping::customer(user),
            (Self::Report(report), _) => mapping::financial_report(report),
            (Self::Transaction(transaction), Some(customer)) => mapping::transaction(transaction, customer),
            (Self::Subscription(subscription), Some(customer)) => mapping::subscription(subscription, customer),
            (Self::Invoice(invoice), Some(customer)) => mapping::invoice(invoice, customer),
            (Self::Transaction(_) | Self::Subscription(_) | Self::Invoice(_), None) => return None,
        })
    }
}
