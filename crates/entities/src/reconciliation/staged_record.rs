//! Table `reconciliation.staging`, the pattern of each run's own table: a FlashERP record as paged, reduced to what is compared.

use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(schema_name = "reconciliation", table_name = "staging")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub entity_type: super::super::sync::kinds::EntityType,
    #[sea_orm(primary_key, auto_increment = false, column_type = "Text")]
    pub target_id: String,
    pub source_id: Option<Uuid>,
    pub slice_from: TimeDateTimeWithTimeZone,
    pub target_created_at: TimeDateTimeWithTimeZone,
    pub target_updated_at: TimeDateTimeWithTimeZone,
    #[sea_orm(column_type = "VarBinary(StringLen::None)")]
    pub marks: Vec<u8>,
    #[sea_orm(column_type = "Text")]
    pub currency: Option<String>,
    pub minor: Option<i64>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
