//! Table `sync.requests`. A wish that a record be synced; folded into `erp_syncs`.

use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(schema_name = "sync", table_name = "requests")]
pub struct Model {
    #[sea_orm(primary_key)]
    pub id: i64,
    pub entity_type: super::kinds::EntityType,
    pub source_id: Uuid,
    pub origin: super::kinds::Origin,
    pub force: bool,
    pub batch_id: Option<Uuid>,
    pub requested_at: TimeDateTimeWithTimeZone,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
