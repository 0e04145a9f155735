//! The configured scope.

use domain::EntityType;
use serde::Deserialize;

/// Which types are kept in step.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Scope {
    transactions: bool,
    subscriptions: bool,
    customers: bool,
    invoices: bool,
    financial_reports: bool,
}

impl Default for Scope {
    fn default() -> Self {
        Self { transactions: true, subscriptions: true, customers: true, invoices: false, financial_reports: false }
    }
}

impl Scope {
    /// Whether records of this type are sent for their own sake.
    #[must_use]
    pub const fn holds(self, kind: EntityType) -> bool {
        match kind {
            EntityType::Transaction => self.transactions,
            EntityType::Subscription => self.subscriptions,
            EntityType::Customer => self.customers,
            EntityType::Invoice => self.invoices,
            EntityType::FinancialReport => self.financial_reports,
        }
    }
}
