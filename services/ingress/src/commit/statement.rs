//! The statement that stores a batch, and what its failure means for the others in the batch.

use domain::EventRowId;
use sqlx::PgConnection;
use uuid::Uuid;

use super::event::Event;

/// One round trip, one transaction, durable when it returns. Asks back only for what was there before, which is nearly always nothing.
const STORE: &str = "SELECT id FROM ingress.store($1::text[]::ingress.source[], $2, $3, $4, $5, $6, $7, $8, $9, $10, \
     $11::text[]::ingress.event_status[], $12) WHERE duplicate";

/// The same for events that are all usable, of one source and, as nearly always, all new: a third cheaper than the function, and refused as
/// a whole when one was there before. The arrays, all of the same length, are unnested side by side: as a table they would be copied once more.
const INSERT: &str = "INSERT INTO ingress.webhook_events \
     (source, id, event_id, event_type, body, occurred_at, remote_addr, user_agent, request_id, traceparent) \
     SELECT $1::text::ingress.source, unnest($2::uuid[]), unnest($3::text[]), unnest($4::text[]), unnest($5::bytea[]), unnest($6::timestamptz[]), \
     unnest($7::text[])::inet, unnest($8::text[]), unnest($9::uuid[]), unnest($10::text[])";

/// Of these row ids, those that are there.
const ALREADY_OURS: &str = "SELECT id FROM ingress.webhook_events WHERE id = ANY ($1)";

/// Stores events that are sorted by (source, event id) and hold none twice. Returns the row ids of those that had been stored before under
/// another id, in no particular order.
pub(super) async fn store(connection: &mut PgConnection, events: &[&Event]) -> sqlx::Result<Vec<EventRowId>> {
    let column = |of: fn(&Event) -> &str| events.iter().map(|event| of(event)).collect::<Vec<_>>();
    let addresses: Vec<String> = events.iter().map(|event| event.remote_addr.to_string()).collect();
    let errors: Vec<Option<String>> =
        events.iter().map(|event| event.defect.map(|defect| defect.to_string())).collect();
    sqlx::query_scalar(STORE)
        .bind(column(|event| event.source.as_str()))
        .bind(events.iter().map(|event| event.id.0).collect::<Vec<_>>())
        .bind(column(|event| &event.event_id))
        .bind(column(|event| &event.event_type))
        .bind(events.iter().map(|event| &*event.body).collect::<Vec<_>>())
        .bind(events.iter().map(|event| event.occurred_at).collect::<Vec<_>>())
        .bind(addresses)
        .bind(events.iter().map(|event| event.user_agent.as_deref()).collect::<Vec<_>>())
        .bind(events.iter().map(|event| event.request_id).collect::<Vec<_>>())
        .bind(events.iter().map(|event| event.traceparent.as_deref()).collect::<Vec<_>>())
        .bind(column(|event| if event.defect.is_some() { "quarantined" } else { "received" }))
        .bind(errors)
        .fetch_all(connection)
        .await
        .map(ids)
}

/// Whether [`insert`] can store these events.
pub(super) fn insertable(events: &[&Event]) -> bool {
    events.iter().all(|event| event.defect.is_none() && event.source == events[0].source)
}

/// As [`store`], for events that are [`insertable`] and thought to be new. `false`: one of them was there before, and nothing is stored.
pub(super) async fn insert(connection: &mut PgConnection, events: &[&Event]) -> sqlx::Result<bool> {
    let inserted = sqlx::query(INSERT)
        .bind(events[0].source.as_str())
        .bind(events.iter().map(|event| event.id.0).collect::<Vec<_>>())
        .bind(events.iter().map(|event| event.event_id.as_str()).collect::<Vec<_>>())
        .bind(events.iter().map(|event| event.event_type.as_str()).collect::<Vec<_>>())
        .bind(events.iter().map(|event| &*event.body).collect::<Vec<_>>())
        .bind(events.iter().map(|event| event.occurred_at).collect::<Vec<_>>())
        .bind(events.iter().map(|event| event.remote_addr.to_string()).collect::<Vec<_>>())
        .bind(events.iter().map(|event| event.user_agent.as_deref()).collect::<Vec<_>>())
        .bind(events.iter().map(|event| event.request_id).collect::<Vec<_>>())
        .bind(events.iter().map(|event| event.traceparent.as_deref()).collect::<Vec<_>>())
        .execute(connection)
        .await;
    match inserted {
        Ok(_) => Ok(true),
        Err(sqlx::Error::Database(error)) if error.is_unique_violation() => Ok(false),
        Err(error) => Err(error),
    }
}

/// Of events that a second try found there before, those that the first had stored after all: its answer was lost, not its commit.
pub(super) async fn already_ours(
    connection: &mut PgConnection,
    duplicates: &[EventRowId],
) -> sqlx::Result<Vec<EventRowId>> {
    let uuids: Vec<Uuid> = duplicates.iter().map(|id| id.0).collect();
    sqlx::query_scalar(ALREADY_OURS).bind(uuids).fetch_all(connection).await.map(ids)
}

fn ids(uuids: Vec<Uuid>) -> Vec<EventRowId> {
    uuids.into_iter().map(EventRowId).collect()
}

/// Whether a failure may come from one event among many, so that the others are worth trying without it. Else it is the connection, the
/// schema, a grant or the server, and each event alone would fail as well.
pub(super) fn may_be_one_events_fault(error: &sqlx::Error) -> bool {
    let sqlx::Error::Database(error) = error else { return matches!(error, sqlx::Error::Encode(_)) };
    let Some(state) = error.code() else { return false };
    // statement_timeout: one event can wait for a lock that the others don't need.
    state == "57014" || ["22", "23", "40", "54", "55", "P0", "XX"].iter().any(|class| state.starts_with(class))
}

/// Whether the session is over, or so doubtful that a new one is better.
pub(super) fn ends_connection(error: &sqlx::Error) -> bool {
    match error {
        sqlx::Error::Database(error) => error
            .code()
            .is_some_and(|state| state.starts_with("57P") || state.starts_with("08") || state.starts_with("25")),
        sqlx::Error::Encode(_) => false,
        _ => true,
    }
}
