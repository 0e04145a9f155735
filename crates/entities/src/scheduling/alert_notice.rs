//! Table `scheduling.alert_notices`. What is to be sent of an alert, by which way.

use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(schema_name = "scheduling", table_name = "alert_notices")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub alert_id: Uuid,
    #[sea_orm(primary_key, auto_increment = false)]
    pub ended: bool,
    #[sea_orm(primary_key, auto_increment = false, column_type = "Text")]
    pub channel: String,
    pub due_at: Option<TimeDateTimeWithTimeZone>,
    pub attempts: i32,
    pub sent_at: Option<TimeDateTimeWithTimeZone>,
    #[sea_orm(column_type = "Text", nullable)]
    pub error: Option<String>,
    pub created_at: TimeDateTimeWithTimeZone,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
