//! Finishing in groups: row (fenced by the lease), audit rows, facts and the waking of dependents in one transaction, many syncs to one.
//! Who comes while a commit is running goes into the next. Under load a commit also waits a few milliseconds for more: its cost is mostly its own,
//! not that of its syncs, and nobody is waiting for it. At rest it waits for nobody.
//!
//! Dies the process before the commit, the leases run out and the rows are looked up. A success that comes for a lost lease is written down as a stray write, and its row
//! becomes unknown: somebody else may have written meanwhile.

use std::collections::HashMap;
use std::time::Duration;

use domain::state::Verdict;
use domain::{EntityType, SyncId};
use service::metrics::{Counter, Histogram};
use sqlx::types::Json;
use sqlx::{PgConnection, PgPool};
use time::OffsetDateTime;
use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::attempt::{Attempt, End};
use super::{record, waiting};

/// Syncs finished in one transaction at most.
const GROUP: usize = 500;
/// A group of this size or more says that there is load. The next one then waits for [`WORTHWHILE`] syncs, though not for longer than [`LINGER`].
const LOAD: usize = 8;
/// See [`LOAD`].
const WORTHWHILE: usize = 100;
/// See [`LOAD`]. Small beside a call to FlashERP.
const LINGER: Duration = Duration::from_millis(10);
/// Pause before a group whose transaction failed is tried again.
const PAUSE: Duration = Duration::from_millis(200);
/// When an unknown record is looked at again that could not even be looked up, say because its customer failed.
const LOOK_AGAIN: Duration = Duration::from_secs(60);
/// Pauses grow to this.
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// How long a group waits for its database once the worker was told to stop: then its leases run out, and its rows are looked up.
const PATIENCE_AFTER_STOP: Duration = Duration::from_secs(5);

/// Takes attempts; clones share the groups.
#[derive(Debug, Clone)]
pub(super) struct Finisher {
    queue: mpsc::Sender<Finishing>,
}

#[derive(Debug)]
struct Finishing {
    attempt: Attempt,
    done: oneshot::Sender<()>,
}

impl Finisher {
    /// Starts the task; it ends when the last clone is gone and the last group is committed. `woken` is told of the rows that can be
    /// claimed again right away; `stated` is rung when facts were stated.
    pub(super) fn start(
        pool: PgPool,
        settle: Duration,
        woken: mpsc::UnboundedSender<Vec<SyncId>>,
        stated: std::sync::Arc<tokio::sync::Notify>,
        stop: CancellationToken,
    ) -> (Self, tokio::task::JoinHandle<()>) {
        let (queue, incoming) = mpsc::channel(2 * GROUP);
        let task = tokio::spawn(run(pool, settle, incoming, woken, stated, stop));
        (Self { queue }, task)
    }

    /// Hands an attempt over and waits until it is committed (or its lease was found lost).
    pub(super) async fn finish(&self, attempt: Attempt) {
        let (done, finished) = oneshot::channel();
        if self.queue.send(Finishing { attempt, done }).await.is_ok() {
            // An error means that the task is gone: then the lease runs out.
            let _gone = finished.await;
        }
    }
}

async fn run(
    pool: PgPool,
    settle: Duration,
    mut incoming: mpsc::Receiver<Finishing>,
    woken: mpsc::UnboundedSender<Vec<SyncId>>,
    stated: std::sync::Arc<tokio::sync::Notify>,
    stop: CancellationToken,
) {
    let mut group = Vec::with_capacity(GROUP);
    let mut load = false;
    while incoming.recv_many(&mut group, GROUP).await > 0 {
        if load {
            gather(&mut incoming, &mut group).await;
        }
        load = group.len() >= LOAD;
        let attempts: Vec<Attempt> = group.iter().map(|finishing| finishing.attempt.clone()).collect();
        let again = tokio::select! {
            biased;
            again = finish_group(&pool, settle, &attempts) => again,
            () = patience_after(&stop) => {
                tracing::warn!(syncs = attempts.len(), "the database is away; finished syncs are left to their leases");
                Vec::new()
            }
        };
        stated.notify_one();
        if !again.is_empty() {
            // The receiver goes first only at the end; then the timer of another worker finds the rows.
            let _ended = woken.send(again);
        }
        for finishing in group.drain(..) {
            // Whoever asked may have stopped waiting.
            let _unheard = finishing.done.send(());
        }
    }
}

