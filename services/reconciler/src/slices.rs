//! A run's window in slices, each paged on its own.
//!
//! They are cut where our own syncs say that FlashERP made its records, so that each holds about as many whatever the months were like. All slices and
//! the empty staging are one transaction. Both are unlogged: after a crash of the database there are none, and the window is cut again, with a staging
//! table of another name: whoever still holds the old one, frozen, keeps nobody from it.

use domain::EntityType;
use domain::instant::to_millis;
use sqlx::PgConnection;
use time::OffsetDateTime;
use uuid::Uuid;

use crate::run::{Run, StepError};

/// Records that make a slice worth its while.
const RECORDS: i64 = 2_500;
/// Slices of a type at most.
const MOST: i64 = 64;

/// A slice that is still to be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Slice {
    pub(crate) kind: EntityType,
    pub(crate) from: OffsetDateTime,
    pub(crate) to: OffsetDateTime,
    /// Where its next page begins; none at its start.
    pub(crate) cursor: Option<String>,
    /// How often FlashERP has refused its cursor.
    pub(crate) restarts: i32,
    /// How many of its pages are stored.
    pub(crate) pages: i64,
}

/// How a run's slices stand.
#[derive(Debug, Default)]
pub(crate) struct Standing {
    pub(crate) to_be_read: Vec<Slice>,
    pub(crate) done: usize,
    /// What went wrong with those that failed.
    pub(crate) failed: Vec<String>,
}

/// The slices of a run; cut now if they are not yet, or not any more.
///
/// # Errors
/// [`StepError`].
pub(crate) async fn of(run: &mut Run, types: &[EntityType]) -> Result<Standing, StepError> {
    let standing = standing(run).await?;
    if standing.done + standing.failed.len() + standing.to_be_read.len() > 0 || types.is_empty() {
        return Ok(standing);
    }
    cut(run, types).await?;
    self::standing(run).await
}

/// How the slices stand.
///
/// # Errors
/// The database.
pub(crate) async fn standing(run: &Run) -> Result<Standing, StepError> {
    #[derive(sqlx::FromRow)]
    struct Row {
        entity_type: String,
        slice_from: OffsetDateTime,
        slice_to: OffsetDateTime,
        status: String,
        cursor: Option<String>,
        restarts: i32,
        pages: i64,
        error: Option<String>,
    }
    let rows: Vec<Row> = sqlx::query_as(
        "SELECT entity_type::text, slice_from, slice_to, status::text, cursor, restarts, pages, error FROM reconciliation.slices
         WHERE run_id = $1 ORDER BY slice_from, entity_type",
    )
    .bind(run.id)
    .fetch_all(&run.pool)
    .await?;
    let mut standing = Standing::default();
    for row in rows {
        match (row.status.as_str(), row.entity_type.parse()) {
            ("done", _) => standing.done += 1,
            ("failed", _) => {
                let why = row.error.unwrap_or_default();
                standing.failed.push(format!(
                    "{} from {}: {why}",
                    row.entity_type,
                    domain::instant::text(row.slice_from)
                ));
            }
            (_, Ok(kind)) => standing.to_be_read.push(Slice {
                kind,
                from: row.slice_from,
                to: row.slice_to,
                cursor: row.cursor,
                restarts: row.restarts,
                pages: row.pages,
            }),
            (_, Err(_)) => {
                standing.failed.push(format!("{} is a type that this version does not know", row.entity_type))
            }
        }
    }
    Ok(standing)
}

async fn cut(run: &mut Run, types: &[EntityType]) -> Result<(), StepError> {
    let mut transaction = run.begin().await?;
    run.fence(&mut transaction).await?;
    let staging: Uuid =
        sqlx::query_scalar("SELECT reconciliation.open_staging($1)").bind(run.id).fetch_one(&mut *transaction).await?;
    for kind in types {
        let borders = borders(&mut transaction, run, *kind).await?;
        sqlx::query(
            "INSERT INTO reconciliation.slices (run_id, entity_type, slice_from, slice_to, owner)
             SELECT $1, $2::text::sync.entity_type, low, high, $3 FROM unnest($4::timestamptz[], $5::timestamptz[]) AS slice (low, high)",
        )
        .bind(run.id)
        .bind(kind.as_str())
        .bind(run.owner)
        .bind(&borders[..borders.len() - 1])
        .bind(&borders[1..])
        .execute(&mut *transaction)
        .await?;
    }
    transaction.commit().await?;
    run.staging = Some(staging);
    Ok(())
}

/// Start and end of the window, and where it is cut between, in order: at least two.
async fn borders(
    connection: &mut PgConnection,
    run: &Run,
    kind: EntityType,
) -> Result<Vec<OffsetDateTime>, sqlx::Error> {
    let known: Vec<OffsetDateTime> = sqlx::query_scalar(
        "WITH born AS MATERIALIZED (
            SELECT target_created_at AS at FROM sync.for_readers
            WHERE source_type = $1::text::sync.entity_type AND target_created_at >= $2 AND target_created_at < $3
        ), placed AS (
            SELECT at, row_number() OVER (ORDER BY at) AS place, count(*) OVER () AS count FROM born
        )
        SELECT at FROM placed WHERE place % greatest(1, count / least($5, greatest(1, count / $4))) = 0 ORDER BY at",
    )
    .bind(kind.as_str())
    .bind(run.from)
    .bind(run.to)
    .bind(RECORDS)
    .bind(MOST)
    .fetch_all(connection)
    .await?;
    let (from, to) = (run.from, run.to);
    let mut borders = vec![from];
    for at in known.into_iter().map(to_millis) {
        if borders.last().is_some_and(|last| *last < at) && at < to {
            borders.push(at);
        }
    }
    borders.push(to);
    Ok(borders)
}
