//! Table `reconciliation.slices`. A part of a run's window, paged on its own.

use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(schema_name = "reconciliation", table_name = "slices")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub run_id: Uuid,
    #[sea_orm(primary_key, auto_increment = false)]
    pub entity_type: super::super::sync::kinds::EntityType,
    #[sea_orm(primary_key, auto_increment = false)]
    pub slice_from: TimeDateTimeWithTimeZone,
    pub slice_to: TimeDateTimeWithTimeZone,
    pub owner: Uuid,
    pub status: super::kinds::SliceStatus,
    #[sea_orm(column_type = "Text")]
    pub cursor: Option<String>,
    pub restarts: i32,
    pub records: i64,
    pub pages: i64,
    #[sea_orm(column_type = "Text")]
    pub error: Option<String>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
