//! The enum types of schema `ingress`, label for label.

use sea_orm::entity::prelude::*;
use serde::{Deserialize, Serialize};

/// `ingress.event_status`
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EnumIter, DeriveActiveEnum, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[sea_orm(rs_type = "String", db_type = "Enum", enum_name = "event_status")]
pub enum EventStatus {
    #[sea_orm(string_value = "received")]
    Received,
    #[sea_orm(string_value = "applied")]
    Applied,
    #[sea_orm(string_value = "parked")]
    Parked,
    #[sea_orm(string_value = "ignored")]
    Ignored,
    #[sea_orm(string_value = "quarantined")]
    Quarantined,
    #[sea_orm(string_value = "failed")]
    Failed,
}

/// `ingress.source`
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EnumIter, DeriveActiveEnum, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[sea_orm(rs_type = "String", db_type = "Enum", enum_name = "source")]
pub enum Source {
    #[sea_orm(string_value = "stripe")]
    Stripe,
    #[sea_orm(string_value = "flasherp")]
    Flasherp,
}
