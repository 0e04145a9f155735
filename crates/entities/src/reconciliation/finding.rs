//! Table `reconciliation.findings`. A difference that a run found, or a double that a worker met.

use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(schema_name = "reconciliation", table_name = "findings")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    pub run_id: Option<Uuid>,
    pub class: super::kinds::FindingClass,
    pub entity_type: super::super::sync::kinds::EntityType,
    pub source_id: Option<Uuid>,
    pub sync_id: Option<Uuid>,
    #[sea_orm(column_type = "Text")]
    pub target_id: Option<String>,
    #[sea_orm(column_type = "Text")]
    pub field: Option<String>,
    #[sea_orm(column_type = "JsonBinary")]
    pub ours: Option<Json>,
    #[sea_orm(column_type = "JsonBinary")]
    pub theirs: Option<Json>,
    #[sea_orm(column_type = "JsonBinary")]
    pub difference: Option<Json>,
    pub decision: super::kinds::Decision,
    pub decided_at: Option<TimeDateTimeWithTimeZone>,
    #[sea_orm(column_type = "Text")]
    pub decided_by: Option<String>,
    #[sea_orm(column_type = "Text")]
    pub note: Option<String>,
    pub created_at: TimeDateTimeWithTimeZone,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
