//! Retry or skip of all syncs that match a filter, as a batch: what is asked for, chunk by chunk, is committed with the place to go on from, so that a
//! process that dies half-way is followed by a worker. The caller waits for a while; what takes longer goes on.

use std::time::Duration;

use domain::{BatchId, RequestId, SyncId};
use serde::Serialize;
use sqlx::PgPool;
use syncs::batch::{self, Asked, Created, NewBatch, SyncFilter, What};
use tokio::time::Instant;
use utoipa::ToSchema;
use uuid::Uuid;

use super::history::read_filter;
use crate::Actor;
use crate::input::{Fields, FromFields};

/// Syncs changed in one transaction.
const CHUNK: i64 = 1_000;
/// The caller waits so long for the rest.
const WAITED_FOR: Duration = Duration::from_secs(20);
/// Single ids in a filter at most.
const MOST_IDS: usize = 1_000;

/// Which syncs, whether they are only counted, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bulk {
    pub filter: SyncFilter,
    pub dry_run: bool,
    pub reason: Option<String>,
}

/// The members of [`Bulk`], for the API's description.
#[derive(ToSchema)]
#[schema(as = Bulk, rename_all = "camelCase")]
#[expect(dead_code, reason = "describes what `Bulk` reads")]
pub struct BulkMembers {
    /// One of these.
    #[schema(nullable = false, value_type = Option<std::collections::BTreeSet<Uuid>>, min_items = 1, max_items = 1000)]
    ids: Option<Vec<Uuid>>,
    #[schema(nullable = false, schema_with = crate::labels::sync_status_schema)]
    status: Option<String>,
    #[schema(nullable = false, schema_with = crate::labels::entity_type_schema)]
    source_type: Option<String>,
    #[schema(nullable = false, schema_with = crate::labels::source_system_schema)]
    source_system: Option<String>,
    #[schema(nullable = false, schema_with = crate::labels::error_code_schema)]
    error_code: Option<String>,
    #[schema(nullable = false)]
    source_id: Option<Uuid>,
    /// Last tried (before the first try: made) then or later.
    #[schema(nullable = false)]
    from: Option<time::OffsetDateTime>,
    /// Last tried (before the first try: made) before then.
    #[schema(nullable = false)]
    to: Option<time::OffsetDateTime>,
    /// Only counts.
    #[schema(nullable = false)]
    dry_run: Option<bool>,
    #[schema(nullable = false, min_length = 1, max_length = 2000)]
    reason: Option<String>,
}

impl FromFields for Bulk {
    fn read(fields: &mut Fields) -> Self {
        let ids = fields.uuids("ids", MOST_IDS).map(|ids| ids.into_iter().map(SyncId).collect());
        Self {
            filter: SyncFilter { ids, ..read_filter(fields) },
            dry_run: fields.flag("dryRun").unwrap_or_default(),
            reason: fields.text("reason"),
        }
    }
}

/// What a bulk action did.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct BulkResult {
    /// Syncs that match and that the action can change.
    pub matched: i64,
    /// Of these, changed so far; all of them unless it takes longer than the caller is kept waiting.
    pub changed: i64,
    /// Where it can be followed; null for a dry run.
    #[schema(required)]
    pub batch_id: Option<Uuid>,
}

/// Who asks, for a batch's row and its audit row.
pub(crate) fn asked(actor: &Actor, reason: Option<String>) -> Asked {
    Asked {
        by: actor.subject.clone(),
        reason,
        request: Some(RequestId(actor.request_id.uuid())),
        address: actor.address,
        user_agent: actor.user_agent.clone(),
    }
}

/// Counts, or does it.
///
/// # Errors
/// The database; what was changed before stays changed, and the rest goes on.
pub(crate) async fn run(
    pool: &PgPool,
    actor: &Actor,
    bulk: Bulk,
    what: fn(SyncFilter) -> What,
) -> Result<BulkResult, sqlx::Error> {
    let what = what(bulk.filter);
    let matched = batch::count(pool, &what).await?;
    if bulk.dry_run {
        return Ok(BulkResult { matched, changed: 0, batch_id: None });
    }
    let new = NewBatch { what, asked: asked(actor, bulk.reason), idempotency_key: None };
    let (Created::New(id) | Created::Before(id) | Created::KeyInUse(id)) = batch::create(pool, &new).await?;
    let until = Instant::now() + WAITED_FOR;
    while batch::ask(pool, id, CHUNK).await?.is_some() && Instant::now() < until {}
    let changed = batch::progress(pool, id).await?.map_or(0, |progress| progress.asked);
    Ok(BulkResult { matched: matched.max(changed), changed, batch_id: Some(BatchId::as_uuid(&id)) })
}
