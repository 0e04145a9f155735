//! The enum types of schema `config`, label for label.

use sea_orm::entity::prelude::*;
use serde::{Deserialize, Serialize};

/// `config.conflict_policy`
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EnumIter, DeriveActiveEnum, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[sea_orm(rs_type = "String", db_type = "Enum", enum_name = "conflict_policy")]
pub enum ConflictPolicy {
    #[sea_orm(string_value = "newest_wins")]
    NewestWins,
    #[sea_orm(string_value = "upcoach_wins")]
    UpcoachWins,
    #[sea_orm(string_value = "flasherp_wins")]
    FlasherpWins,
}

/// `config.health_status`
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EnumIter, DeriveActiveEnum, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[sea_orm(rs_type = "String", db_type = "Enum", enum_name = "health_status")]
pub enum HealthStatus {
    #[sea_orm(string_value = "healthy")]
    Healthy,
    #[sea_orm(string_value = "degraded")]
    Degraded,
    #[sea_orm(string_value = "down")]
    Down,
}

/// `config.sync_result`
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EnumIter, DeriveActiveEnum, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[sea_orm(rs_type = "String", db_type = "Enum", enum_name = "sync_result")]
pub enum SyncResult {
    #[sea_orm(string_value = "success")]
    Success,
    #[sea_orm(string_value = "partial")]
    Partial,
    #[sea_orm(string_value = "failed")]
    Failed,
}
