//! `alert.raised`: something needs a human, or no longer does.
//!
//! For the panel; Slack and e-mail are sent from the row. Stated by the transaction that writes `scheduling.alerts`.

use domain::EntityType;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::{EventType, Fact, wire};

/// What the alert is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum AlertKind {
    /// Health is not healthy.
    Health,
    /// More syncs fail than should.
    FailureRate,
    /// The breaker is open, or everything is stopped.
    Circuit,
    /// Too many syncs wait for their retry.
    RetryQueue,
    /// A reconciliation found differences, or is not proven.
    Discrepancies,
    /// FlashERP holds a record more than once.
    Duplicate,
    /// Both sides say different things of a record.
    SyncConflict,
    /// FlashERP says that a payment failed.
    PaymentFailed,
    /// A dispute wants to be looked at.
    Dispute,
    /// A job failed.
    Job,
}

impl AlertKind {
    /// All of them.
    pub const ALL: [Self; 10] = [
        Self::Health,
        Self::FailureRate,
        Self::Circuit,
        Self::RetryQueue,
        Self::Discrepancies,
        Self::Duplicate,
        Self::SyncConflict,
        Self::PaymentFailed,
        Self::Dispute,
        Self::Job,
    ];

    /// The name on the wire and in the database.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Health => "health",
            Self::FailureRate => "failure_rate",
            Self::Circuit => "circuit",
            Self::RetryQueue => "retry_queue",
            Self::Discrepancies => "discrepancies",
            Self::Duplicate => "duplicate",
            Self::SyncConflict => "sync_conflict",
            Self::PaymentFailed => "payment_failed",
            Self::Dispute => "dispute",
            Self::Job => "job",
        }
    }
}

impl Severity {
    /// The name on the wire and in the database.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Info => "info",
            Self::Warning => "warning",
            Self::Critical => "critical",
        }
    }
}

/// How urgent it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// To be looked at some day.
    Info,
    /// To be looked at today.
    Warning,
    /// To be looked at now.
    Critical,
}

/// Whether it still holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum AlertState {
    /// It holds.
    Raised,
    /// It is over.
    Resolved,
}

/// A row of `scheduling.alerts` that is new or over.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct AlertRaised {
    /// The alert; the same id when it is resolved.
    pub alert_id: Uuid,
    /// What it is about.
    pub kind: AlertKind,
    /// How urgent it is.
    pub severity: Severity,
    /// Whether it still holds.
    pub state: AlertState,
    /// What was measured (rows, basis points, findings), where it is about a number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<i64>,
    /// What it should not exceed, in the same unit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub threshold: Option<i64>,
    /// The type of the record it is about, where it is about one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "wire::entity_type")]
    pub entity_type: Option<EntityType>,
    /// The id of the record, run, webhook event or sync it is about, where it is about one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reference_id: Option<Uuid>,
}

impl EventType for AlertRaised {
    const TYPE: &'static str = "upcoach.erp.alert.raised.v1";
    const SUBJECTS: &'static str = "alert.raised";
    const SUMMARY: &'static str = "Something needs a human, or (state resolved) no longer does.";

    fn subject(&self) -> String {
        Self::SUBJECTS.to_owned()
    }

    fn about(&self) -> Option<String> {
        Some(format!("alert/{}", self.alert_id))
    }

    fn examples() -> Vec<Self> {
        vec![
            Self {
                alert_id: Uuid::from_u128(1),
                kind: AlertKind::RetryQueue,
                severity: Severity::Warning,
                state: AlertState::Raised,
                value: Some(140),
                threshold: Some(100),
                entity_type: None,
                reference_id: None,
            },
            Self {
                alert_id: Uuid::from_u128(2),
                kind: AlertKind::SyncConflict,
                severity: Severity::Critical,
                state: AlertState::Resolved,
                value: None,
                threshold: None,
                entity_type: Some(EntityType::Transaction),
                reference_id: Some(Uuid::from_u128(3)),
            },
        ]
    }
}

impl Fact for AlertRaised {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_of_a_kind_is_the_one_on_the_wire() {
        for kind in AlertKind::ALL {
            assert_eq!(serde_json::json!(kind), kind.as_str());
        }
        for severity in [Severity::Info, Severity::Warning, Severity::Critical] {
            assert_eq!(serde_json::json!(severity), severity.as_str());
        }
    }
}
