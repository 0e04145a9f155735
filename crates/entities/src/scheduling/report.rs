//! Table `scheduling.reports`. A financial report; minor units of ISO 4217.

use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(schema_name = "scheduling", table_name = "reports")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    pub period: super::kinds::ReportPeriod,
    pub period_start: TimeDateTimeWithTimeZone,
    pub period_end: TimeDateTimeWithTimeZone,
    #[sea_orm(column_type = "Text")]
    pub currency: String,
    pub revenue: i64,
    pub costs: i64,
    pub profit: i64,
    pub mrr: i64,
    pub arr: i64,
    pub fees_incomplete: bool,
    pub revision: i32,
    pub created_at: TimeDateTimeWithTimeZone,
    pub updated_at: TimeDateTimeWithTimeZone,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
