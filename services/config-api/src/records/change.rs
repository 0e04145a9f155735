//! Syncs queued again or taken out of the way, one by one. The change and its audit row are one transaction; the hint goes out after its commit.

use domain::EntityType;
use events::SyncRequested;
use serde_json::{Value, json};
use sqlx::PgConnection;
use uuid::Uuid;

use super::row::{COLUMNS, Sync};
use crate::audit::{Action, Entry};
use crate::{Actor, State};

/// What came of it.
#[derive(Debug)]
pub(crate) enum Changed {
    /// There is no such sync.
    NotFound,
    /// It is in a state that does not allow it: as it stands.
    Refused(Sync),
    /// It was so already.
    Already(Sync),
    /// As it is now.
    Done(Sync),
}

/// Queues a failed sync at once, with its retries back; one whose outcome is unknown still waits for its settle time.
///
/// # Errors
/// The database; nothing was changed.
pub(crate) async fn retry(state: &State, actor: &Actor, id: Uuid) -> Result<Changed, sqlx::Error> {
    let changed = change(state, actor, id, "sync.retried", "SELECT sync.retry(ARRAY[$1])", None).await?;
    if let Changed::Done(sync) = &changed
        && let Ok(entity_type) = sync.source_type.parse::<EntityType>()
    {
        state.broker.hints().publish(SyncRequested { entity_type, ids: vec![sync.source_id] });
    }
    Ok(changed)
}

/// Takes a sync that is neither done nor in a worker's hands out of the way.
///
/// # Errors
/// The database; nothing was changed.
pub(crate) async fn skip(state: &State, actor: &Actor, id: Uuid, reason: &str) -> Result<Changed, sqlx::Error> {
    let changed = change(state, actor, id, "sync.skipped", "SELECT sync.skip(ARRAY[$1], $2)", Some(reason)).await?;
    Ok(match changed {
        Changed::Refused(sync) if sync.sync_status == "skipped" => Changed::Already(sync),
        changed => changed,
    })
}

async fn change(
    state: &State,
    actor: &Actor,
    id: Uuid,
    operation: &'static str,
    statement: &'static str,
    reason: Option<&str>,
) -> Result<Changed, sqlx::Error> {
    let mut transaction = state.pool.begin().await?;
    sqlx::query("SELECT sync.hold($1)").bind(id).execute(&mut *transaction).await?;
    let Some(before) = read(&mut transaction, id).await? else { return Ok(Changed::NotFound) };
    let query = sqlx::query_scalar(statement).bind(id);
    let query = match reason {
        Some(reason) => query.bind(reason),
        None => query,
    };
    let changed: Option<Uuid> = query.fetch_optional(&mut *transaction).await?;
    if changed.is_none() {
        return Ok(Changed::Refused(before));
    }
    let sync = read(&mut transaction, id).await?.ok_or(sqlx::Error::RowNotFound)?;
    let entry = Entry {
        action: Action::ManualSync,
        operation,
        entity_type: &sync.source_type,
        entity_id: Some(sync.source_id.to_string()),
        succeeded: true,
        request: json!({"reason": reason}),
        response: json!({"before": audited(&before), "after": audited(&sync)}),
        metadata: json!({"syncId": id}),
    };
    entry.insert(&mut transaction, actor).await?;
    transaction.commit().await?;
    service::failpoint!("admin.before_hint");
    Ok(Changed::Done(sync))
}

/// What a retry or a skip changes of it, and what it was about: no words of FlashERP's, no payload.
fn audited(sync: &Sync) -> Value {
    json!({
        "syncStatus": sync.sync_status, "outcome": sync.outcome, "errorCode": sync.error_code, "retryCount": sync.retry_count,
        "nextRetryAt": sync.next_retry_at, "skipReason": sync.skip_reason, "skippedByHand": sync.skipped_by_hand,
    })
}

async fn read(connection: &mut PgConnection, id: Uuid) -> Result<Option<Sync>, sqlx::Error> {
    let statement = format!("SELECT {COLUMNS} FROM sync.for_readers AS r WHERE r.id = $1");
    sqlx::query_as(sqlx::AssertSqlSafe(statement)).bind(id).fetch_optional(connection).await
}
