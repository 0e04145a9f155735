//! What is to be read from Stripe, as rows: asked for in the transaction of the events that leave it open, done in the transaction that stores what
//! was read. A worker that dies in between leaves a row that is due again when its lease is over.

use std::collections::BTreeSet;
use std::time::Duration;

use sqlx::{FromRow, PgConnection, PgPool};
use time::OffsetDateTime;
use uuid::Uuid;
use webhooks::stripe::Pulled;

use crate::inbound::stripe::wants::{Want, What};

/// When the second of an event is surely over, also on a clock that is off by a little.
const AFTER: Duration = Duration::from_secs(5);
/// Longer than the tries of one call.
const LEASE: Duration = Duration::from_secs(180);
/// The pause after the first failure; it doubles up to an hour.
const FIRST_PAUSE: Duration = Duration::from_secs(5);

/// A claimed row.
#[derive(Debug, FromRow)]
pub(super) struct Read {
    pub(super) what: What,
    pub(super) object_id: String,
    pub(super) as_of: OffsetDateTime,
    pub(super) livemode: bool,
}

/// Asks for objects, in the caller's transaction. What is asked for already is asked for once.
pub(crate) async fn ask(connection: &mut PgConnection, wants: &BTreeSet<Want>) -> Result<(), sqlx::Error> {
    if wants.is_empty() {
        return Ok(());
    }
    // In order, so that two batches never wait for each other in a ring.
    sqlx::query(
        "INSERT INTO sync.stripe_reads (what, object_id, as_of, livemode, due_at)
         SELECT what, object_id, as_of, livemode, greatest(clock_timestamp(), as_of + make_interval(secs => $5))
         FROM unnest($1::text[], $2::text[], $3::timestamptz[], $4::boolean[]) AS wanted (what, object_id, as_of, livemode)
         ON CONFLICT (what, object_id, as_of) DO NOTHING",
    )
    .bind(wants.iter().map(|want| want.what.as_str()).collect::<Vec<_>>())
    .bind(wants.iter().map(|want| want.id.as_str()).collect::<Vec<_>>())
    .bind(wants.iter().map(|want| want.as_of).collect::<Vec<_>>())
    .bind(wants.iter().map(|want| want.livemode).collect::<Vec<_>>())
    .bind(AFTER.as_secs_f64())
    .execute(connection)
    .await?;
    Ok(())
}

/// Claims what has been due longest.
pub(super) async fn claim(pool: &PgPool, limit: i64) -> Result<Vec<Read>, sqlx::Error> {
    sqlx::query_as(
        "UPDATE sync.stripe_reads r
         SET due_at = clock_timestamp() + make_interval(secs => $2), attempts = r.attempts + 1
         FROM (
            SELECT what, object_id, as_of FROM sync.stripe_reads WHERE due_at <= clock_timestamp()
            ORDER BY due_at LIMIT $1 FOR UPDATE SKIP LOCKED) AS due
         WHERE (r.what, r.object_id, r.as_of) = (due.what, due.object_id, due.as_of)
         RETURNING r.what, r.object_id, r.as_of, r.livemode",
    )
    .bind(limit)
    .bind(LEASE.as_secs_f64())
    .fetch_all(pool)
    .await
}

/// Stores what was read as events and forgets the wish, in one transaction. Returns the rows that are new.
pub(super) async fn finish(pool: &PgPool, read: &Read, events: &[Pulled]) -> Result<Vec<Uuid>, sqlx::Error> {
    let mut events: Vec<&Pulled> = events.iter().collect();
    events.sort_by(|a, b| a.id.cmp(&b.id));
    events.dedup_by(|a, b| a.id == b.id);
    let n = events.len();
    let mut transaction = pool.begin().await?;
    let new: Vec<Uuid> = sqlx::query_scalar(
        "SELECT id FROM ingress.store($1::text[]::ingress.source[], $2, $3, $4, $5, $6, $7, $8, $9, $7,
            $10::text[]::ingress.event_status[], $7) WHERE NOT duplicate",
    )
    .bind(vec!["stripe"; n])
    .bind(events.iter().map(|_| Uuid::now_v7()).collect::<Vec<_>>())
    .bind(events.iter().map(|event| event.id.as_str()).collect::<Vec<_>>())
    .bind(events.iter().map(|event| event.event_type).collect::<Vec<_>>())
    .bind(events.iter().map(|event| event.body.as_bytes()).collect::<Vec<_>>())
    .bind(vec![read.as_of; n])
    .bind(vec![None::<String>; n])
    .bind(vec!["stripe-reads"; n])
    .bind(vec![None::<Uuid>; n])
    .bind(vec!["received"; n])
    .fetch_all(&mut *transaction)
    .await?;
    forget(&mut transaction, read).await?;
    service::failpoint!("reads.before_commit");
    transaction.commit().await?;
    service::failpoint!("reads.after_commit");
    Ok(new)
}

async fn forget(connection: &mut PgConnection, read: &Read) -> Result<(), sqlx::Error> {
    sqlx::query("DELETE FROM sync.stripe_reads WHERE what = $1 AND object_id = $2 AND as_of = $3")
        .bind(read.what.as_str())
        .bind(&read.object_id)
        .bind(read.as_of)
        .execute(connection)
        .await?;
    Ok(())
}

/// Puts a wish back that could not be fulfilled now. It is never given up: what it is about is money.
pub(super) async fn put_back(
    pool: &PgPool,
    read: &Read,
    error: &str,
    at_least: Option<Duration>,
) -> Result<(), sqlx::Error> {
    sqlx::query(
        "UPDATE sync.stripe_reads SET error = $4, due_at = clock_timestamp() + greatest(
            make_interval(secs => $5), least(interval '1 hour', make_interval(secs => $6 * 2 ^ least(attempts - 1, 12))))
         WHERE what = $1 AND object_id = $2 AND as_of = $3",
    )
    .bind(read.what.as_str())
    .bind(&read.object_id)
    .bind(read.as_of)
    .bind(error)
    .bind(at_least.unwrap_or_default().as_secs_f64())
    .bind(FIRST_PAUSE.as_secs_f64())
    .execute(pool)
    .await?;
    Ok(())
}

/// How many wishes wait.
pub(super) async fn waiting(pool: &PgPool) -> Result<i64, sqlx::Error> {
    sqlx::query_scalar("SELECT count(*) FROM sync.stripe_reads").fetch_one(pool).await
}
