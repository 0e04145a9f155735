//! Table `config.error_acknowledgements`. A group of failures that somebody has seen to.

use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(schema_name = "config", table_name = "error_acknowledgements")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false, column_type = "Text")]
    pub fingerprint: String,
    pub acknowledged_at: TimeDateTimeWithTimeZone,
    #[sea_orm(column_type = "Text")]
    pub acknowledged_by: String,
    #[sea_orm(column_type = "Text")]
    pub note: Option<String>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
