//! Table `audit.seals`. A seal over the rows of a range of transaction ids, chained to the one before.

use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(schema_name = "audit", table_name = "seals")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub number: i64,
    pub epoch: i32,
    #[sea_orm(column_type = "custom(\"xid8\")", select_as = "text", save_as = "xid8")]
    pub from_xid: String,
    #[sea_orm(column_type = "custom(\"xid8\")", select_as = "text", save_as = "xid8")]
    pub until_xid: String,
    pub row_count: i64,
    #[sea_orm(column_type = "VarBinary(StringLen::None)")]
    pub rows_sha256: Vec<u8>,
    #[sea_orm(column_type = "VarBinary(StringLen::None)")]
    pub previous_head: Vec<u8>,
    #[sea_orm(column_type = "VarBinary(StringLen::None)")]
    pub head: Vec<u8>,
    pub sealed_at: TimeDateTimeWithTimeZone,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
