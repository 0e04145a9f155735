//! Table `sync.batches`. A full sync, bulk job or import, with its progress.

use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(schema_name = "sync", table_name = "batches")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    pub kind: super::kinds::BatchKind,
    pub status: super::kinds::BatchStatus,
    pub entity_types: Vec<super::kinds::EntityType>,
    #[sea_orm(column_type = "JsonBinary")]
    pub filter: Json,
    pub since: Option<TimeDateTimeWithTimeZone>,
    pub force: bool,
    pub total: Option<i64>,
    pub asked: i64,
    pub done: i64,
    pub failed: i64,
    pub skipped: i64,
    #[sea_orm(column_type = "JsonBinary")]
    pub resume_after: Option<Json>,
    #[sea_orm(column_type = "Text")]
    pub idempotency_key: Option<String>,
    #[sea_orm(column_type = "Text")]
    pub requested_by: Option<String>,
    #[sea_orm(column_type = "Text")]
    pub reason: Option<String>,
    #[sea_orm(column_type = "Text")]
    pub error: Option<String>,
    pub created_at: TimeDateTimeWithTimeZone,
    pub started_at: Option<TimeDateTimeWithTimeZone>,
    pub asked_at: Option<TimeDateTimeWithTimeZone>,
    pub finished_at: Option<TimeDateTimeWithTimeZone>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
