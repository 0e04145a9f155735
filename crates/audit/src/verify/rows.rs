//! The rows under a few seals, each against its leaf: one walk along both, in the order that they were sealed in.

use std::collections::VecDeque;

use futures::TryStreamExt as _;
use sha2::{Digest as _, Sha256};
use sqlx::PgConnection;
use time::OffsetDateTime;
use uuid::Uuid;

use super::archives::Archives;
use super::chain::Stored;
use super::problem::Problem;
use crate::canonical::canonical_sha256;
use crate::leaf::Leaf;
use crate::sealing::hash;

/// Rows, more or less, that are compared at a time.
const GROUP: u64 = 50_000;

/// Takes seals from the front whose rows are compared together.
pub(super) fn next_group(seals: &mut VecDeque<Stored>) -> Vec<Stored> {
    let mut group: Vec<Stored> = Vec::new();
    let mut rows = 0;
    while rows < GROUP
        && let Some(next) = seals.pop_front()
    {
        rows += next.seal.row_count;
        group.push(next);
    }
    group
}

/// Compares the rows of consecutive seals. Returns the first break.
pub(super) async fn compare(
    connection: &mut PgConnection,
    group: &[Stored],
    archives: &mut Archives,
) -> Result<Result<(), Problem>, sqlx::Error> {
    let (Some(first), Some(last)) = (group.first(), group.last()) else { return Ok(Ok(())) };
    let range = (first.seal.number, last.seal.number);
    let leaves = match leaves(connection, group, range).await? {
        Ok(leaves) => leaves,
        Err(problem) => return Ok(Err(problem)),
    };
    // OFFSET 0: each seal's rows are looked up by their range of the index, whatever the planner thinks of joins.
    let statement = concat!(
        "WITH sealed AS MATERIALIZED (
            SELECT s.number, r.created_at, r.id, r.sha256 FROM audit.seals s, LATERAL (
                SELECT l.created_at, l.id, ",
        canonical_sha256!(),
        " AS sha256 FROM audit.erp_audit_logs l
                WHERE l.epoch = s.epoch AND l.xid >= s.from_xid AND l.xid < s.until_xid OFFSET 0) AS r
            WHERE s.number BETWEEN $1 AND $2)
         SELECT number, created_at, id, sha256 FROM sealed ORDER BY number, created_at, id"
    );
    let mut rows = sqlx::query_as::<_, (i64, OffsetDateTime, Uuid, Vec<u8>)>(statement)
        .bind(range.0)
        .bind(range.1)
        .fetch(connection);
    let mut leaves = leaves.into_iter().peekable();
    while let Some((seal, created_at, id, sha256)) = rows.try_next().await? {
        let row = Leaf::new(created_at, id, hash(&sha256)?);
        let place = |(seal, leaf): &(i64, Leaf)| (*seal, leaf.key());
        while let Some((missing_from, leaf)) = leaves.next_if(|next| place(next) < (seal, row.key())) {
            if let Err(problem) = missing(archives, missing_from, &leaf).await {
                return Ok(Err(problem));
            }
        }
        let Some((_, leaf)) = leaves.next_if(|next| place(next) == (seal, row.key())) else {
            return Ok(Err(Problem::RowAdded { id, created_at }));
        };
        if leaf.sha256 != row.sha256 {
            return Ok(Err(Problem::RowChanged { seal, id, created_at }));
        }
    }
    for (seal, leaf) in leaves {
        if let Err(problem) = missing(archives, seal, &leaf).await {
            return Ok(Err(problem));
        }
    }
    Ok(Ok(()))
}

async fn missing(archives: &mut Archives, seal: i64, leaf: &Leaf) -> Result<(), Problem> {
    if archives.has(leaf).await? {
        return Ok(());
    }
    Err(Problem::RowMissing { seal, id: leaf.id, created_at: leaf.time() })
}

/// The leaves of the seals, in order, if they are those that the seals are over.
async fn leaves(
    connection: &mut PgConnection,
    group: &[Stored],
    (from, to): (i64, i64),
) -> Result<Result<Vec<(i64, Leaf)>, Problem>, sqlx::Error> {
    let pieces: Vec<(i64, Vec<u8>)> =
        sqlx::query_as("SELECT seal, leaves FROM audit.seal_leaves WHERE seal BETWEEN $1 AND $2 ORDER BY seal, piece")
            .bind(from)
            .bind(to)
            .fetch_all(connection)
            .await?;
    let mut pieces = pieces.into_iter().peekable();
    let mut all = Vec::new();
    for Stored { seal, .. } in group {
        let mut bytes = Vec::new();
        while let Some((_, piece)) = pieces.next_if(|(of, _)| *of == seal.number) {
            bytes.extend_from_slice(&piece);
        }
        let sha256: crate::Hash = Sha256::digest(&bytes).into();
        let read = Leaf::read_all(&bytes).filter(|leaves| {
            sha256 == seal.rows_sha256 && leaves.len() as u64 == seal.row_count && leaves.is_sorted_by_key(Leaf::key)
        });
        match read {
            Some(leaves) => all.extend(leaves.into_iter().map(|leaf| (seal.number, leaf))),
            None => return Ok(Err(Problem::LeavesChanged { seal: seal.number })),
        }
    }
    Ok(Ok(all))
}
