//! A financial report: figures of a period in one currency, in ISO's minor units (they are computed here, not stored by Stripe).

use iso_currency::Currency;
use time::OffsetDateTime;

use crate::labels::labels;

labels! {
    /// How long a report's period is.
    pub enum ReportPeriod {
        /// A day.
        Daily => "daily",
        /// A week.
        Weekly => "weekly",
        /// A month.
        Monthly => "monthly",
        /// Three months.
        Quarterly => "quarterly",
        /// A year.
        Yearly => "yearly",
    }
}

/// A row of `scheduling.reports`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FinancialReport {
    /// Of all amounts.
    pub currency: Currency,
    /// Money taken, minor units.
    pub revenue: i64,
    /// Money spent, minor units.
    pub costs: i64,
    /// Revenue less costs, minor units.
    pub profit: i64,
    /// Monthly recurring revenue, minor units.
    pub mrr: i64,
    /// Annual recurring revenue, minor units.
    pub arr: i64,
    /// The period's length.
    pub period: ReportPeriod,
    /// Its begin.
    pub period_start: OffsetDateTime,
    /// Its end, exclusive.
    pub period_end: OffsetDateTime,
    /// Which of the reports of this period and currency it is, from 1.
    pub revision: i32,
    /// What makes the figures incomplete, in words; none when they are whole.
    pub incomplete: Option<String>,
}

impl FinancialReport {
    /// The currency of an upper-case ISO 4217 code; none for what is none.
    #[must_use]
    pub fn currency_of(code: &str) -> Option<Currency> {
        Currency::from_code(code)
    }
}
