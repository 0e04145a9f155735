//! Outbound work paused and resumed by hand, within a transaction of the caller's, so that its audit row is there if and only if it happened.

use domain::RequestId;
use domain::gate::{Cause, Gate as State};
use events::CircuitChanged;
use service::telemetry::propagation::current_traceparent;
use sqlx::PgConnection;

use super::fact::{self, Fact};
use super::row;

/// Pauses outbound work, and says whether it was not paused before.
///
/// # Errors
/// The database can't be written.
pub async fn pause(
    connection: &mut PgConnection,
    by: &str,
    reason: &str,
    request: Option<RequestId>,
) -> Result<bool, sqlx::Error> {
    let fact = stated(&mut *connection, Cause::Paused, true, request).await?;
    sqlx::query_scalar("SELECT sync.gate_pause($1, $2, $3, $4, $5, $6)")
        .bind(by)
        .bind(reason)
        .bind(fact.subject)
        .bind(fact.event_id)
        .bind(fact.body)
        .bind(fact.traceparent)
        .fetch_one(connection)
        .await
}

/// Ends the pause, and says whether there was one.
///
/// # Errors
/// The database can't be written.
pub async fn resume(connection: &mut PgConnection, request: Option<RequestId>) -> Result<bool, sqlx::Error> {
    let fact = stated(&mut *connection, Cause::Resumed, false, request).await?;
    sqlx::query_scalar("SELECT sync.gate_resume($1, $2, $3, $4)")
        .bind(fact.subject)
        .bind(fact.event_id)
        .bind(fact.body)
        .bind(fact.traceparent)
        .fetch_one(connection)
        .await
}

/// What is told if it changes anything.
async fn stated(
    connection: &mut PgConnection,
    cause: Cause,
    paused: bool,
    request_id: Option<RequestId>,
) -> Result<Fact, sqlx::Error> {
    let before = row::read(connection).await?.gate;
    let after = State { paused, ..before.clone() };
    let changed = CircuitChanged { request_id, ..fact::changed(&before, &after, cause) };
    Ok(Fact::of(&changed, current_traceparent()))
}
