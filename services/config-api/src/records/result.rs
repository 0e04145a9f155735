//! What came of a sync that was asked for, as the caller is told.

use domain::SyncId;
use serde::Serialize;
use serde_json::Value;
use time::OffsetDateTime;
use utoipa::ToSchema;
use uuid::Uuid;

use super::manual::advice;
use super::row::Sync;
use crate::labels;
use crate::timestamp::Timestamp;

/// Why a sync failed.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Failure {
    /// One of the 24.
    #[schema(schema_with = labels::error_code_schema)]
    pub code: String,
    pub message: String,
    #[schema(required, value_type = Option<Object>)]
    pub details: Option<Value>,
}

/// What came of a sync.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct SyncResult {
    /// Whether FlashERP holds the record's newest state, or it was left out on purpose.
    pub success: bool,
    #[schema(schema_with = labels::sync_status_schema)]
    pub status: String,
    pub sync_id: Uuid,
    #[schema(required)]
    pub target_id: Option<String>,
    pub message: String,
    pub skipped: bool,
    #[schema(required)]
    pub error: Option<Failure>,
    /// Of the attempt, in milliseconds.
    #[schema(required)]
    pub duration: Option<u64>,
    pub timestamp: Timestamp,
}

impl SyncResult {
    pub(super) fn of(sync: SyncId) -> Self {
        Self {
            success: false,
            status: "syncing".to_owned(),
            sync_id: sync.as_uuid(),
            target_id: None,
            message: String::new(),
            skipped: false,
            error: None,
            duration: None,
            timestamp: Timestamp(OffsetDateTime::now_utc()),
        }
    }

    pub(super) fn under_way(sync: SyncId, message: &str) -> Self {
        Self { message: message.to_owned(), ..Self::of(sync) }
    }

    /// Of a row that rests.
    pub(super) fn of_row(row: &Sync) -> Self {
        let failed = row.sync_status == "failed";
        let skipped = row.sync_status == "skipped";
        let code = row.error_code.clone().unwrap_or_else(|| "UNKNOWN_ERROR".to_owned());
        let message = match row.sync_status.as_str() {
            "synced" => "both sides are in step",
            "skipped" => "left out",
            _ => advice(Some(&code)),
        };
        Self {
            success: !failed,
            status: row.sync_status.clone(),
            target_id: row.target_id.clone(),
            message: message.to_owned(),
            skipped,
            error: failed.then(|| Failure {
                message: row.error_message.clone().unwrap_or_else(|| advice(Some(&code)).to_owned()),
                code,
                details: row.error_details.as_ref().map(|details| details.0.clone()),
            }),
            duration: row.sync_duration.and_then(|duration| u64::try_from(duration).ok()),
            ..Self::of(SyncId(row.id))
        }
    }
}
