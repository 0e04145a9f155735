//! Outbound work paused and resumed by hand: syncs wait, webhooks are still taken and applied.
//!
//! The gate's row, the fact and the audit row are one transaction. Pausing what is paused changes nothing, and the audit row says so.

use domain::RequestId;
use flasherp::gate::by_hand;
use serde::Serialize;
use serde_json::{Value, json};
use service::http::ApiError;
use sqlx::PgConnection;
use time::OffsetDateTime;
use utoipa::ToSchema;

use crate::audit::{Action, Entry};
use crate::input::{Fields, FromFields};
use crate::timestamp::Timestamp;
use crate::{Actor, State};

/// Why; at most so many characters.
const LONGEST_REASON: usize = 500;

/// Why something is paused.
#[derive(Clone, Debug, ToSchema)]
#[schema(as = PauseRequest)]
pub struct Reason {
    /// For whoever finds it paused.
    #[schema(min_length = 1, max_length = 500)]
    pub reason: String,
}

impl FromFields for Reason {
    fn read(fields: &mut Fields) -> Self {
        if !fields.has("reason") {
            fields.wrong("reason", "is needed");
        }
        Self { reason: reason(fields).unwrap_or_default() }
    }
}

/// Why, if somebody wants to say.
#[derive(Clone, Debug, ToSchema)]
#[schema(as = OptionalReason)]
pub struct MaybeReason {
    /// For whoever reads the audit log.
    #[schema(nullable = false, min_length = 1, max_length = 500)]
    pub reason: Option<String>,
}

impl FromFields for MaybeReason {
    fn read(fields: &mut Fields) -> Self {
        Self { reason: reason(fields) }
    }
}

fn reason(fields: &mut Fields) -> Option<String> {
    fields.text_of("reason", 1..=LONGEST_REASON)
}

/// How it stands with outbound work.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Pause {
    /// Whether it is paused by hand now.
    pub paused: bool,
    #[schema(required)]
    pub paused_at: Option<Timestamp>,
    #[schema(required)]
    pub paused_by: Option<String>,
    #[schema(required)]
    pub reason: Option<String>,
    /// Whether this request changed it.
    pub changed: bool,
    pub message: &'static str,
}

/// Pauses outbound work.
///
/// # Errors
/// The database; nothing is changed then.
pub async fn pause(state: &State, actor: &Actor, reason: &str) -> Result<Pause, ApiError> {
    let mut transaction = state.pool.begin().await?;
    let request = Some(RequestId(actor.request_id.uuid()));
    let before = read(&mut transaction, false, "").await?;
    let changed = by_hand::pause(&mut transaction, &actor.subject, reason, request).await?;
    let message = if changed { "outbound work is paused; syncs wait" } else { "outbound work was paused already" };
    let pause = read(&mut transaction, changed, message).await?;
    audit(&mut transaction, actor, "outbound.paused", Some(reason), &before, &pause).await?;
    transaction.commit().await?;
    Ok(pause)
}

/// Ends the pause.
///
/// # Errors
/// The database; nothing is changed then.
pub async fn resume(state: &State, actor: &Actor, reason: Option<&str>) -> Result<Pause, ApiError> {
    let mut transaction = state.pool.begin().await?;
    let before = read(&mut transaction, false, "").await?;
    let changed = by_hand::resume(&mut transaction, Some(RequestId(actor.request_id.uuid()))).await?;
    let message = if changed { "outbound work goes on" } else { "outbound work was not paused" };
    let pause = read(&mut transaction, changed, message).await?;
    audit(&mut transaction, actor, "outbound.resumed", reason, &before, &pause).await?;
    transaction.commit().await?;
    Ok(pause)
}

async fn read(connection: &mut PgConnection, changed: bool, message: &'static str) -> Result<Pause, sqlx::Error> {
    let (paused_at, paused_by, reason): (Option<OffsetDateTime>, Option<String>, Option<String>) =
        sqlx::query_as("SELECT paused_at, paused_by, pause_reason FROM sync.gate_for_readers")
            .fetch_one(connection)
            .await?;
    let paused_at = paused_at.map(Timestamp);
    Ok(Pause { paused: paused_at.is_some(), paused_at, paused_by, reason, changed, message })
}

fn audited(pause: &Pause) -> Value {
    json!({
        "paused": pause.paused, "pausedAt": pause.paused_at, "pausedBy": pause.paused_by, "reason": pause.reason,
    })
}

async fn audit(
    connection: &mut PgConnection,
    actor: &Actor,
    operation: &'static str,
    reason: Option<&str>,
    before: &Pause,
    after: &Pause,
) -> Result<(), sqlx::Error> {
    // What was paused at the same moment, and so already, is as it is after.
    let before = if after.changed { before } else { after };
    let entry = Entry {
        action: Action::ConfigUpdated,
        operation,
        entity_type: "outbound",
        entity_id: None,
        succeeded: true,
        request: json!({ "reason": reason }),
        response: json!({ "changed": after.changed, "before": audited(before), "after": audited(after) }),
        metadata: json!({}),
    };
    entry.insert(connection, actor).await
}
