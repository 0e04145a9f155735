//! A sync as the API shows it: the row without the lease.

use serde::Serialize;
use serde_json::Value;
use sqlx::FromRow;
use sqlx::types::Json;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::labels;
use crate::listing::csv::CsvRow;
use crate::timestamp::Timestamp;

/// What is selected for a [`Sync`] of `sync.for_readers AS r`.
pub(crate) const COLUMNS: &str = "r.id, r.source_system::text, r.source_type::text, r.source_id, r.target_system::text, r.target_id, \
    r.sync_status::text, r.last_sync_attempt, r.last_sync_success, r.sync_duration_ms, r.retry_count, r.next_retry_at, r.error_code, \
    r.error_message, r.error_details, r.http_status, r.origin::text, r.outcome::text, r.unknown_since, r.waits_for, r.waiting_since, \
    r.batch_id, r.skip_reason, r.skipped_by_hand, r.target_created_at, r.target_updated_at, r.metadata, r.created_at, r.updated_at, r.tried_at";

/// The state of one record's sync.
#[derive(Clone, Debug, Serialize, FromRow, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Sync {
    pub id: Uuid,
    /// Where the record comes from.
    #[schema(schema_with = labels::source_system_schema)]
    pub source_system: String,
    #[schema(schema_with = labels::entity_type_schema)]
    pub source_type: String,
    /// The record's id there.
    pub source_id: Uuid,
    #[schema(schema_with = labels::source_system_schema)]
    pub target_system: String,
    /// FlashERP's id of the record, once it has one.
    #[schema(required)]
    pub target_id: Option<String>,
    #[schema(schema_with = labels::sync_status_schema)]
    pub sync_status: String,
    #[schema(required)]
    pub last_sync_attempt: Option<Timestamp>,
    #[schema(required)]
    pub last_sync_success: Option<Timestamp>,
    /// Of the last attempt, in milliseconds.
    #[sqlx(rename = "sync_duration_ms")]
    #[schema(required)]
    pub sync_duration: Option<i32>,
    pub retry_count: i32,
    /// When it is tried again by itself; null: not by itself.
    #[schema(required)]
    pub next_retry_at: Option<Timestamp>,
    /// One of the 24.
    #[schema(required)]
    pub error_code: Option<String>,
    #[schema(required)]
    pub error_message: Option<String>,
    #[schema(required, value_type = Option<Object>)]
    pub error_details: Option<Json<Value>>,
    /// Of the last call that failed.
    #[schema(required)]
    pub http_status: Option<i32>,
    /// Why it was asked for last: `change`, `job`, `manual`, `heal`, `batch` or `adopt`.
    pub origin: String,
    /// `unknown`: it is not known whether FlashERP took the last write; it is looked up before anything is sent.
    pub outcome: String,
    #[schema(required)]
    pub unknown_since: Option<Timestamp>,
    /// The sync of the customer that has to succeed first.
    #[schema(required)]
    pub waits_for: Option<Uuid>,
    /// Since when a wish is unanswered.
    #[schema(required)]
    pub waiting_since: Option<Timestamp>,
    /// The batch that asked last.
    #[schema(required)]
    pub batch_id: Option<Uuid>,
    #[schema(required)]
    pub skip_reason: Option<String>,
    pub skipped_by_hand: bool,
    /// FlashERP's times of its record.
    #[schema(required)]
    pub target_created_at: Option<Timestamp>,
    #[schema(required)]
    pub target_updated_at: Option<Timestamp>,
    #[schema(value_type = Object)]
    pub metadata: Json<Value>,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
    /// Where it stands in the list.
    #[serde(skip)]
    pub tried_at: Timestamp,
}

impl CsvRow for Sync {
    const COLUMNS: &'static [&'static str] = &[
        "id",
        "sourceSystem",
        "sourceType",
        "sourceId",
        "targetSystem",
        "targetId",
        "syncStatus",
        "lastSyncAttempt",
        "lastSyncSuccess",
        "syncDuration",
        "retryCount",
        "nextRetryAt",
        "errorCode",
        "errorMessage",
        "httpStatus",
        "origin",
        "outcome",
        "waitingSince",
        "skipReason",
        "createdAt",
        "updatedAt",
    ];
}
