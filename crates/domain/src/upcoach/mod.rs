//! UpCoach's records as its schema holds them: the columns that the integration reads. Amounts are in Stripe's units, currencies in either
//! case, as stored; nothing is checked or changed until it is mapped.

mod invoice;
mod mode;
mod report;
#[cfg(test)]
pub(crate) mod samples;
mod subscription;
mod transaction;
mod user;

pub use invoice::{Invoice, InvoiceOrigin, InvoiceStatus};
pub use mode::UpcoachMode;
pub use report::{FinancialReport, ReportPeriod};
pub use subscription::{BillingInterval, Plan, Subscription, SubscriptionStatus};
pub use transaction::{Transaction, TransactionStatus, TransactionType};
pub use user::User;
