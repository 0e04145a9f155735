//! Claiming: rows whose time has come get a lease, in one short transaction with the fold, committed before anything is loaded (in one statement a
//! claim would see the new counter with the old amount).
//!
//! Enabled, automatic, paused and gate are conditions of the claim statement itself. The owner is new for every claim: it is the
//! fence that a late finish fails at. Dies the process after the commit, the lease runs out.

use std::time::{Duration, Instant};

use domain::mapping::Base;
use domain::{EntityType, FlashErpId, Origin, Outcome, SyncId};
use service::metrics::{Counter, Histogram};
use sqlx::{PgConnection, PgPool};
use time::OffsetDateTime;
use uuid::Uuid;

use super::fold::{self, Requests, Wish};

/// A leased row.
#[derive(Debug, Clone)]
pub(super) struct Claimed {
    pub(super) id: SyncId,
    pub(super) entity_type: EntityType,
    pub(super) source_id: Uuid,
    /// The fence.
    pub(super) owner: Uuid,
    /// When the lease ends, on this process's clock, measured from before the claim was sent: never later than in the database.
    pub(super) lease_end: Instant,
    pub(super) claimed: Instant,
    pub(super) target_id: Option<FlashErpId>,
    pub(super) retry_count: u32,
    pub(super) generation: u32,
    pub(super) base: Base,
    pub(super) outcome: Outcome,
    pub(super) origin: Origin,
    pub(super) force: bool,
    pub(super) batch: Option<Uuid>,
    /// The request counter that this claim answers.
    pub(super) taken: i64,
    pub(super) waiting_since: Option<OffsetDateTime>,
}

/// The lease that a claim gives to all of its rows.
#[derive(Debug)]
pub(super) struct Lease {
    /// New for every claim: the fence.
    pub(super) owner: Uuid,
    /// Before the claim was sent.
    begun: Instant,
    pub(super) length: Duration,
}

