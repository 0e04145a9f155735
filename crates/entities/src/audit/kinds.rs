//! The enum types of schema `audit`, label for label.

use sea_orm::entity::prelude::*;
use serde::{Deserialize, Serialize};

/// `audit.action`
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EnumIter, DeriveActiveEnum, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[sea_orm(rs_type = "String", db_type = "Enum", enum_name = "action")]
pub enum Action {
    #[sea_orm(string_value = "sync")]
    Sync,
    #[sea_orm(string_value = "webhook_received")]
    WebhookReceived,
    #[sea_orm(string_value = "config_updated")]
    ConfigUpdated,
    #[sea_orm(string_value = "manual_sync")]
    ManualSync,
    #[sea_orm(string_value = "health_check")]
    HealthCheck,
}

/// `audit.status`
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EnumIter, DeriveActiveEnum, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[sea_orm(rs_type = "String", db_type = "Enum", enum_name = "status")]
pub enum Status {
    #[sea_orm(string_value = "initiated")]
    Initiated,
    #[sea_orm(string_value = "success")]
    Success,
    #[sea_orm(string_value = "failed")]
    Failed,
}
