//! Table `audit.epochs`. An epoch begins with the system and after each restore from backup.

use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(schema_name = "audit", table_name = "epochs")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub epoch: i32,
    pub began_at: TimeDateTimeWithTimeZone,
    #[sea_orm(column_type = "VarBinary(StringLen::None)")]
    pub restored_head: Option<Vec<u8>>,
    #[sea_orm(column_type = "Text")]
    pub note: Option<String>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
