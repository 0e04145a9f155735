//! Table `sync.stray_writes`. A 2xx that came for a lost lease.

use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(schema_name = "sync", table_name = "stray_writes")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    pub sync_id: Uuid,
    #[sea_orm(column_type = "Text")]
    pub target_id: String,
    pub generation: i32,
    pub lease_owner: Uuid,
    pub happened_at: TimeDateTimeWithTimeZone,
    pub settled_at: Option<TimeDateTimeWithTimeZone>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
