//! Table `sync.outbound_gate`. The gate that every call to FlashERP passes: one row.

use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(schema_name = "sync", table_name = "outbound_gate")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub singleton: bool,
    pub state: super::kinds::GateState,
    pub failures: i32,
    pub failed_records: Vec<Uuid>,
    pub health_failed: bool,
    pub opened_at: Option<TimeDateTimeWithTimeZone>,
    pub retry_at: Option<TimeDateTimeWithTimeZone>,
    pub probe_owner: Option<Uuid>,
    pub probe_until: Option<TimeDateTimeWithTimeZone>,
    pub last_probe: Option<Uuid>,
    pub not_before: Option<TimeDateTimeWithTimeZone>,
    #[sea_orm(column_type = "Text")]
    pub not_before_reason: Option<String>,
    #[sea_orm(column_type = "Text")]
    pub stopped_reason: Option<String>,
    pub stopped_at: Option<TimeDateTimeWithTimeZone>,
    pub stopped_version: Option<i64>,
    pub paused_at: Option<TimeDateTimeWithTimeZone>,
    #[sea_orm(column_type = "Text")]
    pub paused_by: Option<String>,
    #[sea_orm(column_type = "Text")]
    pub pause_reason: Option<String>,
    pub next_grant_at: Option<TimeDateTimeWithTimeZone>,
    pub version: i64,
    pub updated_at: TimeDateTimeWithTimeZone,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
