//! Claiming events and settling them: the two commands of schema `ingress`, called in one transaction.

use sqlx::{FromRow, PgConnection};
use time::OffsetDateTime;
use uuid::Uuid;

use super::events::{EventStatus, Source};
use super::settlement::Settlement;

/// Which events to claim.
#[derive(Debug, Clone, Copy)]
pub(super) enum Which<'a> {
    /// Exactly these rows, if they are due.
    Rows(&'a [Uuid]),
    /// Whatever is due, oldest first.
    Due,
}

/// A claimed event, locked until the transaction ends.
#[derive(Debug, FromRow)]
pub(super) struct ClaimedEvent {
    pub(super) id: Uuid,
    pub(super) source: Source,
    pub(super) event_id: String,
    pub(super) event_type: String,
    pub(super) body: Option<Vec<u8>>,
    pub(super) received_at: OffsetDateTime,
    pub(super) attempts: i32,
    pub(super) remote_addr: Option<String>,
    pub(super) user_agent: Option<String>,
    pub(super) request_id: Option<Uuid>,
    pub(super) traceparent: Option<String>,
}

/// Claims up to `limit` events. Those in another worker's hands are passed over.
pub(super) async fn claim(
    connection: &mut PgConnection,
    which: Which<'_>,
    limit: i32,
) -> Result<Vec<ClaimedEvent>, sqlx::Error> {
    let ids = match which {
        Which::Rows(ids) => Some(ids),
        Which::Due => None,
    };
    sqlx::query_as(
        "SELECT id, source::text, event_id, event_type, body, received_at, attempts, remote_addr, user_agent, request_id, traceparent
         FROM ingress.claim($1, $2)",
    )
    .bind(ids)
    .bind(limit)
    .fetch_all(connection)
    .await
}

/// Settles claimed events, in one statement.
pub(super) async fn finish(
    connection: &mut PgConnection,
    settled: &[(&ClaimedEvent, Settlement)],
) -> Result<(), sqlx::Error> {
    let ids: Vec<Uuid> = settled.iter().map(|(event, _)| event.id).collect();
    let statuses: Vec<EventStatus> = settled.iter().map(|(_, settlement)| settlement.status).collect();
    let wait_keys = || settled.iter().map(|(_, settlement)| settlement.wait_keys.as_ref());
    let codes: Vec<Option<&str>> = settled.iter().map(|(_, s)| s.error_code.map(|code| code.as_str())).collect();
    let errors: Vec<Option<&str>> = settled.iter().map(|(_, settlement)| settlement.error.as_deref()).collect();
    let retries: Vec<Option<i32>> = settled.iter().map(|(_, settlement)| settlement.retry_secs).collect();
    sqlx::query("SELECT ingress.finish($1, $2::ingress.event_status[], $3, $4, $5, $6, $7)")
        .bind(ids)
        .bind(statuses.iter().map(|status| status.as_str()).collect::<Vec<_>>())
        .bind(wait_keys().map(|keys| keys.map(|keys| keys.first.as_str())).collect::<Vec<_>>())
        .bind(wait_keys().map(|keys| keys.and_then(|keys| keys.other.as_deref())).collect::<Vec<_>>())
        .bind(codes)
        .bind(errors)
        .bind(retries)
        .execute(connection)
        .await?;
    Ok(())
}

/// Makes parked events due whose key has appeared; returns their ids.
pub(super) async fn wake(connection: &mut PgConnection, keys: &[String]) -> Result<Vec<Uuid>, sqlx::Error> {
    if keys.is_empty() {
        return Ok(Vec::new());
    }
    sqlx::query_scalar("SELECT ingress.wake($1)").bind(keys).fetch_all(connection).await
}