/// What to claim.
#[derive(Debug, Clone, Copy)]
pub(super) enum Which<'a> {
    /// The records that a hint brought.
    Sources(EntityType, &'a [Uuid]),
    /// Customers that others depend on: rows are made where there is none.
    Customers(&'a [Wish]),
    /// A customer that is to be looked at in FlashERP, whatever its row says.
    Checked(&'a Wish),
    /// These rows.
    Rows(&'a [SyncId]),
    /// The oldest due, so many at most.
    Due(i64),
}

/// What a claim took.
#[derive(Debug, Default)]
pub(super) struct Taken {
    /// The leased rows.
    pub(super) claimed: Vec<Claimed>,
    /// Whether there may be more that is due; said of a claim of what is due only.
    pub(super) more: bool,
}

/// Folds what was asked for and claims what is due.
///
/// # Errors
/// The database can't be reached; nothing is claimed, or the leases run out.
pub(super) async fn fold_and_claim(pool: &PgPool, which: Which<'_>, lease: Duration) -> Result<Taken, sqlx::Error> {
    let lease = Lease::from_now(lease);
    let begun = lease.begun;
    let mut transaction = pool.begin().await?;
    let (Taken { claimed, more }, requests) = match which {
        Which::Due(limit) => claim_due(&mut transaction, limit, &lease).await?,
        _ => claim_these(&mut transaction, which, &lease).await?,
    };
    transaction.commit().await?;
    if !claimed.is_empty() {
        service::failpoint!("outbound.after_claim");
    }

    Counter::RequestsFolded.add(u64::try_from(requests).unwrap_or(0), &[]);
    if !claimed.is_empty() {
        let trigger = match which {
            Which::Sources(..) => "hint",
            Which::Customers(_) | Which::Checked(_) => "dependent",
            Which::Rows(_) => "wake",
            Which::Due(_) => "timer",
        };
        Counter::SyncsClaimed.add(claimed.len() as u64, &[("trigger", trigger)]);
        Histogram::ClaimBatch.observe_count(claimed.len(), &[]);
        Histogram::ClaimDuration.observe(begun.elapsed(), &[]);
    }
    Ok(Taken { claimed, more })
}

/// Claims what is due, and folds the oldest requests as far as that leaves slots: what is due has waited longer, and a request that is folded
/// for a later claim would be written twice. Says also how many requests were folded.
async fn claim_due(connection: &mut PgConnection, limit: i64, lease: &Lease) -> Result<(Taken, i64), sqlx::Error> {
    let left = |claimed: &[Claimed]| limit - i64::try_from(claimed.len()).unwrap_or(limit);
    let to_be_born = limit - due(connection, limit).await?;
    let wishes = if to_be_born > 0 { fold::take(connection, Requests::Oldest(to_be_born)).await? } else { Vec::new() };
    let mut claimed = fold::fold(connection, &wishes, lease).await?;
    let all_born = to_be_born == limit && claimed.len() == wishes.len();
    if !all_born && left(&claimed) > 0 {
        claimed.extend(claim(connection, Which::Due(left(&claimed)), lease).await?);
    }
    let requests = fold::requests(&wishes);
    let more = left(&claimed) <= 0 || requests >= to_be_born;
    Ok((Taken { claimed, more }, requests))
}

/// How many rows are due and may go, counted up to `limit`.
async fn due(connection: &mut PgConnection, limit: i64) -> Result<i64, sqlx::Error> {
    let conditions = Conditions::read(connection).await?;
    let Some(may_go) = conditions.of_due() else { return Ok(0) };
    sqlx::query_scalar(sqlx::AssertSqlSafe(format!(
        "SELECT count(*) FROM (SELECT FROM sync.erp_syncs s, sync.outbound_conditions c WHERE {may_go} LIMIT $1) AS due"
    )))
    .bind(limit)
    .fetch_one(connection)
    .await
}

/// Claims records that are named.
async fn claim_these(
    connection: &mut PgConnection,
    which: Which<'_>,
    lease: &Lease,
) -> Result<(Taken, i64), sqlx::Error> {
    let wishes = match which {
        Which::Sources(entity_type, ids) => fold::take(connection, Requests::Of(entity_type, ids)).await?,
        Which::Customers(needed) => {
            let ids: Vec<Uuid> = needed.iter().map(|wish| wish.source_id).collect();
            let mut wishes = fold::take(connection, Requests::Of(EntityType::Customer, &ids)).await?;
            wishes.extend(without_row(connection, needed, &wishes).await?);
            wishes
        }
        Which::Checked(wish) => vec![wish.clone()],
        Which::Rows(_) | Which::Due(_) => Vec::new(),
    };
    let mut claimed = fold::fold(connection, &wishes, lease).await?;
    if claimed.len() < ids_of(which).len() {
        claimed.extend(claim(connection, which, lease).await?);
    }
    Ok((Taken { claimed, more: false }, fold::requests(&wishes)))
}

/// Of the customers needed, those that this wish is to be folded for: without a request, and without a row, with one that was left out
/// by scope, or with one that waits for automatic sync while a hand asks for its dependent.
async fn without_row(connection: &mut PgConnection, needed: &[Wish], asked: &[Wish]) -> Result<Vec<Wish>, sqlx::Error> {
    let ids: Vec<Uuid> = needed.iter().map(|wish| wish.source_id).collect();
    let by_hand: Vec<Uuid> =
        needed.iter().filter(|wish| wish.origin.passes_auto_sync_off()).map(|wish| wish.source_id).collect();
    let known: Vec<Uuid> = sqlx::query_scalar(
        "SELECT source_id FROM sync.erp_syncs
         WHERE source_system = 'upcoach' AND source_type = 'customer' AND source_id = ANY ($1)
            AND NOT (sync_status = 'skipped' AND NOT skipped_by_hand)
            AND NOT (sync_status IN ('pending', 'failed') AND due_at IS NOT NULL AND origin NOT IN ('manual', 'heal')
                AND source_id = ANY ($2))",
    )
    .bind(ids)
    .bind(by_hand)
    .fetch_all(connection)
    .await?;
    let missing =
        |wish: &&Wish| !known.contains(&wish.source_id) && !asked.iter().any(|asked| asked.source_id == wish.source_id);
    Ok(needed.iter().filter(missing).cloned().collect())
}

/// The columns of a [`ClaimedRow`], of a row called `s`.
pub(super) const CLAIMED_COLUMNS: &str = "s.id, s.source_type::text, s.source_id, s.target_id, s.retry_count, s.generation, s.base_payload, s.outcome::text, \
     s.origin::text, s.force, s.batch_id, s.taken, s.waiting_since";

#[derive(sqlx::FromRow)]
pub(super) struct ClaimedRow {
    id: Uuid,
    source_type: String,
    source_id: Uuid,
    target_id: Option<String>,
    retry_count: i32,
    generation: i32,
    base_payload: Option<sqlx::types::Json<Base>>,
    outcome: String,
    origin: String,
    force: bool,
    batch_id: Option<Uuid>,
    taken: i64,
    waiting_since: Option<OffsetDateTime>,
}

const CLAIM: &str = "
    UPDATE sync.erp_syncs s SET
        sync_status = 'syncing', lease_owner = $1, lease_until = clock_timestamp() + $2, claimed_at = clock_timestamp(),
        last_sync_attempt = clock_timestamp(), taken = s.requested, due_at = NULL, next_retry_at = NULL,
        taken_known = CASE WHEN s.outcome = 'known' THEN s.requested ELSE s.taken_known END,
        updated_at = clock_timestamp()
    FROM due WHERE s.id = due.id";

/// What the claim's own conditions read before it, so that it can use the index that fits. The claim holds them again.
#[derive(sqlx::FromRow)]
struct Conditions {
    enabled: bool,
    auto_sync: bool,
    gate_open: bool,
}

impl Conditions {
    async fn read(connection: &mut PgConnection) -> Result<Self, sqlx::Error> {
        sqlx::query_as("SELECT enabled, auto_sync, gate_open FROM sync.outbound_conditions").fetch_one(connection).await
    }

    /// What is asked of a row by the index of what is due; none when nothing may go.
    fn of_due(&self) -> Option<&'static str> {
        (self.enabled && self.gate_open).then_some(if self.auto_sync { MAY_GO } else { MAY_GO_BY_HAND })
    }
}

/// Whether a row is due and may go: paused, stopped, disabled and switched to manual are conditions of the statement itself.
const MAY_GO: &str = "s.due_at <= statement_timestamp() AND c.enabled AND c.gate_open AND (c.auto_sync OR s.origin IN ('manual', 'heal'))";
/// As [`MAY_GO`], by the index of what was asked for by hand.
const MAY_GO_BY_HAND: &str =
    "s.due_at <= statement_timestamp() AND c.enabled AND c.gate_open AND s.origin IN ('manual', 'heal')";

async fn claim(connection: &mut PgConnection, which: Which<'_>, lease: &Lease) -> Result<Vec<Claimed>, sqlx::Error> {
    let Some(may_go) = Conditions::read(connection).await?.of_due() else { return Ok(Vec::new()) };
    let rows: Vec<ClaimedRow> = match which {
        Which::Due(limit) => {
            sqlx::query_as(sqlx::AssertSqlSafe(format!(
                "WITH due AS MATERIALIZED (
                    SELECT s.id FROM sync.erp_syncs s, sync.outbound_conditions c
                    WHERE {may_go} ORDER BY s.due_at LIMIT $3 FOR UPDATE OF s SKIP LOCKED)
                 {CLAIM} RETURNING {CLAIMED_COLUMNS}"
            )))
            .bind(lease.owner)
            .bind(lease.length)
            .bind(limit)
            .fetch_all(connection)
            .await?
        }
        Which::Sources(..) | Which::Customers(_) | Which::Checked(_) | Which::Rows(_) => {
            sqlx::query_as(sqlx::AssertSqlSafe(format!(
                "WITH due AS MATERIALIZED (
                    SELECT s.id FROM sync.erp_syncs s, sync.outbound_conditions c
                    WHERE s.id = ANY ($3) AND {MAY_GO} ORDER BY s.id FOR UPDATE OF s SKIP LOCKED)
                 {CLAIM} RETURNING {CLAIMED_COLUMNS}"
            )))
            .bind(lease.owner)
            .bind(lease.length)
            .bind(ids_of(which))
            .fetch_all(connection)
            .await?
        }
    };
    Ok(lease.claimed(rows))
}

