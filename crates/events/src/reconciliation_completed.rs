//! `reconciliation.completed`: a run ended.
//!
//! For callers that wait for a report, the panel, and the scheduler's alert on discrepancies. Stated by the transaction
//! that closes the run. Counts only: the findings are read from the run.

use domain::EntityType;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use uuid::Uuid;

use crate::{EventType, Fact, timestamp, wire};

/// How a run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ReconciliationStatus {
    /// Everything in the window was compared.
    Completed,
    /// A slice failed: nothing is said of what is missing.
    Incomplete,
    /// Nothing could be compared.
    Failed,
}

/// The counts of one entity type.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct EntityCounts {
    /// The type.
    #[schemars(schema_with = "wire::entity_type")]
    pub entity_type: EntityType,
    /// Records compared.
    pub checked: u64,
    /// Records in step.
    pub matched: u64,
    /// Records of ours that FlashERP doesn't have.
    pub missing_in_flasherp: u64,
    /// FlashERP's records that UpCoach doesn't have.
    pub missing_in_upcoach: u64,
    /// Records with a field that differs.
    pub mismatched: u64,
    /// Records that FlashERP holds more than once.
    pub duplicates: u64,
    /// Sync rows without their record.
    pub orphaned: u64,
}

/// A run of the reconciler that has ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ReconciliationCompleted {
    /// The run.
    pub run_id: Uuid,
    /// How it ended.
    pub status: ReconciliationStatus,
    /// The start of the window, included.
    #[serde(with = "timestamp")]
    #[schemars(schema_with = "timestamp::schema")]
    pub from: OffsetDateTime,
    /// The end of the window, not included.
    #[serde(with = "timestamp")]
    #[schemars(schema_with = "timestamp::schema")]
    pub to: OffsetDateTime,
    /// Whether the control totals add up exactly, in every currency.
    pub proven: bool,
    /// Findings of all types that nobody had decided on in an earlier run.
    pub discrepancies: u64,
    /// Findings for which a healing sync was asked.
    pub heals_requested: u64,
    /// Per type in scope.
    pub counts: Vec<EntityCounts>,
    /// From start to end, in milliseconds.
    pub duration_ms: u64,
}

impl EventType for ReconciliationCompleted {
    const TYPE: &'static str = "upcoach.erp.reconciliation.completed.v1";
    const SUBJECTS: &'static str = "reconciliation.completed";
    const SUMMARY: &'static str = "A reconciliation ended; says how many differences of which kind there are.";

    fn subject(&self) -> String {
        Self::SUBJECTS.to_owned()
    }

    fn about(&self) -> Option<String> {
        Some(format!("reconciliation/{}", self.run_id))
    }

    fn examples() -> Vec<Self> {
        vec![Self {
            run_id: Uuid::from_u128(1),
            status: ReconciliationStatus::Completed,
            from: OffsetDateTime::UNIX_EPOCH,
            to: OffsetDateTime::UNIX_EPOCH + time::Duration::days(90),
            proven: true,
            discrepancies: 1,
            heals_requested: 0,
            counts: vec![EntityCounts {
                entity_type: EntityType::Transaction,
                checked: 10,
                matched: 9,
                missing_in_flasherp: 1,
                missing_in_upcoach: 0,
                mismatched: 0,
                duplicates: 0,
                orphaned: 0,
            }],
            duration_ms: 1_234,
        }]
    }
}

impl Fact for ReconciliationCompleted {}
