//! Events applied again: one, or all of a filter since a time. Applying is idempotent, so an event that was applied already changes nothing that is
//! newer.
//!
//! Chunk by chunk, each with its audit row in one transaction; the hint goes out after its commit. A process that dies half-way has replayed what it had,
//! and the same request again replays the rest, and harmlessly these too.

use domain::EventRowId;
use events::{WebhookReceived, WebhookSource};
use serde::Serialize;
use serde_json::{Value, json};
use sqlx::PgConnection;
use time::OffsetDateTime;
use utoipa::ToSchema;
use uuid::Uuid;

use super::list::{SOURCES, STATUSES, Webhooks, sources, statuses};
use crate::audit::{Action, Entry};
use crate::input::{Fields, FromFields};
use crate::listing::{Conditions, List};
use crate::{Actor, State, labels};

/// Events replayed in one transaction.
const CHUNK: i64 = 1_000;
/// Events of one request at most.
pub const MOST_REPLAYED: i64 = 100_000;

/// Which events are replayed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Replay {
    filter: Webhooks,
    dry_run: bool,
}

/// The members of [`Replay`], for the API's description.
#[derive(ToSchema)]
#[schema(as = Replay, rename_all = "camelCase")]
#[expect(dead_code, reason = "describes what `Replay` reads")]
pub struct ReplayMembers {
    /// Received then or later.
    since: OffsetDateTime,
    #[schema(nullable = false, schema_with = sources)]
    source: Option<String>,
    #[schema(nullable = false, schema_with = statuses)]
    status: Option<String>,
    #[schema(nullable = false, min_length = 1, max_length = 255)]
    event_type: Option<String>,
    /// Only counts.
    #[schema(nullable = false)]
    dry_run: Option<bool>,
}

impl FromFields for Replay {
    fn read(fields: &mut Fields) -> Self {
        if !fields.has("since") {
            fields.wrong("since", "is needed: a time like 2026-01-31T12:00:00Z");
        }
        let filter = Webhooks {
            source: labels::one_of(fields, "source", SOURCES),
            status: labels::one_of(fields, "status", STATUSES),
            event_type: fields.text_of("eventType", 1..=255),
            event_id: None,
            from: fields.time("since"),
            to: None,
        };
        Self { filter, dry_run: fields.flag("dryRun").unwrap_or_default() }
    }
}

/// What was replayed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct Replayed {
    /// Events that match, whose payload is there, and that don't wait to be applied anyway.
    pub matched: i64,
    pub replayed: i64,
}

/// What came of replaying one.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum ReplayedOne {
    NotFound,
    /// Its payload was erased.
    Erased,
    /// It waits to be applied anyway.
    Waiting,
    Done,
}

#[derive(sqlx::FromRow)]
struct Candidate {
    id: Uuid,
    source: String,
}

/// Replays one event.
///
/// # Errors
/// The database; nothing was replayed.
pub(crate) async fn replay_one(state: &State, actor: &Actor, id: Uuid) -> Result<ReplayedOne, sqlx::Error> {
    let found: Option<(String, bool)> =
        sqlx::query_as("SELECT source::text, body IS NOT NULL FROM ingress.for_config_api WHERE id = $1")
            .bind(id)
            .fetch_optional(&state.pool)
            .await?;
    let Some((source, has_body)) = found else { return Ok(ReplayedOne::NotFound) };
    if !has_body {
        return Ok(ReplayedOne::Erased);
    }
    let candidates = [Candidate { id, source }];
    let replayed = replay(state, actor, &candidates, Some(id), json!({})).await?;
    Ok(if replayed == 0 { ReplayedOne::Waiting } else { ReplayedOne::Done })
}

