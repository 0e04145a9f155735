//! Failures by kind: of the same code, about the same field, in the same words. The database gives each failed sync its kind's fingerprint.
//!
//! Somebody may acknowledge a kind; what fails so later shows as new.

use domain::ErrorCode;
use serde::Serialize;
use serde_json::json;
use sqlx::PgPool;
use syncs::batch::SyncFilter;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::Actor;
use crate::amounts::AtStake;
use crate::audit::{Action, Entry};
use crate::labels;
use crate::timestamp::Timestamp;

/// That somebody has seen to it.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Acknowledged {
    pub at: Timestamp,
    pub by: String,
    #[schema(required)]
    pub note: Option<String>,
    /// Failures since.
    pub new_since: i64,
}

/// Failures of one kind.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ErrorGroup {
    pub fingerprint: String,
    #[schema(schema_with = labels::error_code_schema)]
    pub error_code: String,
    /// FlashERP's field that it is about.
    #[schema(required)]
    pub field: Option<String>,
    /// The newest one's words.
    pub message: String,
    /// Syncs that have failed so and stand failed.
    pub count: i64,
    /// Of these, tried again by themselves.
    pub retrying: i64,
    /// By type of record.
    pub entity_types: Vec<TypeCount>,
    pub first_at: Timestamp,
    pub last_at: Timestamp,
    /// The newest one.
    pub example_sync_id: Uuid,
    /// Of the transactions among them, per currency.
    pub at_stake: Vec<AtStake>,
    /// What to do about it.
    pub advice: String,
    #[schema(required)]
    pub acknowledged: Option<Acknowledged>,
}

/// How many of a type.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct TypeCount {
    #[schema(schema_with = labels::entity_type_schema)]
    pub entity_type: String,
    pub count: i64,
}

/// The kinds with the most failures.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ErrorGroups {
    pub data: Vec<ErrorGroup>,
    /// Whether there are more than these.
    pub has_more: bool,
}

#[derive(sqlx::FromRow)]
struct Row {
    fingerprint: String,
    error_code: String,
    field: Option<String>,
    message: Option<String>,
    count: i64,
    retrying: i64,
    types: Vec<String>,
    type_counts: Vec<i64>,
    first_at: Timestamp,
    last_at: Timestamp,
    example: Uuid,
    acknowledged_at: Option<Timestamp>,
    acknowledged_by: Option<String>,
    note: Option<String>,
    new_since: i64,
}

#[derive(sqlx::FromRow)]
struct Stake {
    fingerprint: String,
    currency: String,
    units: i64,
    count: i64,
}

/// Reads the kinds with the most failures, so many at most; of one only when it is named.
///
/// # Errors
/// The database.
pub async fn read(pool: &PgPool, only: Option<&str>, limit: i64) -> Result<ErrorGroups, sqlx::Error> {
    let (mut rows, stakes) = tokio::try_join!(kinds(pool, only, limit + 1), stakes(pool, only))?;
    let has_more = i64::try_from(rows.len()).is_ok_and(|read| read > limit);
    rows.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
    Ok(ErrorGroups { data: rows.into_iter().map(|row| ErrorGroup::of(row, &stakes)).collect(), has_more })
}

async fn kinds(pool: &PgPool, only: Option<&str>, limit: i64) -> Result<Vec<Row>, sqlx::Error> {
    sqlx::query_as(
        "WITH counted AS (
            SELECT error_fingerprint, sum(count)::bigint AS count, sum(retrying)::bigint AS retrying, min(first_at) AS first_at,
                max(last_at) AS last_at, array_agg(source_type::text ORDER BY source_type) AS types,
                array_agg(count ORDER BY source_type) AS type_counts
            FROM (SELECT error_fingerprint, source_type, count(*) AS count, count(next_retry_at) AS retrying, min(tried_at) AS first_at,
                    max(tried_at) AS last_at
                FROM sync.for_readers
                WHERE sync_status = 'failed' AND error_fingerprint IS NOT NULL AND ($1::text IS NULL OR error_fingerprint = $1)
                GROUP BY error_fingerprint, source_type) AS of_types
            GROUP BY error_fingerprint ORDER BY sum(count) DESC, error_fingerprint LIMIT $2)
         SELECT c.error_fingerprint AS fingerprint, newest.error_code, newest.field, newest.error_message AS message, c.count, c.retrying,
            c.types, c.type_counts, c.first_at, c.last_at, newest.id AS example, a.acknowledged_at, a.acknowledged_by, a.note,
            CASE WHEN a.acknowledged_at IS NULL THEN 0 ELSE (SELECT count(*) FROM sync.for_readers s
                WHERE s.sync_status = 'failed' AND s.error_fingerprint = c.error_fingerprint AND s.tried_at > a.acknowledged_at)
                END AS new_since
         FROM counted c
         CROSS JOIN LATERAL (SELECT s.id, s.error_code, s.error_details #>> '{0,field}' AS field, s.error_message FROM sync.for_readers s
            WHERE s.sync_status = 'failed' AND s.error_fingerprint = c.error_fingerprint ORDER BY s.tried_at DESC LIMIT 1) AS newest
         LEFT JOIN config.error_acknowledgements a ON a.fingerprint = c.error_fingerprint
         ORDER BY c.count DESC, c.error_fingerprint",
    )
    .bind(only)
    .bind(limit)
    .fetch_all(pool)
    .await
}

