//! Table `sync.stripe_reads`. An object that is to be read from Stripe's API.

use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(schema_name = "sync", table_name = "stripe_reads")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false, column_type = "Text")]
    pub what: String,
    #[sea_orm(primary_key, auto_increment = false, column_type = "Text")]
    pub object_id: String,
    #[sea_orm(primary_key, auto_increment = false)]
    pub as_of: TimeDateTimeWithTimeZone,
    pub livemode: bool,
    pub due_at: TimeDateTimeWithTimeZone,
    pub attempts: i32,
    #[sea_orm(column_type = "Text")]
    pub error: Option<String>,
    pub created_at: TimeDateTimeWithTimeZone,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