/// Claims the record that the owner of the probe may try while the breaker is half-open: of those due the one tried longest ago, the last probe only
/// if there is no other. None: nothing is due, or the probe is somebody else's by now.
///
/// # Errors
/// The database can't be reached; nothing is claimed, or the lease runs out.
pub(super) async fn claim_for_probe(
    pool: &PgPool,
    probe: Uuid,
    lease: Duration,
) -> Result<Option<Claimed>, sqlx::Error> {
    let lease = Lease::from_now(lease);
    let row: Option<ClaimedRow> = sqlx::query_as(sqlx::AssertSqlSafe(format!(
        "WITH due AS MATERIALIZED (
            SELECT s.id FROM sync.erp_syncs s, sync.outbound_conditions c
            WHERE s.due_at <= statement_timestamp() AND c.enabled AND c.probe_owner = $3
                AND (c.auto_sync OR s.origin IN ('manual', 'heal'))
            ORDER BY s.id IS NOT DISTINCT FROM c.last_probe, s.last_sync_attempt NULLS FIRST, s.due_at
            LIMIT 1 FOR UPDATE OF s SKIP LOCKED)
         {CLAIM} RETURNING {CLAIMED_COLUMNS}"
    )))
    .bind(lease.owner)
    .bind(lease.length)
    .bind(probe)
    .fetch_optional(pool)
    .await?;
    let claimed = row.and_then(|row| lease.of(row));
    if claimed.is_some() {
        Counter::SyncsClaimed.increment(&[("trigger", "probe")]);
    }
    Ok(claimed)
}

