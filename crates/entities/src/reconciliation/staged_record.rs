//! Table `reconciliation.staging`. A FlashERP record as paged by a run.

use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(schema_name = "reconciliation", table_name = "staging")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub run_id: Uuid,
    #[sea_orm(primary_key, auto_increment = false)]
    pub entity_type: super::super::sync::kinds::EntityType,
    #[sea_orm(primary_key, auto_increment = false, column_type = "Text")]
    pub target_id: String,
    #[sea_orm(column_type = "Text")]
    pub upcoach_reference: Option<String>,
    pub slice_from: TimeDateTimeWithTimeZone,
    pub target_created_at: TimeDateTimeWithTimeZone,
    pub target_updated_at: TimeDateTimeWithTimeZone,
    #[sea_orm(column_type = "JsonBinary")]
    pub record: Json,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
