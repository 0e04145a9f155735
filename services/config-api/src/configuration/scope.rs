//! Which entity types are kept in step, as the row and the API write it.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::input::{Fields, FromFields};

/// A switch per type.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct SyncScope {
    #[schema(required)]
    pub transactions: bool,
    #[schema(required)]
    pub subscriptions: bool,
    #[schema(required)]
    pub customers: bool,
    #[schema(required)]
    pub invoices: bool,
    #[schema(required)]
    pub financial_reports: bool,
}

impl Default for SyncScope {
    /// The table's own default.
    fn default() -> Self {
        Self { transactions: true, subscriptions: true, customers: true, invoices: false, financial_reports: false }
    }
}

impl SyncScope {
    /// The names of the types that are in.
    #[must_use]
    pub fn names(self) -> Vec<&'static str> {
        let all = [
            ("transactions", self.transactions),
            ("subscriptions", self.subscriptions),
            ("customers", self.customers),
            ("invoices", self.invoices),
            ("financialReports", self.financial_reports),
        ];
        all.into_iter().filter(|(_, is_in)| *is_in).map(|(name, _)| name).collect()
    }
}

/// Some of the switches; the others stay as they are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ScopeChange {
    #[schema(nullable = false)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub transactions: Option<bool>,
    #[schema(nullable = false)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub subscriptions: Option<bool>,
    #[schema(nullable = false)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub customers: Option<bool>,
    #[schema(nullable = false)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub invoices: Option<bool>,
    #[schema(nullable = false)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub financial_reports: Option<bool>,
}

impl ScopeChange {
    /// The scope after it.
    #[must_use]
    pub fn applied_to(self, scope: SyncScope) -> SyncScope {
        SyncScope {
            transactions: self.transactions.unwrap_or(scope.transactions),
            subscriptions: self.subscriptions.unwrap_or(scope.subscriptions),
            customers: self.customers.unwrap_or(scope.customers),
            invoices: self.invoices.unwrap_or(scope.invoices),
            financial_reports: self.financial_reports.unwrap_or(scope.financial_reports),
        }
    }
}

impl FromFields for ScopeChange {
    fn read(fields: &mut Fields) -> Self {
        Self {
            transactions: fields.flag("transactions"),
            subscriptions: fields.flag("subscriptions"),
            customers: fields.flag("customers"),
            invoices: fields.flag("invoices"),
            financial_reports: fields.flag("financialReports"),
        }
    }
}