/// Waits a little for a group that is worth its commit.
async fn gather(incoming: &mut mpsc::Receiver<Finishing>, group: &mut Vec<Finishing>) {
    let worthwhile =
        async { while group.len() < WORTHWHILE && incoming.recv_many(group, GROUP - group.len()).await > 0 {} };
    let _as_many_as_came = tokio::time::timeout(LINGER, worthwhile).await;
}

/// Ends some time after the stop.
async fn patience_after(stop: &CancellationToken) {
    stop.cancelled().await;
    tokio::time::sleep(PATIENCE_AFTER_STOP).await;
}

/// Commits a group, however long the database is away; what the database refuses is tried singly, and left to its lease's end if it is refused
/// there too. Returns the rows that can be claimed again right away.
async fn finish_group(pool: &PgPool, settle: Duration, attempts: &[Attempt]) -> Vec<SyncId> {
    let mut pause = PAUSE;
    loop {
        match commit(pool, settle, attempts).await {
            Ok(again) => return again,
            Err(error) if is_refusal(&error) && attempts.len() > 1 => {
                tracing::error!(
                    error = error.to_string(),
                    syncs = attempts.len(),
                    "a group was refused; its syncs are finished singly"
                );
                let mut again = Vec::new();
                for attempt in attempts {
                    again.extend(Box::pin(finish_group(pool, settle, std::slice::from_ref(attempt))).await);
                }
                return again;
            }
            Err(error) if is_refusal(&error) => {
                let sync_id = attempts.first().map(|attempt| tracing::field::display(attempt.claimed.id));
                tracing::error!(
                    sync_id,
                    error = error.to_string(),
                    "a sync can't be finished; it is looked up when its lease has run out"
                );
                return Vec::new();
            }
            Err(error) => {
                Counter::DatabaseErrors.increment(&[("stage", "finish"), ("error_type", "unavailable")]);
                tracing::warn!(
                    error = error.to_string(),
                    syncs = attempts.len(),
                    "finished syncs can't be written yet; trying again"
                );
                tokio::time::sleep(pause).await;
                pause = (pause * 2).min(LONGEST_PAUSE);
            }
        }
    }
}

/// Whether the database read the data and would not have it; trying the same again changes nothing.
fn is_refusal(error: &sqlx::Error) -> bool {
    match error {
        sqlx::Error::Database(error) => {
            error.code().is_some_and(|code| ["22", "23", "42"].iter().any(|class| code.starts_with(class)))
        }
        sqlx::Error::Encode(_) | sqlx::Error::Decode(_) | sqlx::Error::ColumnDecode { .. } => true,
        _ => false,
    }
}

#[derive(sqlx::FromRow)]
struct Finished {
    id: Uuid,
    owner: Uuid,
    again: bool,
    outcome: String,
    ended: bool,
    at_rest: bool,
    sync_status: String,
    next_retry_at: Option<OffsetDateTime>,
}

async fn commit(pool: &PgPool, settle: Duration, attempts: &[Attempt]) -> Result<Vec<SyncId>, sqlx::Error> {
    let mut transaction = pool.begin().await?;
    lock(&mut transaction, attempts).await?;
    let finished: HashMap<(Uuid, Uuid), Finished> =
        write_rows(&mut transaction, attempts).await?.into_iter().map(|row| ((row.id, row.owner), row)).collect();
    let (held, lost): (Vec<&Attempt>, Vec<&Attempt>) =
        attempts.iter().partition(|attempt| finished.contains_key(&key(attempt)));
    record::stray_writes(&mut transaction, settle, &lost).await?;
    let mut doubles = record::settle_stray_writes(&mut transaction, &held).await?;
    doubles.extend(record::duplicates(&held));
    syncs::duplicates::note(&mut transaction, &doubles).await?;

    let customers = |ready: bool| -> Vec<Uuid> {
        held.iter()
            .filter(|attempt| attempt.claimed.entity_type == EntityType::Customer)
            .filter(|attempt| {
                let ended = finished.get(&key(attempt)).is_some_and(|row| row.ended);
                if attempt.known.target_id.is_some() { ready } else { !ready && ended }
            })
            .map(|attempt| attempt.claimed.id.as_uuid())
            .collect()
    };
    let mut again = waiting::wake(&mut transaction, &customers(true), true).await?;
    again.extend(waiting::wake(&mut transaction, &customers(false), false).await?);

    let of_batches: Vec<(Uuid, &str)> = held
        .iter()
        .filter(|attempt| attempt.claimed.batch.is_some())
        .filter_map(|attempt| finished.get(&key(attempt)))
        .filter(|row| row.at_rest)
        .map(|row| (row.id, row.sync_status.as_str()))
        .collect();
    record::settle_batch_items(&mut transaction, &of_batches).await?;
    record::audit(&mut transaction, attempts).await?;
    let facts: Vec<_> = held
        .iter()
        .flat_map(|attempt| {
            let row = finished.get(&key(attempt));
            record::facts(
                attempt,
                row.and_then(|row| row.next_retry_at),
                row.is_some_and(|row| row.outcome == "unknown"),
            )
        })
        .collect();
    crate::OUTBOX.insert(&mut transaction, &facts).await?;
    service::failpoint!("outbound.finish_before_commit");
    transaction.commit().await?;
    service::failpoint!("outbound.finish_after_commit");

    again.extend(finished.values().filter(|row| row.again).map(|row| SyncId(row.id)));
    count(&held, &lost);
    Ok(again)
}

