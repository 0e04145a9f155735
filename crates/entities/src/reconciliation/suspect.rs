//! Table `reconciliation.suspects`. What a run found to differ and has yet to read again.

use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(schema_name = "reconciliation", table_name = "suspects")]
pub struct Model {
    #[sea_orm(primary_key)]
    pub id: i64,
    #[sea_orm(primary_key, auto_increment = false)]
    pub run_id: Uuid,
    pub entity_type: super::super::sync::kinds::EntityType,
    pub suspicion: super::kinds::Suspicion,
    pub source_id: Option<Uuid>,
    #[sea_orm(column_type = "Text")]
    pub target_id: Option<String>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
