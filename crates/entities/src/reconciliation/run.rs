//! Table `reconciliation.runs`. A reconciliation run.

use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(schema_name = "reconciliation", table_name = "runs")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    pub status: super::kinds::ReconciliationStatus,
    pub window_from: TimeDateTimeWithTimeZone,
    pub window_to: TimeDateTimeWithTimeZone,
    pub cutoff_secs: i32,
    pub entity_types: Vec<super::super::sync::kinds::EntityType>,
    pub auto_heal: bool,
    #[sea_orm(column_type = "Text")]
    pub idempotency_key: Option<String>,
    #[sea_orm(column_type = "Text")]
    pub requested_by: Option<String>,
    #[sea_orm(column_type = "JsonBinary")]
    pub asked: Option<Json>,
    pub lease_owner: Option<Uuid>,
    pub lease_until: Option<TimeDateTimeWithTimeZone>,
    pub cutoff_at: Option<TimeDateTimeWithTimeZone>,
    #[sea_orm(column_type = "Text")]
    pub basis: Option<String>,
    pub staging: Option<Uuid>,
    pub compared_at: Option<TimeDateTimeWithTimeZone>,
    #[sea_orm(column_type = "JsonBinary")]
    pub totals: Json,
    pub heals_requested: i32,
    pub proven: Option<bool>,
    #[sea_orm(column_type = "Text")]
    pub error: Option<String>,
    pub created_at: TimeDateTimeWithTimeZone,
    pub started_at: Option<TimeDateTimeWithTimeZone>,
    pub finished_at: Option<TimeDateTimeWithTimeZone>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