/// A claim: the row and its fence.
fn key(attempt: &Attempt) -> (Uuid, Uuid) {
    (attempt.claimed.id.as_uuid(), attempt.claimed.owner)
}

/// Locks, in id order, all that this transaction may write: the rows, and those that wait for one of them.
async fn lock(connection: &mut PgConnection, attempts: &[Attempt]) -> Result<(), sqlx::Error> {
    let (customers, all): (Vec<Uuid>, Vec<Uuid>) = (
        attempts
            .iter()
            .filter(|attempt| attempt.claimed.entity_type == EntityType::Customer)
            .map(|attempt| attempt.claimed.id.as_uuid())
            .collect(),
        attempts.iter().map(|attempt| attempt.claimed.id.as_uuid()).collect(),
    );
    sqlx::query(
        "SELECT FROM sync.erp_syncs WHERE id IN (
            SELECT unnest($1::uuid[]) UNION SELECT id FROM sync.erp_syncs WHERE waits_for = ANY ($2))
         ORDER BY id FOR UPDATE",
    )
    .bind(all)
    .bind(customers)
    .execute(connection)
    .await?;
    Ok(())
}

/// Writes the rows whose lease is still this attempt's.
async fn write_rows(connection: &mut PgConnection, attempts: &[Attempt]) -> Result<Vec<Finished>, sqlx::Error> {
    let now = OffsetDateTime::now_utc();
    let rows: Vec<NewRow<'_>> = attempts.iter().map(|attempt| NewRow::of(attempt, now)).collect();
    let column = |value: fn(&NewRow<'_>) -> Option<String>| rows.iter().map(value).collect::<Vec<_>>();
    sqlx::query_as(
        "UPDATE sync.erp_syncs s SET
            sync_status = CASE
                WHEN o.later_unknown THEN 'failed'
                WHEN o.once_more AND NOT n.unknown THEN 'pending'
                ELSE n.status::sync.sync_status END,
            outcome = CASE WHEN o.later_unknown OR n.unknown THEN 'unknown' ELSE 'known' END::sync.outcome,
            unknown_since = CASE WHEN o.later_unknown OR n.unknown THEN coalesce(s.unknown_since, clock_timestamp()) END,
            settle_until = CASE
                WHEN o.later_unknown THEN greatest(s.settle_until, clock_timestamp() + n.next_in)
                WHEN n.unknown THEN clock_timestamp() + n.next_in END,
            due_at = CASE
                WHEN o.later_unknown THEN greatest(s.settle_until, clock_timestamp() + n.next_in)
                WHEN n.unknown THEN clock_timestamp() + n.next_in
                WHEN n.put_back THEN clock_timestamp() + n.next_in
                WHEN o.once_more THEN clock_timestamp()
                ELSE clock_timestamp() + n.next_in END,
            next_retry_at = CASE
                WHEN o.later_unknown THEN greatest(s.settle_until, clock_timestamp() + n.next_in)
                WHEN o.once_more AND NOT n.unknown THEN NULL
                ELSE clock_timestamp() + n.next_in END,
            not_before = CASE WHEN n.put_back THEN clock_timestamp() + n.next_in END,
            -- a change that came meanwhile has given the retries back
            retry_count = CASE WHEN o.restarted THEN 0 ELSE n.retry_count END,
            waiting_since = CASE
                WHEN n.status NOT IN ('synced', 'skipped') THEN s.waiting_since
                WHEN o.once_more THEN s.claimed_at END,
            -- the batch that asked has its answer once the row has come to rest
            batch_id = CASE WHEN o.later_unknown OR n.unknown OR n.put_back OR o.once_more OR n.next_in IS NOT NULL
                THEN s.batch_id END,
            force = s.force AND (o.once_more OR n.status NOT IN ('synced', 'skipped')),
            target_id = n.target_id,
            generation = n.generation,
            base_payload = n.base,
            target_created_at = coalesce(n.target_created_at, CASE WHEN n.target_id = s.target_id THEN s.target_created_at END),
            target_updated_at = coalesce(n.target_updated_at, CASE WHEN n.target_id = s.target_id THEN s.target_updated_at END),
            last_sync_success = CASE WHEN n.status = 'synced' THEN clock_timestamp() ELSE s.last_sync_success END,
            sync_duration_ms = n.duration_ms,
            error_code = n.error_code,
            error_message = n.error_message,
            error_details = n.error_details,
            http_status = n.http_status,
            skip_reason = n.skip_reason,
            skipped_by_hand = false,
            waits_for = CASE WHEN o.once_more OR o.later_unknown OR n.unknown THEN NULL ELSE n.waits_for END,
            lease_owner = NULL,
            lease_until = NULL,
            updated_at = clock_timestamp()
         FROM unnest($1::uuid[], $2::uuid[], $3::bigint[], $4::text[], $5::boolean[], $6::boolean[], $7::interval[],
                $8::integer[], $9::text[], $10::integer[], $11::jsonb[], $12::timestamptz[], $13::timestamptz[],
                $14::integer[], $15::text[], $16::text[], $17::jsonb[], $18::integer[], $19::text[], $20::uuid[])
            AS n (id, owner, taken, status, unknown, put_back, next_in, retry_count, target_id, generation, base,
                target_created_at, target_updated_at, duration_ms, error_code, error_message, error_details, http_status,
                skip_reason, waits_for),
            LATERAL (SELECT
                -- became unknown after the claim: a stray write was found
                r.outcome = 'unknown' AND r.unknown_since > r.claimed_at AS later_unknown,
                -- asked for anew after the claim, so that the retries start at 0 again
                coalesce(r.restarted_at > r.claimed_at, false) AS restarted,
                -- asked for after the claim: once more round; but what failed is not hurried by a routine
                r.requested > n.taken AND (coalesce(r.restarted_at > r.claimed_at, false) OR n.status IN ('synced', 'skipped'))
                    AS once_more
                FROM sync.erp_syncs r WHERE r.id = n.id) AS o
         WHERE s.id = n.id AND s.lease_owner = n.owner
         RETURNING s.id, n.owner, o.once_more AND s.outcome = 'known' AS again, s.outcome::text,
            s.due_at IS NULL AND s.sync_status IN ('failed', 'skipped') AS ended,
            s.due_at IS NULL AND s.sync_status IN ('synced', 'failed', 'skipped') AS at_rest, s.sync_status::text,
            s.next_retry_at",
    )
    .bind(rows.iter().map(|row| row.attempt.claimed.id.as_uuid()).collect::<Vec<_>>())
    .bind(rows.iter().map(|row| row.attempt.claimed.owner).collect::<Vec<_>>())
    .bind(rows.iter().map(|row| row.attempt.claimed.taken).collect::<Vec<_>>())
    .bind(rows.iter().map(|row| row.status).collect::<Vec<_>>())
    .bind(rows.iter().map(|row| row.attempt.leaves_unknown()).collect::<Vec<_>>())
    .bind(rows.iter().map(|row| row.put_back).collect::<Vec<_>>())
    .bind(rows.iter().map(|row| row.next_in).collect::<Vec<_>>())
    .bind(rows.iter().map(|row| row.retry_count).collect::<Vec<_>>())
    .bind(column(|row| row.attempt.known.target_id.as_ref().map(ToString::to_string)))
    .bind(rows.iter().map(|row| i32::try_from(row.attempt.known.generation).unwrap_or(i32::MAX)).collect::<Vec<_>>())
    .bind(rows.iter().map(|row| Json(&row.attempt.known.base)).collect::<Vec<_>>())
    .bind(rows.iter().map(|row| row.attempt.known.target_created_at).collect::<Vec<_>>())
    .bind(rows.iter().map(|row| row.attempt.known.target_updated_at).collect::<Vec<_>>())
    .bind(rows.iter().map(|row| i32::try_from(row.attempt.duration().as_millis()).unwrap_or(i32::MAX)).collect::<Vec<_>>())
    .bind(column(|row| row.error().map(|error| error.code.as_str().to_owned())))
    .bind(column(|row| row.error().map(|error| secrets::redact::redact_text(&error.message).into_owned())))
    .bind(rows.iter().map(|row| row.error().and_then(|error| error.details_json())).collect::<Vec<_>>())
    .bind(rows.iter().map(|row| row.error().and_then(|error| error.http_status.map(i32::from))).collect::<Vec<_>>())
    .bind(column(|row| match &row.attempt.end {
        End::Skipped { reason } => Some(reason.clone()),
        End::Synced(_) | End::Failed { .. } => None,
    }))
    .bind(rows.iter().map(|row| row.waits_for()).collect::<Vec<_>>())
    .fetch_all(connection)
    .await
}

/// The part of a row that an attempt decides; times relative, so that only the database's clock counts.
struct NewRow<'a> {
    attempt: &'a Attempt,
    status: &'static str,
    put_back: bool,
    next_in: Option<Duration>,
    retry_count: i32,
}

