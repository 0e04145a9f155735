//! Table `audit.erp_audit_logs`. One audited call, webhook, change or action. Read by primary key (created_at, id).

use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(schema_name = "audit", table_name = "erp_audit_logs")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    pub action: super::kinds::Action,
    #[sea_orm(column_type = "Text")]
    pub entity_type: String,
    #[sea_orm(column_type = "Text")]
    pub entity_id: Option<String>,
    pub erp_sync_id: Option<Uuid>,
    pub status: super::kinds::Status,
    #[sea_orm(column_type = "JsonBinary")]
    pub request_payload: Option<Json>,
    #[sea_orm(column_type = "JsonBinary")]
    pub response_payload: Option<Json>,
    #[sea_orm(column_type = "JsonBinary")]
    pub error_details: Option<Json>,
    pub duration_ms: Option<i32>,
    #[sea_orm(column_type = "custom(\"inet\")", select_as = "text", save_as = "inet")]
    pub ip_address: Option<String>,
    #[sea_orm(column_type = "Text")]
    pub user_agent: Option<String>,
    #[sea_orm(column_type = "Text")]
    pub performed_by: Option<String>,
    pub request_id: Option<Uuid>,
    #[sea_orm(column_type = "JsonBinary")]
    pub metadata: Json,
    #[sea_orm(primary_key, auto_increment = false)]
    pub created_at: TimeDateTimeWithTimeZone,
    #[sea_orm(column_type = "custom(\"xid8\")", select_as = "text", save_as = "xid8")]
    pub xid: String,
    pub epoch: i32,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
