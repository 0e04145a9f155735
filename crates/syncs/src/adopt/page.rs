//! A page of FlashERP's records, taken over in a few statements.

use std::collections::HashMap;
use std::ops::AddAssign;

use domain::mapping::{Base, Leftover, Record};
use domain::{EntityType, FlashErpId, SourceSystem, SyncId, UserId};
use sqlx::types::Json;
use sqlx::{PgConnection, PgPool};
use uuid::Uuid;

use crate::SourceRecord;
use crate::duplicates::{self, Duplicates};

/// What came of FlashERP's records.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tally {
    /// Read.
    pub seen: u64,
    /// Are a sync's target now.
    pub adopted: u64,
    /// Were its target already.
    pub known: u64,
    /// Left to the worker that has the sync in hand, or that will look up what became of its last write.
    pub left_to_workers: u64,
    /// Carry the reference of a record that has an older one, or another, as its target. Each is reported ([`duplicates`](crate::duplicates)).
    pub doubles: u64,
    /// Carry a reference that UpCoach has no record for.
    pub unknown_reference: u64,
    /// Carry none of our references: FlashERP's own.
    pub not_ours: u64,
}

impl AddAssign for Tally {
    fn add_assign(&mut self, other: Self) {
        self.seen += other.seen;
        self.adopted += other.adopted;
        self.known += other.known;
        self.left_to_workers += other.left_to_workers;
        self.doubles += other.doubles;
        self.unknown_reference += other.unknown_reference;
        self.not_ours += other.not_ours;
    }
}

/// A record of FlashERP's, and the one of UpCoach's that it is.
struct Match<'a> {
    sync: SyncId,
    source_id: Uuid,
    theirs: &'a Record,
    base: Base,
}

pub(super) async fn take_over(
    connection: &mut PgConnection,
    pool: &PgPool,
    kind: EntityType,
    records: &[Record],
) -> Result<Tally, sqlx::Error> {
    let mut tally = Tally { seen: records.len() as u64, ..Tally::default() };
    let referred: Vec<(Uuid, &Record)> =
        records.iter().filter_map(|record| Some((record.reference()?.parse().ok()?, record))).collect();
    tally.not_ours = tally.seen - referred.len() as u64;
    let ids: Vec<Uuid> = referred.iter().map(|(id, _)| *id).collect();
    let ours = crate::load(pool, kind, &ids).await?;
    let customers = targets_of_owners(connection, &ours).await?;

    // FlashERP lists the oldest first: of two with the same reference the first is the one.
    let mut matches: HashMap<Uuid, Match<'_>> = HashMap::new();
    let mut doubles: Vec<(Uuid, &Record)> = Vec::new();
    for (source_id, theirs) in referred {
        let Some(record) = ours.get(&source_id) else {
            tally.unknown_reference += 1;
            continue;
        };
        if matches.contains_key(&source_id) {
            doubles.push((source_id, theirs));
            continue;
        }
        let sync = SyncId::of(SourceSystem::Upcoach, kind, source_id);
        let base = base(record.as_ref().ok(), theirs, &customers);
        matches.insert(source_id, Match { sync, source_id, theirs, base });
    }
    let mut matches: Vec<Match<'_>> = matches.into_values().collect();
    matches.sort_by_key(|found| found.sync);

    let adopted = write(connection, kind, &matches).await?;
    let standing = targets(connection, &matches).await?;
    for found in &matches {
        match standing.get(&found.sync.as_uuid()) {
            _ if adopted.contains(&found.sync.as_uuid()) => tally.adopted += 1,
            Some(Some(target)) if target == found.theirs.id.as_str() => tally.known += 1,
            Some(Some(_)) => doubles.push((found.source_id, found.theirs)),
            Some(None) | None => tally.left_to_workers += 1,
        }
    }
    tally.doubles = doubles.len() as u64;
    tell_of(connection, kind, &doubles, &standing).await?;
    Ok(tally)
}

/// What FlashERP holds of it, as the base of what is sent next: only what differs. Of a record that can't be mapped nothing, so that all is sent
/// once it can be.
fn base(ours: Option<&SourceRecord>, theirs: &Record, customers: &HashMap<UserId, FlashErpId>) -> Base {
    let Some(ours) = ours else { return Base::default() };
    let customer = match ours.depends_on() {
        // One that is not adopted itself stands as FlashERP has it; once it is synced, a difference is sent.
        Some(user) => customers
            .get(&user)
            .cloned()
            .or_else(|| FlashErpId::new(theirs.text(domain::mapping::Field::CustomerId)?.to_owned()).ok()),
        None => None,
    };
    match ours.map(customer.as_ref()) {
        Some(Ok(wanted)) => Base::found(&wanted, theirs, Leftover::Keep),
        Some(Err(_)) | None => Base::default(),
    }
}

