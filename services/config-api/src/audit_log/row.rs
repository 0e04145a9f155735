//! An audit row as the API shows it.

use serde::Serialize;
use serde_json::Value;
use sqlx::FromRow;
use sqlx::types::Json;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::labels;
use crate::listing::csv::CsvRow;
use crate::timestamp::Timestamp;

/// What is selected for an [`AuditLog`] of `audit.erp_audit_logs AS r`.
pub(crate) const COLUMNS: &str = "r.id, r.action::text, r.entity_type, r.entity_id, r.erp_sync_id, r.status::text, r.request_payload, \
    r.response_payload, r.error_details, r.duration_ms, host(r.ip_address) AS ip_address, r.user_agent, r.performed_by, r.request_id, \
    r.metadata, r.created_at";

/// The actions, as the column has them.
pub(super) const ACTIONS: &[&str] = &["sync", "webhook_received", "config_updated", "manual_sync", "health_check"];
/// The statuses, as the column has them.
pub(super) const STATUSES: &[&str] = &["initiated", "success", "failed"];

pub(super) fn actions() -> utoipa::openapi::Object {
    labels::words(ACTIONS.iter().copied())
}

pub(super) fn statuses() -> utoipa::openapi::Object {
    labels::words(STATUSES.iter().copied())
}

/// Something that was done, and can't be changed any more.
#[derive(Clone, Debug, Serialize, FromRow, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct AuditLog {
    pub id: Uuid,
    #[schema(schema_with = actions)]
    pub action: String,
    pub entity_type: String,
    #[schema(required)]
    pub entity_id: Option<String>,
    #[schema(required)]
    pub erp_sync_id: Option<Uuid>,
    /// `initiated`: begun, or sent without an answer.
    #[schema(schema_with = statuses)]
    pub status: String,
    /// Without secrets and personal data, like the response.
    #[schema(required, value_type = Option<Object>)]
    pub request_payload: Option<Json<Value>>,
    /// Of a change by hand: its `before` and `after`.
    #[schema(required, value_type = Option<Object>)]
    pub response_payload: Option<Json<Value>>,
    #[schema(required, value_type = Option<Object>)]
    pub error_details: Option<Json<Value>>,
    /// In milliseconds.
    #[sqlx(rename = "duration_ms")]
    #[schema(required)]
    pub duration: Option<i32>,
    #[schema(required)]
    pub ip_address: Option<String>,
    #[schema(required)]
    pub user_agent: Option<String>,
    #[schema(required)]
    pub performed_by: Option<String>,
    #[schema(required)]
    pub request_id: Option<Uuid>,
    /// `operation` says what it was more closely.
    #[schema(value_type = Object)]
    pub metadata: Json<Value>,
    pub created_at: Timestamp,
}

impl CsvRow for AuditLog {
    const COLUMNS: &'static [&'static str] = &[
        "createdAt",
        "id",
        "action",
        "status",
        "entityType",
        "entityId",
        "erpSyncId",
        "performedBy",
        "ipAddress",
        "userAgent",
        "requestId",
        "duration",
        "requestPayload",
        "responsePayload",
        "errorDetails",
        "metadata",
    ];
}