/// Of all kinds, or of one.
async fn stakes(pool: &PgPool, only: Option<&str>) -> Result<Vec<Stake>, sqlx::Error> {
    sqlx::query_as(
        "SELECT s.error_fingerprint AS fingerprint, lower(t.currency) AS currency, sum(abs(t.amount))::bigint AS units, count(*) AS count
         FROM sync.for_readers s JOIN upcoach.transactions t ON t.id = s.source_id
         WHERE s.sync_status = 'failed' AND s.source_type = 'transaction' AND s.error_fingerprint IS NOT NULL
            AND ($1::text IS NULL OR s.error_fingerprint = $1)
         GROUP BY 1, 2 ORDER BY 1, 2",
    )
    .bind(only)
    .fetch_all(pool)
    .await
}

impl ErrorGroup {
    fn of(row: Row, stakes: &[Stake]) -> Self {
        let own = stakes.iter().filter(|stake| stake.fingerprint == row.fingerprint);
        let code = row.error_code.parse().unwrap_or(ErrorCode::UnknownError);
        let acknowledged = match (row.acknowledged_at, row.acknowledged_by) {
            (Some(at), Some(by)) => Some(Acknowledged { at, by, note: row.note, new_since: row.new_since }),
            _ => None,
        };
        let types = row.types.into_iter().zip(row.type_counts);
        Self {
            at_stake: own.map(|stake| AtStake::of(stake.units, &stake.currency, stake.count)).collect(),
            entity_types: types.map(|(entity_type, count)| TypeCount { entity_type, count }).collect(),
            advice: code.advice().to_owned(),
            message: row.message.unwrap_or_else(|| code.advice().to_owned()),
            fingerprint: row.fingerprint,
            error_code: row.error_code,
            field: row.field,
            count: row.count,
            retrying: row.retrying,
            first_at: row.first_at,
            last_at: row.last_at,
            example_sync_id: row.example,
            acknowledged,
        }
    }
}

/// The syncs of one kind.
#[must_use]
pub fn filter(fingerprint: &str) -> SyncFilter {
    SyncFilter { fingerprint: Some(fingerprint.to_owned()), ..SyncFilter::default() }
}

/// An acknowledgement, and the one that it takes the place of.
#[derive(sqlx::FromRow)]
struct Noted {
    before_at: Option<Timestamp>,
    before_by: Option<String>,
    before_note: Option<String>,
    acknowledged_at: Timestamp,
}

/// Notes that somebody has seen to it, with its audit row, in one transaction.
///
/// # Errors
/// The database; nothing was noted.
pub async fn acknowledge(
    pool: &PgPool,
    actor: &Actor,
    fingerprint: &str,
    note: Option<&str>,
) -> Result<(), sqlx::Error> {
    let mut transaction = pool.begin().await?;
    let noted: Noted = sqlx::query_as(
        "INSERT INTO config.error_acknowledgements (fingerprint, acknowledged_by, note) VALUES ($1, $2, $3)
         ON CONFLICT (fingerprint) DO UPDATE SET acknowledged_at = clock_timestamp(), acknowledged_by = excluded.acknowledged_by,
            note = excluded.note
         RETURNING old.acknowledged_at AS before_at, old.acknowledged_by AS before_by, old.note AS before_note, acknowledged_at",
    )
    .bind(fingerprint)
    .bind(&actor.subject)
    .bind(note)
    .fetch_one(&mut *transaction)
    .await?;
    let before = noted.before_at.map(|at| json!({"at": at, "by": noted.before_by, "note": noted.before_note}));
    let after = json!({"at": noted.acknowledged_at, "by": actor.subject, "note": note});
    let entry = Entry {
        action: Action::ManualSync,
        operation: "error_group.acknowledged",
        entity_type: "error_group",
        entity_id: Some(fingerprint.to_owned()),
        succeeded: true,
        request: json!({"note": note}),
        response: json!({"before": before, "after": after}),
        metadata: json!({}),
    };
    entry.insert(&mut transaction, actor).await?;
    transaction.commit().await
}
