//! One webhook with its payload and what was done about it.

use serde::Serialize;
use serde_json::value::RawValue;
use sqlx::{FromRow, PgPool};
use utoipa::ToSchema;
use uuid::Uuid;

use super::list::{COLUMNS, Webhook};
use crate::audit_log::{AuditLog, filter};

/// Attempts shown.
const ATTEMPTS: i64 = 100;

/// An event, its payload and its attempts.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct WebhookDetails {
    pub webhook: Webhook,
    /// As it was received, every digit kept; null where it is no JSON or was erased.
    #[schema(required, value_type = Option<Object>)]
    pub payload: Option<Box<RawValue>>,
    /// Where it is no JSON: as text.
    #[schema(required)]
    pub payload_text: Option<String>,
    /// Audit rows, newest first, 100 at most.
    pub attempts: Vec<AuditLog>,
}

#[derive(FromRow)]
struct Row {
    #[sqlx(flatten)]
    webhook: Webhook,
    body: Option<Vec<u8>>,
}

/// Reads it; none when there is none of this id.
///
/// # Errors
/// The database.
pub async fn one(pool: &PgPool, id: Uuid) -> Result<Option<WebhookDetails>, sqlx::Error> {
    let statement = format!("SELECT {COLUMNS}, r.body FROM ingress.for_config_api AS r WHERE r.id = $1");
    let row: Option<Row> = sqlx::query_as(sqlx::AssertSqlSafe(statement)).bind(id).fetch_optional(pool).await?;
    let Some(Row { webhook, body }) = row else { return Ok(None) };
    let text = body.map(|body| String::from_utf8_lossy(&body).into_owned());
    let (payload, payload_text) = match text.map(|text| RawValue::from_string(text.clone()).map_err(|_| text)) {
        None => (None, None),
        Some(Ok(payload)) => (Some(payload), None),
        Some(Err(text)) => (None, Some(text)),
    };
    let attempts = filter::of_entity(pool, &id.to_string(), ATTEMPTS).await?;
    Ok(Some(WebhookDetails { webhook, payload, payload_text, attempts }))
}
