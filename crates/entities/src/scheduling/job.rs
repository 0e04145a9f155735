//! Table `scheduling.jobs`. A scheduled job.

use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(schema_name = "scheduling", table_name = "jobs")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false, column_type = "Text")]
    pub name: String,
    #[sea_orm(column_type = "Text")]
    pub cron: Option<String>,
    pub interval_secs: Option<i32>,
    #[sea_orm(column_type = "Text")]
    pub time_zone: String,
    pub next_run_at: TimeDateTimeWithTimeZone,
    #[sea_orm(column_type = "Text", nullable)]
    pub planned_schedule: Option<String>,
    pub paused_at: Option<TimeDateTimeWithTimeZone>,
    #[sea_orm(column_type = "Text")]
    pub paused_by: Option<String>,
    #[sea_orm(column_type = "Text")]
    pub pause_reason: Option<String>,
    #[sea_orm(column_type = "Text")]
    pub requested_by: Option<String>,
    #[sea_orm(column_type = "JsonBinary")]
    pub resume_after: Json,
    pub updated_at: TimeDateTimeWithTimeZone,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
