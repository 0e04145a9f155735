//! Table `audit.archives`. Months of the log that were exported whole.

use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(schema_name = "audit", table_name = "archives")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false, column_type = "Text")]
    pub partition: String,
    pub rows_from: TimeDateTimeWithTimeZone,
    pub rows_until: TimeDateTimeWithTimeZone,
    pub row_count: i64,
    #[sea_orm(column_type = "VarBinary(StringLen::None)")]
    pub file_sha256: Vec<u8>,
    #[sea_orm(column_type = "VarBinary(StringLen::None)")]
    pub head: Vec<u8>,
    pub archived_at: TimeDateTimeWithTimeZone,
    #[sea_orm(column_type = "Text")]
    pub archived_by: String,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
