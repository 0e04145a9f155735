//! How far a batch is.

use domain::{BatchId, BatchKind, BatchStatus};
use sqlx::PgPool;
use time::OffsetDateTime;
use uuid::Uuid;

/// A batch, as its row was last counted: once a second while it runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Progress {
    /// Its id.
    pub id: BatchId,
    /// What it does.
    pub kind: BatchKind,
    /// Where it stands.
    pub status: BatchStatus,
    /// Records that it is about; none until they are counted, and exact once all are asked for.
    pub total: Option<i64>,
    /// Of these, asked for so far (of a bulk action: changed).
    pub asked: i64,
    /// Answered: in step; of a bulk skip: skipped.
    pub done: i64,
    /// Answered: failed for good, or left failed as they were.
    pub failed: i64,
    /// Answered: left out, by hand or by scope.
    pub skipped: i64,
    /// Answers a minute since its start; none before.
    pub per_minute: Option<i64>,
    /// Who asked.
    pub requested_by: Option<String>,
    /// When it was made.
    pub created_at: OffsetDateTime,
    /// When it was over.
    pub finished_at: Option<OffsetDateTime>,
}

#[derive(sqlx::FromRow)]
struct Row {
    id: Uuid,
    kind: String,
    status: String,
    total: Option<i64>,
    asked: i64,
    done: i64,
    failed: i64,
    skipped: i64,
    per_minute: Option<i64>,
    requested_by: Option<String>,
    created_at: OffsetDateTime,
    finished_at: Option<OffsetDateTime>,
}

const ROWS: &str = "SELECT id, kind::text, status::text, total, asked, done, failed, skipped,
        (60 * (done + failed + skipped)
            / nullif(extract(epoch FROM coalesce(finished_at, clock_timestamp()) - started_at), 0))::bigint AS per_minute,
        requested_by, created_at, finished_at
    FROM sync.batches";

impl TryFrom<Row> for Progress {
    type Error = sqlx::Error;

    fn try_from(row: Row) -> Result<Self, sqlx::Error> {
        let unknown = |error: domain::kinds::UnknownLabel| sqlx::Error::Decode(error.into());
        Ok(Self {
            id: BatchId(row.id),
            kind: row.kind.parse().map_err(unknown)?,
            status: row.status.parse().map_err(unknown)?,
            total: row.total,
            asked: row.asked,
            done: row.done,
            failed: row.failed,
            skipped: row.skipped,
            per_minute: row.per_minute,
            requested_by: row.requested_by,
            created_at: row.created_at,
            finished_at: row.finished_at,
        })
    }
}

/// One batch; none when there is none of this id.
///
/// # Errors
/// The database.
pub async fn progress(pool: &PgPool, batch: BatchId) -> Result<Option<Progress>, sqlx::Error> {
    let row: Option<Row> = sqlx::query_as(sqlx::AssertSqlSafe(format!("{ROWS} WHERE id = $1")))
        .bind(batch.as_uuid())
        .fetch_optional(pool)
        .await?;
    row.map(Progress::try_from).transpose()
}

/// The newest, newest first.
///
/// # Errors
/// The database.
pub async fn latest(pool: &PgPool, limit: i64) -> Result<Vec<Progress>, sqlx::Error> {
    let rows: Vec<Row> = sqlx::query_as(sqlx::AssertSqlSafe(format!("{ROWS} ORDER BY created_at DESC, id LIMIT $1")))
        .bind(limit)
        .fetch_all(pool)
        .await?;
    rows.into_iter().map(Progress::try_from).collect()
}