/// Replays all that match, or counts them. None when they are more than [`MOST_REPLAYED`]: nothing was replayed then.
///
/// # Errors
/// The database; what was replayed before stays so.
pub(crate) async fn replay_all(state: &State, actor: &Actor, wanted: &Replay) -> Result<Option<Replayed>, sqlx::Error> {
    let Replay { filter, dry_run } = wanted;
    let until = Uuid::now_v7();
    let mut counting = matching("SELECT count(*) FROM (SELECT", filter, Uuid::nil(), until);
    counting.push(format!(" LIMIT {}) AS counted", MOST_REPLAYED + 1));
    let matched: i64 = counting.build_query_scalar().persistent(false).fetch_one(&state.pool).await?;
    if matched > MOST_REPLAYED {
        return Ok(None);
    }
    if *dry_run {
        return Ok(Some(Replayed { matched, replayed: 0 }));
    }
    let (mut after, mut replayed) = (Uuid::nil(), 0);
    loop {
        // In the order of arrival, and none twice, though what is applied again matches again.
        let mut reading = matching("SELECT r.id, r.source::text", filter, after, until);
        reading.push(format!(" ORDER BY r.id LIMIT {CHUNK}"));
        let chunk: Vec<Candidate> = reading.build_query_as().persistent(false).fetch_all(&state.pool).await?;
        let Some(last) = chunk.last() else { break };
        after = last.id;
        let asked = json!({"source": filter.source, "status": filter.status, "eventType": filter.event_type});
        replayed += replay(state, actor, &chunk, None, asked).await?;
    }
    Ok(Some(Replayed { matched: matched.max(replayed), replayed }))
}

fn matching(select: &'static str, filter: &Webhooks, after: Uuid, until: Uuid) -> sqlx::QueryBuilder<sqlx::Postgres> {
    let mut sql = sqlx::QueryBuilder::new(format!("{select} FROM {} AS r", Webhooks::FROM));
    let mut only = Conditions::new(&mut sql);
    filter.conditions(&mut only);
    only.and().push("r.body IS NOT NULL");
    only.and().push("r.status <> 'received'");
    only.and().push("r.id > ").push_bind(after);
    only.and().push("r.id < ").push_bind(until);
    sql
}

/// How it stands with one event, as far as a replay changes it.
async fn standing(connection: &mut PgConnection, single: Option<Uuid>) -> Result<Value, sqlx::Error> {
    let row: Option<(String, i32, Option<String>)> =
        sqlx::query_as("SELECT status::text, attempts, error_code FROM ingress.for_config_api WHERE id = $1")
            .bind(single)
            .fetch_optional(connection)
            .await?;
    Ok(json!(row.map(|(status, attempts, code)| json!({"status": status, "attempts": attempts, "errorCode": code}))))
}

/// Replays these, with an audit row, in one transaction; how many.
async fn replay(
    state: &State,
    actor: &Actor,
    events: &[Candidate],
    single: Option<Uuid>,
    wanted: Value,
) -> Result<i64, sqlx::Error> {
    let ids: Vec<Uuid> = events.iter().map(|event| event.id).collect();
    let mut transaction = state.pool.begin().await?;
    let before = standing(&mut transaction, single).await?;
    let replayed: Vec<Uuid> = sqlx::query_scalar("SELECT ingress.replay($1, NULL, NULL, NULL, $2)")
        .bind(&ids)
        .bind(i32::try_from(ids.len()).unwrap_or(i32::MAX))
        .fetch_all(&mut *transaction)
        .await?;
    if replayed.is_empty() {
        return Ok(0);
    }
    let after = standing(&mut transaction, single).await?;
    let mut response = json!({"replayed": replayed.len()});
    if single.is_some() {
        (response["before"], response["after"]) = (before, after);
    }
    let entry = Entry {
        action: Action::ManualSync,
        operation: if single.is_some() { "webhook.replayed" } else { "webhooks.replayed" },
        entity_type: "webhook",
        entity_id: single.map(|id| id.to_string()),
        succeeded: true,
        request: wanted,
        response,
        metadata: json!({"first": ids.first(), "last": ids.last()}),
    };
    entry.insert(&mut transaction, actor).await?;
    transaction.commit().await?;
    service::failpoint!("admin.before_hint");
    for (name, source) in [("stripe", WebhookSource::Stripe), ("flasherp", WebhookSource::Flasherp)] {
        let of_it = events.iter().filter(|event| event.source == name && replayed.contains(&event.id));
        let ids: Vec<EventRowId> = of_it.map(|event| EventRowId(event.id)).collect();
        if !ids.is_empty() {
            state.broker.hints().publish(WebhookReceived { source, ids });
        }
    }
    Ok(i64::try_from(replayed.len()).unwrap_or(i64::MAX))
}
