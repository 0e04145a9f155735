//! Table `audit.seal_leaves`. What a seal is over, row by row, in pieces.

use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(schema_name = "audit", table_name = "seal_leaves")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub seal: i64,
    #[sea_orm(primary_key, auto_increment = false)]
    pub piece: i32,
    #[sea_orm(column_type = "VarBinary(StringLen::None)")]
    pub leaves: Vec<u8>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
