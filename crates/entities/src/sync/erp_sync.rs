//! Table `sync.erp_syncs`. State of one record's sync. Id: UUIDv5 of (source system, source type, source id).

use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(schema_name = "sync", table_name = "erp_syncs")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    pub source_system: super::kinds::SourceSystem,
    pub source_type: super::kinds::EntityType,
    pub source_id: Uuid,
    pub target_system: super::kinds::SourceSystem,
    #[sea_orm(column_type = "Text")]
    pub target_id: Option<String>,
    pub sync_status: super::kinds::SyncStatus,
    pub last_sync_attempt: Option<TimeDateTimeWithTimeZone>,
    pub last_sync_success: Option<TimeDateTimeWithTimeZone>,
    pub sync_duration_ms: Option<i32>,
    pub retry_count: i32,
    pub next_retry_at: Option<TimeDateTimeWithTimeZone>,
    #[sea_orm(column_type = "Text")]
    pub error_code: Option<String>,
    #[sea_orm(column_type = "Text")]
    pub error_message: Option<String>,
    #[sea_orm(column_type = "JsonBinary")]
    pub error_details: Option<Json>,
    pub http_status: Option<i32>,
    pub origin: super::kinds::Origin,
    pub force: bool,
    pub batch_id: Option<Uuid>,
    pub requested: i64,
    pub taken: i64,
    /// The counter at the last claim that began from a known outcome.
    pub taken_known: i64,
    pub restarted_at: Option<TimeDateTimeWithTimeZone>,
    pub waiting_since: Option<TimeDateTimeWithTimeZone>,
    pub due_at: Option<TimeDateTimeWithTimeZone>,
    pub lease_owner: Option<Uuid>,
    pub lease_until: Option<TimeDateTimeWithTimeZone>,
    pub claimed_at: Option<TimeDateTimeWithTimeZone>,
    pub waits_for: Option<Uuid>,
    pub not_before: Option<TimeDateTimeWithTimeZone>,
    pub outcome: super::kinds::Outcome,
    pub unknown_since: Option<TimeDateTimeWithTimeZone>,
    pub settle_until: Option<TimeDateTimeWithTimeZone>,
    pub generation: i32,
    #[sea_orm(column_type = "JsonBinary")]
    pub base_payload: Option<Json>,
    pub target_created_at: Option<TimeDateTimeWithTimeZone>,
    pub target_updated_at: Option<TimeDateTimeWithTimeZone>,
    #[sea_orm(column_type = "Text")]
    pub skip_reason: Option<String>,
    pub skipped_by_hand: bool,
    #[sea_orm(column_type = "JsonBinary")]
    pub metadata: Json,
    pub created_at: TimeDateTimeWithTimeZone,
    pub updated_at: TimeDateTimeWithTimeZone,
    /// Its last attempt, and before the first its birth: made by the database.
    pub tried_at: TimeDateTimeWithTimeZone,
    /// Of its kind of failure: made by the database.
    #[sea_orm(column_type = "Text")]
    pub error_fingerprint: Option<String>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