/// FlashERP's ids of the customers that these depend on.
async fn targets_of_owners(
    connection: &mut PgConnection,
    records: &HashMap<Uuid, Result<SourceRecord, String>>,
) -> Result<HashMap<UserId, FlashErpId>, sqlx::Error> {
    let users: Vec<Uuid> =
        records.values().filter_map(|record| Some(record.as_ref().ok()?.depends_on()?.as_uuid())).collect();
    let rows: Vec<(Uuid, String)> = sqlx::query_as(
        "SELECT source_id, target_id FROM sync.erp_syncs
         WHERE source_system = 'upcoach' AND source_type = 'customer' AND source_id = ANY ($1) AND target_id IS NOT NULL",
    )
    .bind(users)
    .fetch_all(connection)
    .await?;
    Ok(rows.into_iter().filter_map(|(user, id)| Some((UserId(user), FlashErpId::new(id).ok()?))).collect())
}

/// Gives a target to the syncs that have none and are in nobody's hands, and makes those that were never asked for; their ids. A new one is due at
/// once: it sends the difference, if there is one. Rows are written in id order, like everywhere.
async fn write(
    connection: &mut PgConnection,
    kind: EntityType,
    matches: &[Match<'_>],
) -> Result<Vec<Uuid>, sqlx::Error> {
    sqlx::query_scalar(
        "INSERT INTO sync.erp_syncs AS s (id, source_system, source_type, source_id, sync_status, origin, requested, waiting_since,
            due_at, target_id, base_payload, target_created_at, target_updated_at)
         SELECT id, 'upcoach', $1::text::sync.entity_type, source, 'pending', 'adopt', 1, clock_timestamp(), clock_timestamp(), target,
            base, created, updated
         FROM unnest($2::uuid[], $3::uuid[], $4::text[], $5::jsonb[], $6::timestamptz[], $7::timestamptz[])
            AS found (id, source, target, base, created, updated)
         ORDER BY id
         ON CONFLICT (id) DO UPDATE SET
            target_id = excluded.target_id,
            base_payload = excluded.base_payload,
            target_created_at = excluded.target_created_at,
            target_updated_at = excluded.target_updated_at,
            updated_at = clock_timestamp()
         WHERE s.target_id IS NULL AND s.lease_owner IS NULL AND s.outcome = 'known'
         RETURNING s.id",
    )
    .bind(kind.as_str())
    .bind(matches.iter().map(|found| found.sync.as_uuid()).collect::<Vec<_>>())
    .bind(matches.iter().map(|found| found.source_id).collect::<Vec<_>>())
    .bind(matches.iter().map(|found| found.theirs.id.as_str()).collect::<Vec<_>>())
    .bind(matches.iter().map(|found| Json(&found.base)).collect::<Vec<_>>())
    .bind(matches.iter().map(|found| found.theirs.created_at).collect::<Vec<_>>())
    .bind(matches.iter().map(|found| found.theirs.updated_at).collect::<Vec<_>>())
    .fetch_all(connection)
    .await
}

/// The targets of these syncs as they are now.
async fn targets(
    connection: &mut PgConnection,
    matches: &[Match<'_>],
) -> Result<HashMap<Uuid, Option<String>>, sqlx::Error> {
    let rows: Vec<(Uuid, Option<String>)> =
        sqlx::query_as("SELECT id, target_id FROM sync.erp_syncs WHERE id = ANY ($1)")
            .bind(matches.iter().map(|found| found.sync.as_uuid()).collect::<Vec<_>>())
            .fetch_all(connection)
            .await?;
    Ok(rows.into_iter().collect())
}

/// Reports each double. One whose sync has no target yet is left to the worker, which finds all of them.
async fn tell_of(
    connection: &mut PgConnection,
    kind: EntityType,
    doubles: &[(Uuid, &Record)],
    standing: &HashMap<Uuid, Option<String>>,
) -> Result<(), sqlx::Error> {
    let found: Vec<Duplicates> = doubles
        .iter()
        .filter_map(|(source_id, record)| {
            let sync_id = SyncId::of(SourceSystem::Upcoach, kind, *source_id);
            let target = standing.get(&sync_id.as_uuid())?.clone()?;
            Some(Duplicates {
                sync_id,
                entity_type: kind,
                source_id: *source_id,
                adopted: FlashErpId::new(target).ok()?,
                others: vec![record.id.clone()],
            })
        })
        .collect();
    duplicates::note(connection, &found).await
}
