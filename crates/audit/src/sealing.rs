//! Makes the next seal: over the rows since the last one whose transactions have all ended.
//!
//! Sequence numbers and times commit out of order, but no row can appear any more below `pg_snapshot_xmin`: up to there a seal is over what will
//! always be seen. It is made within the caller's transaction, which an advisory lock keeps others out of: several schedulers make one chain, and who
//! dies before the commit has made nothing. The unique keys say the same to whoever gets past the lock.

use futures::TryStreamExt as _;
use sha2::{Digest as _, Sha256};
use sqlx::PgConnection;
use time::OffsetDateTime;
use uuid::Uuid;

use crate::canonical::canonical_sha256;
use crate::leaf::{Leaf, SIZE};
use crate::seal::{Epoch, Hash, NO_HEAD, Seal};

/// Rows under one seal, unless one transaction wrote more: what is made in a few seconds and some 10 MB.
pub const MOST_ROWS: i64 = 200_000;
/// Leaves in one piece.
const PIECE: usize = 8_192;

/// Where the chain stands.
#[derive(sqlx::FromRow)]
struct Last {
    number: i64,
    epoch: i32,
    until_xid: String,
    head: Vec<u8>,
}

/// Makes the next seal, in the caller's transaction (read committed), over `most` rows or what one transaction wrote. None when nothing is to be sealed.
///
/// # Errors
/// The database; the transaction is to be rolled back then.
pub async fn seal_next(connection: &mut PgConnection, most: i64) -> Result<Option<Seal>, sqlx::Error> {
    sqlx::query("SELECT pg_advisory_xact_lock(hashtextextended('audit.seals', 0))").execute(&mut *connection).await?;
    let last: Option<Last> =
        sqlx::query_as("SELECT number, epoch, until_xid::text, head FROM audit.seals ORDER BY number DESC LIMIT 1")
            .fetch_optional(&mut *connection)
            .await?;
    let last = last.unwrap_or_else(|| Last { number: 0, epoch: 0, until_xid: "0".to_owned(), head: NO_HEAD.to_vec() });
    let epochs: Vec<Epoch> = sqlx::query_as(
        "SELECT epoch, began_at, restored_head, note FROM audit.epochs WHERE epoch >= $1 ORDER BY epoch",
    )
    .bind(last.epoch)
    .fetch_all(&mut *connection)
    .await?;
    let current = epochs.last().map(|epoch| epoch.epoch);
    for epoch in epochs {
        let from = if epoch.epoch == last.epoch { last.until_xid.as_str() } else { "0" };
        let is_current = current == Some(epoch.epoch);
        let Some(range) = next_range(connection, epoch.epoch, from, is_current, most).await? else { continue };
        let (leaves, rows_sha256) = leaves(connection, epoch.epoch, &range).await?;
        let row_count = (leaves.iter().map(Vec::len).sum::<usize>() / SIZE) as u64;
        let seal = Seal {
            number: last.number + 1,
            epoch,
            from_xid: xid(&range.from)?,
            until_xid: xid(&range.until)?,
            row_count,
            rows_sha256,
            previous_head: hash(&last.head)?,
            sealed_at: range.now,
        };
        insert(connection, &seal, &leaves).await?;
        return Ok(Some(seal));
    }
    Ok(None)
}

/// Transaction ids from, and up to but without; and the time it is.
struct Range {
    from: String,
    until: String,
    now: OffsetDateTime,
}

/// The next range of an epoch that has rows. An epoch that is over has no upper bound: nothing can come to it any more (`erpctl restored` waits for
/// that), and its transaction ids may be those of another cluster.
async fn next_range(
    connection: &mut PgConnection,
    epoch: i32,
    from: &str,
    current: bool,
    most: i64,
) -> Result<Option<Range>, sqlx::Error> {
    // One statement, one snapshot: what is below its xmin is seen by it, and will be by every later one.
    let (rows, first, newest, past_newest, horizon, now): (
        i64,
        Option<String>,
        Option<String>,
        Option<String>,
        String,
        OffsetDateTime,
    ) = sqlx::query_as(
        "SELECT count(*), min(xid)::text, max(xid)::text, (max(xid)::text::numeric + 1)::text,
            pg_snapshot_xmin(pg_current_snapshot())::text, clock_timestamp()
         FROM (
            SELECT xid FROM audit.erp_audit_logs
            WHERE epoch = $1 AND xid >= $2::text::xid8 AND (NOT $3 OR xid < pg_snapshot_xmin(pg_current_snapshot()))
            ORDER BY xid LIMIT $4) AS next",
    )
    .bind(epoch)
    .bind(from)
    .bind(current)
    .bind(most)
    .fetch_one(connection)
    .await?;
    let (Some(first), Some(newest), Some(past_newest)) = (first, newest, past_newest) else { return Ok(None) };
    let until = if rows < most {
        if current { horizon } else { past_newest }
    } else if first == newest {
        past_newest
    } else {
        // The limit may have cut the last transaction in two: it goes to the next seal.
        newest
    };
    Ok(Some(Range { from: from.to_owned(), until, now }))
}

