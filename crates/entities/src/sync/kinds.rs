//! The enum types of schema `sync`, label for label.

use sea_orm::entity::prelude::*;
use serde::{Deserialize, Serialize};

/// `sync.batch_kind`
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EnumIter, DeriveActiveEnum, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[sea_orm(rs_type = "String", db_type = "Enum", enum_name = "batch_kind")]
pub enum BatchKind {
    #[sea_orm(string_value = "full_sync")]
    FullSync,
    #[sea_orm(string_value = "bulk_retry")]
    BulkRetry,
    #[sea_orm(string_value = "bulk_skip")]
    BulkSkip,
    #[sea_orm(string_value = "import")]
    Import,
}

/// `sync.batch_result`
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EnumIter, DeriveActiveEnum, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[sea_orm(rs_type = "String", db_type = "Enum", enum_name = "batch_result")]
pub enum BatchResult {
    #[sea_orm(string_value = "done")]
    Done,
    #[sea_orm(string_value = "failed")]
    Failed,
    #[sea_orm(string_value = "skipped")]
    Skipped,
}

/// `sync.batch_status`
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EnumIter, DeriveActiveEnum, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[sea_orm(rs_type = "String", db_type = "Enum", enum_name = "batch_status")]
pub enum BatchStatus {
    #[sea_orm(string_value = "pending")]
    Pending,
    #[sea_orm(string_value = "running")]
    Running,
    #[sea_orm(string_value = "completed")]
    Completed,
    #[sea_orm(string_value = "failed")]
    Failed,
    #[sea_orm(string_value = "cancelled")]
    Cancelled,
}

/// `sync.entity_type`
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EnumIter, DeriveActiveEnum, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[sea_orm(rs_type = "String", db_type = "Enum", enum_name = "entity_type")]
pub enum EntityType {
    #[sea_orm(string_value = "transaction")]
    Transaction,
    #[sea_orm(string_value = "subscription")]
    Subscription,
    #[sea_orm(string_value = "customer")]
    Customer,
    #[sea_orm(string_value = "invoice")]
    Invoice,
    #[sea_orm(string_value = "financial_report")]
    FinancialReport,
}

/// `sync.gate_state`
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EnumIter, DeriveActiveEnum, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[sea_orm(rs_type = "String", db_type = "Enum", enum_name = "gate_state")]
pub enum GateState {
    #[sea_orm(string_value = "closed")]
    Closed,
    #[sea_orm(string_value = "open")]
    Open,
    #[sea_orm(string_value = "half_open")]
    HalfOpen,
}

/// `sync.origin`
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EnumIter, DeriveActiveEnum, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[sea_orm(rs_type = "String", db_type = "Enum", enum_name = "origin")]
pub enum Origin {
    #[sea_orm(string_value = "adopt")]
    Adopt,
    #[sea_orm(string_value = "job")]
    Job,
    #[sea_orm(string_value = "batch")]
    Batch,
    #[sea_orm(string_value = "change")]
    Change,
    #[sea_orm(string_value = "heal")]
    Heal,
    #[sea_orm(string_value = "manual")]
    Manual,
}

/// `sync.outcome`
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EnumIter, DeriveActiveEnum, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[sea_orm(rs_type = "String", db_type = "Enum", enum_name = "outcome")]
pub enum Outcome {
    #[sea_orm(string_value = "known")]
    Known,
    #[sea_orm(string_value = "unknown")]
    Unknown,
}

/// `sync.source_system`
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EnumIter, DeriveActiveEnum, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[sea_orm(rs_type = "String", db_type = "Enum", enum_name = "source_system")]
pub enum SourceSystem {
    #[sea_orm(string_value = "upcoach")]
    Upcoach,
    #[sea_orm(string_value = "flasherp")]
    Flasherp,
}

/// `sync.sync_status`
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EnumIter, DeriveActiveEnum, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[sea_orm(rs_type = "String", db_type = "Enum", enum_name = "sync_status")]
pub enum SyncStatus {
    #[sea_orm(string_value = "pending")]
    Pending,
    #[sea_orm(string_value = "syncing")]
    Syncing,
    #[sea_orm(string_value = "synced")]
    Synced,
    #[sea_orm(string_value = "failed")]
    Failed,
    #[sea_orm(string_value = "skipped")]
    Skipped,
}
