//! Table `config.erp_configurations`. The single configuration row; a tombstone when `deleted_at` is set. Secrets are ciphertexts.

use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(schema_name = "config", table_name = "erp_configurations")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    pub singleton: bool,
    pub organization_id: Option<Uuid>,
    #[sea_orm(column_type = "Text")]
    pub base_url: String,
    #[sea_orm(column_type = "VarBinary(StringLen::None)")]
    pub api_key_enc: Vec<u8>,
    pub api_key_set_at: TimeDateTimeWithTimeZone,
    #[sea_orm(column_type = "Text")]
    pub api_key_set_by: Option<String>,
    #[sea_orm(column_type = "VarBinary(StringLen::None)")]
    pub api_secret_enc: Vec<u8>,
    pub api_secret_set_at: TimeDateTimeWithTimeZone,
    #[sea_orm(column_type = "Text")]
    pub api_secret_set_by: Option<String>,
    #[sea_orm(column_type = "VarBinary(StringLen::None)")]
    pub webhook_secret_enc: Option<Vec<u8>>,
    pub webhook_secret_set_at: Option<TimeDateTimeWithTimeZone>,
    #[sea_orm(column_type = "Text")]
    pub webhook_secret_set_by: Option<String>,
    pub webhook_secret_last_used_at: Option<TimeDateTimeWithTimeZone>,
    #[sea_orm(column_type = "VarBinary(StringLen::None)")]
    pub previous_webhook_secret_enc: Option<Vec<u8>>,
    pub previous_webhook_secret_until: Option<TimeDateTimeWithTimeZone>,
    pub previous_webhook_secret_last_used_at: Option<TimeDateTimeWithTimeZone>,
    pub is_enabled: bool,
    pub sync_interval_secs: i32,
    pub enable_auto_sync: bool,
    pub enable_webhooks: bool,
    #[sea_orm(column_type = "JsonBinary")]
    pub sync_scope: Json,
    pub conflict_policy: super::kinds::ConflictPolicy,
    pub last_full_sync: Option<TimeDateTimeWithTimeZone>,
    pub last_sync_status: Option<super::kinds::SyncResult>,
    pub health_status: Option<super::kinds::HealthStatus>,
    pub health_check_at: Option<TimeDateTimeWithTimeZone>,
    pub adopted_at: Option<TimeDateTimeWithTimeZone>,
    #[sea_orm(column_type = "JsonBinary")]
    pub metadata: Json,
    pub version: i64,
    pub deleted_at: Option<TimeDateTimeWithTimeZone>,
    #[sea_orm(column_type = "Text")]
    pub deleted_by: Option<String>,
    pub created_at: TimeDateTimeWithTimeZone,
    pub updated_at: TimeDateTimeWithTimeZone,
    #[sea_orm(column_type = "Text")]
    pub updated_by: Option<String>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
