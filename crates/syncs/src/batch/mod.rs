//! Batches: a full sync, or a retry or skip of all syncs that match a filter.
//!
//! A batch is a row. Whoever makes it ([`create`]) may die right after: workers carry on what is unfinished, each chunk of wishes in one transaction
//! with the place to go on from. What came of it is counted from one item per record, so that neither a crash nor a second batch over the same
//! records makes the count wrong. The statements are functions of schema `sync` (`migrations/sync/0041_batches.sql`), for the roles that may.

mod filter;
mod new;
mod progress;

use domain::BatchId;
use sqlx::PgPool;
use uuid::Uuid;

pub use filter::SyncFilter;
pub use new::{Asked, Created, NewBatch, What, count, create};
pub use progress::{Progress, latest, progress};

/// Batches to be carried on, oldest first. An import is its importer's own.
///
/// # Errors
/// The database.
pub async fn unfinished(pool: &PgPool) -> Result<Vec<BatchId>, sqlx::Error> {
    let ids: Vec<Uuid> = sqlx::query_scalar(
        "SELECT id FROM sync.batches WHERE status IN ('pending', 'running') AND kind <> 'import' ORDER BY created_at",
    )
    .fetch_all(pool)
    .await?;
    Ok(ids.into_iter().map(BatchId).collect())
}

/// Asks for the next records, `limit` at most. How many were asked for (of a bulk action: changed); none when nothing is left to ask for. A caller
/// that wants a bulk action done now calls it until then; one that dies in between is followed by a worker.
///
/// # Errors
/// The database; nothing was asked for.
pub async fn ask(pool: &PgPool, batch: BatchId, limit: i64) -> Result<Option<i64>, sqlx::Error> {
    sqlx::query_scalar("SELECT sync.batch_ask($1, $2)").bind(batch.as_uuid()).bind(limit).fetch_one(pool).await
}

/// Counts a batch, and ends it when everything has its answer. How many answers are still open; none when it is over, or another worker is at it.
///
/// # Errors
/// The database.
pub async fn settle(pool: &PgPool, batch: BatchId) -> Result<Option<i64>, sqlx::Error> {
    sqlx::query_scalar("SELECT sync.batch_settle($1)").bind(batch.as_uuid()).fetch_one(pool).await
}

/// Ends a batch: nothing more is asked for, and what no worker has taken yet is taken back; what is on its way goes on. Says whether it was under
/// way. An audit row tells of it.
///
/// # Errors
/// The database.
pub async fn cancel(pool: &PgPool, batch: BatchId, asked: &Asked) -> Result<bool, sqlx::Error> {
    sqlx::query_scalar("SELECT sync.batch_cancel($1, $2, $3, $4, $5::text::inet, $6)")
        .bind(batch.as_uuid())
        .bind(&asked.by)
        .bind(asked.reason.as_deref())
        .bind(asked.request.map(Uuid::from))
        .bind(asked.address.map(|address| address.to_string()))
        .bind(asked.user_agent.as_deref())
        .fetch_one(pool)
        .await
}
