//! Table `ingress.webhook_events`. One received webhook, body as received.

use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(schema_name = "ingress", table_name = "webhook_events")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    pub source: super::kinds::Source,
    #[sea_orm(column_type = "Text")]
    pub event_id: String,
    #[sea_orm(column_type = "Text")]
    pub event_type: String,
    pub status: super::kinds::EventStatus,
    #[sea_orm(column_type = "VarBinary(StringLen::None)")]
    pub body: Option<Vec<u8>>,
    pub body_erased_at: Option<TimeDateTimeWithTimeZone>,
    pub occurred_at: Option<TimeDateTimeWithTimeZone>,
    pub received_at: TimeDateTimeWithTimeZone,
    pub applied_at: Option<TimeDateTimeWithTimeZone>,
    pub due_at: Option<TimeDateTimeWithTimeZone>,
    pub attempts: i32,
    #[sea_orm(column_type = "Text")]
    pub wait_key: Option<String>,
    #[sea_orm(column_type = "Text")]
    pub other_wait_key: Option<String>,
    #[sea_orm(column_type = "Text")]
    pub error_code: Option<String>,
    #[sea_orm(column_type = "Text")]
    pub error: Option<String>,
    #[sea_orm(column_type = "custom(\"inet\")", select_as = "text", save_as = "inet")]
    pub remote_addr: Option<String>,
    #[sea_orm(column_type = "Text")]
    pub user_agent: Option<String>,
    pub request_id: Option<Uuid>,
    #[sea_orm(column_type = "Text")]
    pub traceparent: Option<String>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
