//! Folding: requests are deleted and become rows of `sync.erp_syncs`, one per record, in the claim's transaction: a new one with the claim's lease
//! if it may go, else pending.
//!
//! The fold keeps status and lease of a row in hand (its counter is raised, and the holder goes round once more), the settle time of an
//! unknown one and a record's own `not_before`. Rows are written in id order, so that two folds never wait for each other in a ring.

use std::collections::BTreeMap;

use domain::{BatchId, EntityType, Origin, SourceSystem, SyncId};
use sqlx::PgConnection;
use time::OffsetDateTime;
use uuid::Uuid;

use super::claim::{CLAIMED_COLUMNS, Claimed, ClaimedRow, Lease};

/// A wish, of one or of many requests for the same record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Wish {
    pub(super) entity_type: EntityType,
    pub(super) source_id: Uuid,
    pub(super) origin: Origin,
    pub(super) force: bool,
    /// The batches among those that asked, in their order.
    pub(super) batches: Vec<BatchId>,
    /// How many requests it stands for.
    pub(super) requests: i64,
    /// The oldest of them.
    pub(super) since: OffsetDateTime,
}

/// Which requests to take.
#[derive(Debug, Clone, Copy)]
pub(super) enum Requests<'a> {
    /// Those for these records.
    Of(EntityType, &'a [Uuid]),
    /// The oldest, so many at most.
    Oldest(i64),
}

#[derive(sqlx::FromRow)]
struct RequestRow {
    entity_type: String,
    source_id: Uuid,
    origin: String,
    force: bool,
    batch_id: Option<Uuid>,
    requested_at: OffsetDateTime,
}

/// Deletes the requests and merges them by record. Requests in another worker's hands are passed over, and so are those of a type that
/// this build does not know (a newer worker's).
pub(super) async fn take(connection: &mut PgConnection, which: Requests<'_>) -> Result<Vec<Wish>, sqlx::Error> {
    match which {
        Requests::Of(entity_type, ids) => {
            let rows: Vec<RequestRow> = sqlx::query_as(
                "DELETE FROM sync.requests WHERE id IN (
                    SELECT id FROM sync.requests WHERE source_id = ANY ($1) AND entity_type = $2::sync.entity_type
                    FOR UPDATE SKIP LOCKED)
                 RETURNING entity_type::text, source_id, origin::text, force, batch_id, requested_at",
            )
            .bind(ids)
            .bind(entity_type.as_str())
            .fetch_all(connection)
            .await?;
            Ok(merge(rows))
        }
        Requests::Oldest(limit) => {
            // What changed or was asked for by hand goes before what a full sync asked for.
            let mut rows: Vec<RequestRow> = sqlx::query_as(
                "DELETE FROM sync.requests WHERE id IN (
                    SELECT id FROM sync.requests
                    WHERE origin IN ('change', 'heal', 'manual') AND entity_type::text = ANY ($2)
                    ORDER BY id LIMIT $1 FOR UPDATE SKIP LOCKED)
                 RETURNING entity_type::text, source_id, origin::text, force, batch_id, requested_at",
            )
            .bind(limit)
            .bind(known_types())
            .fetch_all(&mut *connection)
            .await?;
            let left = limit - i64::try_from(rows.len()).unwrap_or(limit);
            if left > 0 {
                let routine: Vec<RequestRow> = sqlx::query_as(
                    "DELETE FROM sync.requests WHERE id IN (
                        SELECT id FROM sync.requests
                        WHERE origin NOT IN ('change', 'heal', 'manual') AND entity_type::text = ANY ($2)
                        ORDER BY id LIMIT $1 FOR UPDATE SKIP LOCKED)
                     RETURNING entity_type::text, source_id, origin::text, force, batch_id, requested_at",
                )
                .bind(left)
                .bind(known_types())
                .fetch_all(connection)
                .await?;
                rows.extend(routine);
            }
            Ok(merge(rows))
        }
    }
}

/// How many requests these wishes stand for.
pub(super) fn requests(wishes: &[Wish]) -> i64 {
    wishes.iter().map(|wish| wish.requests).sum()
}

fn known_types() -> Vec<&'static str> {
    EntityType::ALL.iter().map(|kind| kind.as_str()).collect()
}