impl<'a> NewRow<'a> {
    fn of(attempt: &'a Attempt, now: OffsetDateTime) -> Self {
        let spent = attempt.known.retry_count;
        let (status, put_back, next_at, retry_count) = match &attempt.end {
            End::Synced(_) => ("synced", false, None, 0),
            End::Skipped { .. } => ("skipped", false, None, spent),
            End::Failed { verdict, .. } => {
                let row = verdict.row(spent);
                (row.status.as_str(), matches!(verdict, Verdict::PutBack { .. }), row.next_at, row.retry_count)
            }
        };
        let next_in = next_at.map(|at| interval(at - now));
        // What is unknown is shown as failed and looked up again, also when it came to an end before it was looked up.
        let unknown = attempt.leaves_unknown();
        Self {
            attempt,
            status: if unknown { "failed" } else { status },
            put_back,
            next_in: if unknown { next_in.or(Some(LOOK_AGAIN)) } else { next_in },
            retry_count: i32::try_from(retry_count).unwrap_or(i32::MAX),
        }
    }

    const fn error(&self) -> Option<&super::attempt::AttemptError> {
        match &self.attempt.end {
            End::Failed { error, .. } => Some(error),
            End::Synced(_) | End::Skipped { .. } => None,
        }
    }

    fn waits_for(&self) -> Option<Uuid> {
        match &self.attempt.end {
            End::Failed { because_of, .. } => because_of.map(|sync| sync.as_uuid()),
            End::Synced(_) | End::Skipped { .. } => None,
        }
    }
}

