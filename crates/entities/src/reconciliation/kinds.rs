//! The enum types of schema `reconciliation`, label for label.

use sea_orm::entity::prelude::*;
use serde::{Deserialize, Serialize};

/// `reconciliation.decision`
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EnumIter, DeriveActiveEnum, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[sea_orm(rs_type = "String", db_type = "Enum", enum_name = "decision")]
pub enum Decision {
    #[sea_orm(string_value = "open")]
    Open,
    #[sea_orm(string_value = "healing")]
    Healing,
    #[sea_orm(string_value = "healed")]
    Healed,
    #[sea_orm(string_value = "accepted")]
    Accepted,
    #[sea_orm(string_value = "ignored")]
    Ignored,
}

/// `reconciliation.finding_class`
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EnumIter, DeriveActiveEnum, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[sea_orm(rs_type = "String", db_type = "Enum", enum_name = "finding_class")]
pub enum FindingClass {
    #[sea_orm(string_value = "missing_in_flasherp")]
    MissingInFlasherp,
    #[sea_orm(string_value = "missing_in_upcoach")]
    MissingInUpcoach,
    #[sea_orm(string_value = "mismatch")]
    Mismatch,
    #[sea_orm(string_value = "duplicate_in_flasherp")]
    DuplicateInFlasherp,
    #[sea_orm(string_value = "orphaned_sync")]
    OrphanedSync,
    #[sea_orm(string_value = "pending_sync")]
    PendingSync,
    #[sea_orm(string_value = "failed_sync")]
    FailedSync,
    #[sea_orm(string_value = "skipped_sync")]
    SkippedSync,
    #[sea_orm(string_value = "unknown_sync")]
    UnknownSync,
}

/// `reconciliation.reconciliation_status`
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EnumIter, DeriveActiveEnum, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[sea_orm(rs_type = "String", db_type = "Enum", enum_name = "reconciliation_status")]
pub enum ReconciliationStatus {
    #[sea_orm(string_value = "pending")]
    Pending,
    #[sea_orm(string_value = "running")]
    Running,
    #[sea_orm(string_value = "completed")]
    Completed,
    #[sea_orm(string_value = "incomplete")]
    Incomplete,
    #[sea_orm(string_value = "failed")]
    Failed,
}

/// `reconciliation.slice_status`
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EnumIter, DeriveActiveEnum, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[sea_orm(rs_type = "String", db_type = "Enum", enum_name = "slice_status")]
pub enum SliceStatus {
    #[sea_orm(string_value = "pending")]
    Pending,
    #[sea_orm(string_value = "running")]
    Running,
    #[sea_orm(string_value = "done")]
    Done,
    #[sea_orm(string_value = "failed")]
    Failed,
}

/// `reconciliation.suspicion`
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EnumIter, DeriveActiveEnum, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[sea_orm(rs_type = "String", db_type = "Enum", enum_name = "suspicion")]
pub enum Suspicion {
    #[sea_orm(string_value = "pair")]
    Pair,
    #[sea_orm(string_value = "ours")]
    Ours,
    #[sea_orm(string_value = "theirs")]
    Theirs,
    #[sea_orm(string_value = "duplicate")]
    Duplicate,
    #[sea_orm(string_value = "orphan")]
    Orphan,
}