/// The leaves of a range in order, in pieces, and their hash.
async fn leaves(connection: &mut PgConnection, epoch: i32, range: &Range) -> Result<(Vec<Vec<u8>>, Hash), sqlx::Error> {
    // Materialized: sorted are the leaves and not the rows, and by no walk along the whole log's primary key.
    let statement = concat!(
        "WITH leaves AS MATERIALIZED (
            SELECT l.created_at, l.id, ",
        canonical_sha256!(),
        " AS sha256 FROM audit.erp_audit_logs l
            WHERE l.epoch = $1 AND l.xid >= $2::text::xid8 AND l.xid < $3::text::xid8)
         SELECT created_at, id, sha256 FROM leaves ORDER BY created_at, id"
    );
    let mut rows = sqlx::query_as::<_, (OffsetDateTime, Uuid, Vec<u8>)>(statement)
        .bind(epoch)
        .bind(&range.from)
        .bind(&range.until)
        .fetch(connection);
    let mut pieces: Vec<Vec<u8>> = Vec::new();
    while let Some((created_at, id, sha256)) = rows.try_next().await? {
        if pieces.last().is_none_or(|piece| piece.len() >= PIECE * SIZE) {
            pieces.push(Vec::with_capacity(PIECE * SIZE));
        }
        if let Some(piece) = pieces.last_mut() {
            Leaf::new(created_at, id, hash(&sha256)?).write(piece);
        }
    }
    let mut hasher = Sha256::new();
    for piece in &pieces {
        hasher.update(piece);
    }
    Ok((pieces, hasher.finalize().into()))
}

async fn insert(connection: &mut PgConnection, seal: &Seal, leaves: &[Vec<u8>]) -> Result<(), sqlx::Error> {
    sqlx::query(
        "INSERT INTO audit.seals (number, epoch, from_xid, until_xid, row_count, rows_sha256, previous_head, head, sealed_at)
         VALUES ($1, $2, $3::text::xid8, $4::text::xid8, $5, $6, $7, $8, $9)",
    )
    .bind(seal.number)
    .bind(seal.epoch.epoch)
    .bind(seal.from_xid.to_string())
    .bind(seal.until_xid.to_string())
    .bind(i64::try_from(seal.row_count).unwrap_or(i64::MAX))
    .bind(seal.rows_sha256.as_slice())
    .bind(seal.previous_head.as_slice())
    .bind(seal.head().as_slice())
    .bind(seal.sealed_at)
    .execute(&mut *connection)
    .await?;
    sqlx::query(
        "INSERT INTO audit.seal_leaves (seal, piece, leaves)
         SELECT $1, piece.place - 1, piece.leaves FROM unnest($2::bytea[]) WITH ORDINALITY AS piece (leaves, place)",
    )
    .bind(seal.number)
    .bind(leaves.iter().map(Vec::as_slice).collect::<Vec<_>>())
    .execute(connection)
    .await?;
    Ok(())
}

/// A hash of the database's, which keeps them at 32 bytes.
pub(crate) fn hash(bytes: &[u8]) -> Result<Hash, sqlx::Error> {
    bytes.try_into().map_err(|_| sqlx::Error::Decode("a hash has 32 bytes".into()))
}

/// A transaction id as text.
pub(crate) fn xid(text: &str) -> Result<u64, sqlx::Error> {
    text.parse().map_err(|_| sqlx::Error::Decode("a transaction id is a number".into()))
}