/// In whole milliseconds: an interval of PostgreSQL's holds no nanoseconds, and sqlx refuses them.
fn interval(span: time::Duration) -> Duration {
    Duration::from_millis(u64::try_from(span.whole_milliseconds()).unwrap_or(0))
}

fn count(held: &[&Attempt], lost: &[&Attempt]) {
    Histogram::FinishBatch.observe_count(held.len(), &[]);
    Counter::LeasesLost.add(lost.len() as u64, &[]);
    let now = OffsetDateTime::now_utc();
    for attempt in held {
        let kind = attempt.claimed.entity_type.as_str();
        let (status, code) = match &attempt.end {
            End::Synced(_) => ("synced", "ok"),
            End::Skipped { .. } => ("skipped", "ok"),
            End::Failed { error, .. } => ("failed", error.code.as_str()),
        };
        Counter::SyncsFinished.increment(&[("entity_type", kind), ("status", status), ("code", code)]);
        if attempt.leaves_unknown() {
            Counter::SyncsUnknown.increment(&[("entity_type", kind)]);
        }
        if let (End::Synced(_), Some(since)) = (&attempt.end, attempt.claimed.waiting_since)
            && let Ok(waited) = Duration::try_from(now - since)
        {
            Histogram::ChangeToFlashErp.observe(waited, &[("entity_type", kind)]);
        }
    }
}