fn merge(rows: Vec<RequestRow>) -> Vec<Wish> {
    let mut wishes: BTreeMap<(EntityTypeOrder, Uuid), Wish> = BTreeMap::new();
    for row in rows {
        // Both come from enums of the database whose labels these types have.
        let (Ok(entity_type), Ok(origin)) = (row.entity_type.parse::<EntityType>(), row.origin.parse::<Origin>())
        else {
            continue;
        };
        let batch = row.batch_id.map(BatchId);
        wishes
            .entry((EntityTypeOrder(entity_type.as_str()), row.source_id))
            .and_modify(|wish| {
                wish.origin = Origin::stronger(wish.origin, origin);
                wish.force |= row.force;
                wish.batches.extend(batch.filter(|batch| !wish.batches.contains(batch)));
                wish.requests += 1;
                wish.since = wish.since.min(row.requested_at);
            })
            .or_insert(Wish {
                entity_type,
                source_id: row.source_id,
                origin,
                force: row.force,
                batches: batch.into_iter().collect(),
                requests: 1,
                since: row.requested_at,
            });
    }
    wishes.into_values().collect()
}

#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct EntityTypeOrder(&'static str);

/// Writes the wishes into their rows. A row that is new here and may go is born with this lease: claiming it a statement later would write
/// it, and all of its index entries, a second time. Returns those.
pub(super) async fn fold(
    connection: &mut PgConnection,
    wishes: &[Wish],
    lease: &Lease,
) -> Result<Vec<Claimed>, sqlx::Error> {
    if wishes.is_empty() {
        return Ok(Vec::new());
    }
    let mut rows: Vec<(SyncId, &Wish)> =
        wishes.iter().map(|wish| (SyncId::of(SourceSystem::Upcoach, wish.entity_type, wish.source_id), wish)).collect();
    rows.sort_by_key(|(id, _)| *id);
    let born: Vec<ClaimedRow> = sqlx::query_as(sqlx::AssertSqlSafe(format!(
        "WITH written AS (
         INSERT INTO sync.erp_syncs AS s
            (id, source_system, source_type, source_id, sync_status, origin, force, batch_id, requested, waiting_since, due_at,
             lease_owner, lease_until, claimed_at, last_sync_attempt, taken, taken_known)
         SELECT id, 'upcoach', type::sync.entity_type, source_id,
            CASE WHEN may_go THEN 'syncing' ELSE 'pending' END::sync.sync_status,
            origin::sync.origin, force, batch_id, requests, since,
            CASE WHEN NOT may_go THEN clock_timestamp() END,
            CASE WHEN may_go THEN $9::uuid END,
            CASE WHEN may_go THEN clock_timestamp() + $10::interval END,
            CASE WHEN may_go THEN clock_timestamp() END,
            CASE WHEN may_go THEN clock_timestamp() END,
            CASE WHEN may_go THEN requests ELSE 0 END,
            CASE WHEN may_go THEN requests ELSE 0 END
         FROM unnest($1::uuid[], $2::text[], $3::uuid[], $4::text[], $5::boolean[], $6::uuid[], $7::bigint[],
                $8::timestamptz[])
            AS wish (id, type, source_id, origin, force, batch_id, requests, since),
            sync.outbound_conditions c,
            LATERAL (SELECT c.enabled AND c.gate_open AND (c.auto_sync OR wish.origin IN ('manual', 'heal')) AS may_go) AS m
         ORDER BY id
         ON CONFLICT (id) DO UPDATE SET
            requested = s.requested + excluded.requested,
            -- the origin of a row that came to an end is history; of one that is still wanted the stronger rules
            origin = CASE
                WHEN s.sync_status IN ('synced', 'skipped') OR (s.sync_status = 'failed' AND s.due_at IS NULL)
                THEN excluded.origin ELSE greatest(s.origin, excluded.origin) END,
            force = excluded.force OR (s.sync_status NOT IN ('synced', 'skipped') AND s.force),
            batch_id = coalesce(excluded.batch_id, s.batch_id),
            waiting_since = coalesce(s.waiting_since, excluded.waiting_since),
            retry_count = CASE WHEN excluded.origin IN ('change', 'heal', 'manual') THEN 0 ELSE s.retry_count END,
            restarted_at = CASE WHEN excluded.origin IN ('change', 'heal', 'manual') THEN clock_timestamp() ELSE s.restarted_at END,
            sync_status = CASE
                WHEN s.lease_owner IS NOT NULL OR s.outcome = 'unknown' THEN s.sync_status
                ELSE 'pending' END,
            next_retry_at = CASE
                WHEN s.lease_owner IS NOT NULL OR s.outcome = 'unknown' THEN s.next_retry_at
                WHEN excluded.origin IN ('change', 'heal', 'manual') THEN NULL
                ELSE s.next_retry_at END,
            -- who waits for a customer goes on waiting; who failed because of one is looked at again
            waits_for = CASE WHEN s.sync_status = 'failed' THEN NULL ELSE s.waits_for END,
            due_at = CASE
                WHEN s.lease_owner IS NOT NULL THEN NULL
                WHEN s.waits_for IS NOT NULL AND s.sync_status <> 'failed' THEN NULL
                -- routine origins don't hurry a retry that has its time
                WHEN excluded.origin NOT IN ('change', 'heal', 'manual') AND s.due_at IS NOT NULL THEN s.due_at
                ELSE greatest(clock_timestamp(), s.settle_until, s.not_before) END,
            skipped_by_hand = false,
            skip_reason = NULL,
            updated_at = clock_timestamp()
         -- what a person skipped, only a person takes back; what has failed for good, no routine revives
         WHERE NOT (s.sync_status = 'skipped' AND s.skipped_by_hand AND excluded.origin <> 'manual')
            AND NOT (s.sync_status = 'failed' AND s.due_at IS NULL AND excluded.origin NOT IN ('change', 'heal', 'manual'))
         RETURNING s.*)
         SELECT {CLAIMED_COLUMNS} FROM written s WHERE s.lease_owner = $9"
    )))
    .bind(rows.iter().map(|(id, _)| id.as_uuid()).collect::<Vec<_>>())
    .bind(rows.iter().map(|(_, wish)| wish.entity_type.as_str()).collect::<Vec<_>>())
    .bind(rows.iter().map(|(_, wish)| wish.source_id).collect::<Vec<_>>())
    .bind(rows.iter().map(|(_, wish)| wish.origin.as_str()).collect::<Vec<_>>())
    .bind(rows.iter().map(|(_, wish)| wish.force).collect::<Vec<_>>())
    .bind(rows.iter().map(|(_, wish)| wish.batches.last().map(BatchId::as_uuid)).collect::<Vec<_>>())
    .bind(rows.iter().map(|(_, wish)| wish.requests).collect::<Vec<_>>())
    .bind(rows.iter().map(|(_, wish)| wish.since).collect::<Vec<_>>())
    .bind(lease.owner)
    .bind(lease.length)
    .fetch_all(&mut *connection)
    .await?;
    note_items(connection, &rows).await?;
    Ok(lease.claimed(born))
}

/// Makes an item of each record for each batch that asked for it. It is settled when the row has come to rest; a row that no routine revives is at
/// rest already.
async fn note_items(connection: &mut PgConnection, rows: &[(SyncId, &Wish)]) -> Result<(), sqlx::Error> {
    let items: Vec<(Uuid, Uuid)> = rows
        .iter()
        .flat_map(|(sync, wish)| wish.batches.iter().map(|batch| (batch.as_uuid(), sync.as_uuid())))
        .collect();
    if items.is_empty() {
        return Ok(());
    }
    let (batches, syncs): (Vec<Uuid>, Vec<Uuid>) = items.into_iter().unzip();
    sqlx::query(
        "INSERT INTO sync.batch_items (batch_id, sync_id)
         SELECT b.id, item.sync FROM unnest($1::uuid[], $2::uuid[]) AS item (batch, sync)
         JOIN sync.batches b ON b.id = item.batch AND b.status IN ('pending', 'running')
         ON CONFLICT DO NOTHING",
    )
    .bind(batches)
    .bind(syncs)
    .execute(connection)
    .await?;
    Ok(())
}
