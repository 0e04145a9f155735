//! What is to be read from Stripe, as rows: asked for in the transaction of the events that leave it open, done in the transaction that stores what
//! was read. A worker that dies in between leaves a row that is due again when its lease is over.

use std::collections::{BTreeMap, BTreeSet};
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

/// Stores what was read as events and forgets the wishes, in one transaction. Returns the rows that are new.
pub(super) async fn finish(pool: &PgPool, done: &[(&Read, Vec<Pulled>)]) -> Result<Vec<Uuid>, sqlx::Error> {
    if done.is_empty() {
        return Ok(Vec::new());
    }
    // Sorted by event id and without repeats, as the statement wants it: a refund may be among those of its charge and be asked for by itself.
    let events: BTreeMap<&str, (&Pulled, OffsetDateTime)> = done
        .iter()
        .flat_map(|(read, events)| events.iter().map(|event| (event.id.as_str(), (event, read.as_of))))
        .collect();
    let n = events.len();
    let mut transaction = pool.begin().await?;
    let new: Vec<Uuid> = sqlx::query_scalar(
        "SELECT id FROM ingress.store($1::text[]::ingress.source[], $2, $3, $4, $5, $6, $7, $8, $9, $7,
            $10::text[]::ingress.event_status[], $7) WHERE NOT duplicate",
    )
    .bind(vec!["stripe"; n])
    .bind(events.iter().map(|_| Uuid::now_v7()).collect::<Vec<_>>())
    .bind(events.keys().copied().collect::<Vec<_>>())
    .bind(events.values().map(|(event, _)| event.event_type).collect::<Vec<_>>())
    .bind(events.values().map(|(event, _)| event.body.as_bytes()).collect::<Vec<_>>())
    .bind(events.values().map(|(_, as_of)| *as_of).collect::<Vec<_>>())
    .bind(vec![None::<String>; n])
    .bind(vec!["stripe-reads"; n])
    .bind(vec![None::<Uuid>; n])
    .bind(vec!["received"; n])
    .fetch_all(&mut *transaction)
    .await?;
    let reads = || done.iter().map(|(read, _)| *read);
    sqlx::query(
        "DELETE FROM sync.stripe_reads r USING unnest($1::text[], $2::text[], $3::timestamptz[]) AS done (what, object_id, as_of)
         WHERE (r.what, r.object_id, r.as_of) = (done.what, done.object_id, done.as_of)",
    )
    .bind(reads().map(|read| read.what.as_str()).collect::<Vec<_>>())
    .bind(reads().map(|read| read.object_id.as_str()).collect::<Vec<_>>())
    .bind(reads().map(|read| read.as_of).collect::<Vec<_>>())
    .execute(&mut *transaction)
    .await?;
    service::failpoint!("reads.before_commit");
    transaction.commit().await?;
    service::failpoint!("reads.after_commit");
    Ok(new)
}

/// A wish that could not be fulfilled now.
#[derive(Debug)]
pub(super) struct Failure<'a> {
    pub(super) read: &'a Read,
    pub(super) error: String,
    /// How long it waits at least.
    pub(super) hold: Option<Duration>,
}

/// Puts wishes back. None is ever given up: what they are about is money.
pub(super) async fn put_back(pool: &PgPool, failures: &[Failure<'_>]) -> Result<(), sqlx::Error> {
    if failures.is_empty() {
        return Ok(());
    }
    sqlx::query(
        "UPDATE sync.stripe_reads r SET error = failed.error, due_at = clock_timestamp() + greatest(
            make_interval(secs => failed.hold),
            least(interval '1 hour', make_interval(secs => $6 * 2 ^ least(r.attempts - 1, 12))))
         FROM unnest($1::text[], $2::text[], $3::timestamptz[], $4::text[], $5::double precision[])
            AS failed (what, object_id, as_of, error, hold)
         WHERE (r.what, r.object_id, r.as_of) = (failed.what, failed.object_id, failed.as_of)",
    )
    .bind(failures.iter().map(|failure| failure.read.what.as_str()).collect::<Vec<_>>())
    .bind(failures.iter().map(|failure| failure.read.object_id.as_str()).collect::<Vec<_>>())
    .bind(failures.iter().map(|failure| failure.read.as_of).collect::<Vec<_>>())
    .bind(failures.iter().map(|failure| failure.error.as_str()).collect::<Vec<_>>())
    .bind(failures.iter().map(|failure| failure.hold.unwrap_or_default().as_secs_f64()).collect::<Vec<_>>())
    .bind(FIRST_PAUSE.as_secs_f64())
    .execute(pool)
    .await?;
    Ok(())
}

/// How many wishes wait.
pub(super) async fn waiting(pool: &PgPool) -> Result<i64, sqlx::Error> {
    sqlx::query_scalar("SELECT count(*) FROM sync.stripe_reads").fetch_one(pool).await
}