/// Whether a claim by timer would find anything: requests to fold, or rows that may go.
///
/// # Errors
/// The database can't be reached.
pub(super) async fn something_is_due(pool: &PgPool) -> Result<bool, sqlx::Error> {
    let mut connection = pool.acquire().await?;
    let requests = sqlx::query_scalar("SELECT EXISTS (SELECT FROM sync.requests)").fetch_one(&mut *connection).await?;
    Ok(requests || due(&mut connection, 1).await? > 0)
}

/// Of a claimed row whose outcome is unknown: whether nothing was asked for since the attempt began that made it so. Then whatever FlashERP holds
/// is what was exchanged before, what that attempt or a later one wrote, which is what is wanted now, or what somebody in FlashERP has
/// made of it. To be asked after the record was loaded, so that no change in what is wanted goes unseen.
///
/// # Errors
/// The database can't be reached.
pub(super) async fn is_undisturbed(pool: &PgPool, id: SyncId) -> Result<bool, sqlx::Error> {
    sqlx::query_scalar(
        "SELECT s.requested = s.taken_known
            AND NOT EXISTS (SELECT FROM sync.requests r WHERE r.source_id = s.source_id AND r.entity_type = s.source_type)
            AND NOT EXISTS (SELECT FROM sync.stray_writes w WHERE w.sync_id = s.id AND w.settled_at IS NULL)
         FROM sync.erp_syncs s WHERE s.id = $1",
    )
    .bind(id.as_uuid())
    .fetch_one(pool)
    .await
}

fn ids_of(which: Which<'_>) -> Vec<Uuid> {
    let sync_id = |kind, id| SyncId::of(domain::SourceSystem::Upcoach, kind, id).as_uuid();
    match which {
        Which::Sources(kind, ids) => ids.iter().map(|id| sync_id(kind, *id)).collect(),
        Which::Customers(needed) => needed.iter().map(|wish| sync_id(EntityType::Customer, wish.source_id)).collect(),
        Which::Checked(wish) => vec![sync_id(EntityType::Customer, wish.source_id)],
        Which::Rows(ids) => ids.iter().map(|id| id.as_uuid()).collect(),
        Which::Due(_) => Vec::new(),
    }
}

impl Lease {
    /// A lease that begins now.
    fn from_now(length: Duration) -> Self {
        Self { owner: Uuid::new_v4(), begun: Instant::now(), length }
    }

    /// The rows that hold it.
    pub(super) fn claimed(&self, rows: Vec<ClaimedRow>) -> Vec<Claimed> {
        rows.into_iter().filter_map(|row| self.of(row)).collect()
    }

    /// None only for a label that this build does not know (a newer migration's): its lease runs out.
    fn of(&self, row: ClaimedRow) -> Option<Claimed> {
        Some(Claimed {
            id: SyncId(row.id),
            entity_type: row.source_type.parse().ok()?,
            source_id: row.source_id,
            owner: self.owner,
            lease_end: self.begun + self.length,
            claimed: self.begun,
            target_id: row.target_id.and_then(|id| FlashErpId::new(id).ok()),
            retry_count: u32::try_from(row.retry_count).unwrap_or(0),
            generation: u32::try_from(row.generation).unwrap_or(0),
            base: row.base_payload.map(|base| base.0).unwrap_or_default(),
            outcome: row.outcome.parse().ok()?,
            origin: row.origin.parse().ok()?,
            force: row.force,
            batch: row.batch_id,
            taken: row.taken,
            waiting_since: row.waiting_since,
        })
    }
}
