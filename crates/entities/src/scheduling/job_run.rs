//! Table `scheduling.job_runs`. One firing of a job.

use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(schema_name = "scheduling", table_name = "job_runs")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    #[sea_orm(column_type = "Text")]
    pub job_name: String,
    pub scheduled_for: TimeDateTimeWithTimeZone,
    pub status: super::kinds::JobRunStatus,
    pub started_at: TimeDateTimeWithTimeZone,
    pub finished_at: Option<TimeDateTimeWithTimeZone>,
    pub lease_owner: Option<Uuid>,
    pub lease_until: Option<TimeDateTimeWithTimeZone>,
    #[sea_orm(column_type = "Text")]
    pub requested_by: Option<String>,
    pub instance: Option<Uuid>,
    #[sea_orm(column_type = "JsonBinary")]
    pub result: Option<Json>,
    #[sea_orm(column_type = "Text")]
    pub error: Option<String>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
