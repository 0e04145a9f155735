//! Checks the log against its seals and names the first break.
//!
//! Believes nothing but arithmetic and the heads that were kept outside: a database's owner can switch triggers off, change rows, and make all seals
//! anew, but not so that they have a head that was kept before. Writes nothing, takes no lock that anybody waits for, and may be broken off anywhere.

mod archives;
mod chain;
mod problem;
mod protection;
mod rows;

use std::path::PathBuf;

use serde::Serialize;
use sqlx::{Executor as _, PgConnection};
use time::OffsetDateTime;
use uuid::Uuid;

pub use chain::KeptHead;
pub use problem::Problem;

use archives::Archives;
use chain::{Kept, Stored};

/// Unsealed rows are counted up to here.
const MOST_UNSEALED: i64 = 1_000_000;

/// What is checked beside the chain itself.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// Heads that were kept outside.
    pub heads: Vec<KeptHead>,
    /// Only the rows of the newest seals, so many at least; none: all.
    pub newest_rows: Option<u64>,
    /// Where the archives' files are; none: rows that are in archives only are counted.
    pub archives: Option<PathBuf>,
}

/// What was found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Verdict {
    /// No break, and everything that refuses changes is in force.
    pub intact: bool,
    /// Seals checked.
    pub seals: u64,
    /// The number of the last one checked; 0: none.
    pub last_seal: i64,
    /// Its head, in hex.
    pub head: Option<String>,
    /// When it was made.
    #[serde(with = "time::serde::rfc3339::option")]
    pub last_sealed_at: Option<OffsetDateTime>,
    /// The current epoch.
    pub epoch: i32,
    /// Rows under the seals checked.
    pub rows_sealed: u64,
    /// Rows compared one by one.
    pub rows_checked: u64,
    /// Rows of these that are in archives only; checked if the files were given.
    pub rows_in_archives: u64,
    /// Rows since the last seal, which nothing is known of yet (counted up to a million).
    pub rows_unsealed: u64,
    /// Since when the oldest of them waits.
    #[serde(with = "time::serde::rfc3339::option")]
    pub unsealed_since: Option<OffsetDateTime>,
    /// The first break.
    pub problem: Option<Problem>,
    /// It in words.
    pub message: Option<String>,
    /// What should refuse changes and does not.
    pub unprotected: Vec<String>,
}

/// Checks the log, as a role that may read all of schema `audit`.
///
/// # Errors
/// The database can't be read; nothing is known then.
pub async fn verify(connection: &mut PgConnection, options: &Options) -> Result<Verdict, sqlx::Error> {
    // Nothing that an owner may have put in the way of PostgreSQL's own functions and operators.
    connection.execute("SET search_path TO pg_catalog, pg_temp").await?;
    let verdict = check(connection, options).await;
    connection.execute("RESET search_path").await?;
    verdict
}

async fn check(connection: &mut PgConnection, options: &Options) -> Result<Verdict, sqlx::Error> {
    let epoch: Option<i32> =
        sqlx::query_scalar("SELECT max(epoch) FROM audit.epochs").fetch_one(&mut *connection).await?;
    let mut verdict = Verdict {
        intact: false,
        seals: 0,
        last_seal: 0,
        head: None,
        last_sealed_at: None,
        epoch: epoch.unwrap_or(0),
        rows_sealed: 0,
        rows_checked: 0,
        rows_in_archives: 0,
        rows_unsealed: 0,
        unsealed_since: None,
        problem: None,
        message: None,
        unprotected: protection::missing(connection).await?,
    };
    let mut archives = Archives::load(connection, options.archives.as_deref()).await?;
    let rows_from = match options.newest_rows {
        None => 1,
        Some(rows) => first_seal_of_newest(connection, rows).await?,
    };
    verdict.problem = walk(connection, options, rows_from, &mut archives, &mut verdict).await?.err();
    verdict.rows_in_archives = archives.rows;
    verdict.message = verdict.problem.as_ref().map(Problem::to_string);
    verdict.intact = verdict.problem.is_none() && verdict.unprotected.is_empty();
    Ok(verdict)
}

async fn walk(
    connection: &mut PgConnection,
    options: &Options,
    rows_from: i64,
    archives: &mut Archives,
    verdict: &mut Verdict,
) -> Result<Result<(), Problem>, sqlx::Error> {
    let mut kept = Kept::new(&options.heads);
    let mut last: Option<Stored> = None;
    loop {
        let mut seals = chain::after(connection, verdict.last_seal).await?;
        if seals.is_empty() {
            break;
        }
        while !seals.is_empty() {
            let group = rows::next_group(&mut seals);
            let mut broken = None;
            let mut whole = 0;
            for stored in &group {
                let before = if whole == 0 { last.as_ref() } else { group.get(whole - 1) };
                broken = chain::link(before, stored).and_then(|()| kept.compare(stored)).err();
                if broken.is_none() {
                    broken = restored_head_is_known(connection, before, stored).await?.err();
                }
                if broken.is_some() {
                    break;
                }
                whole += 1;
            }
            // The rows before a broken link come before it.
            let linked: Vec<Stored> = group.into_iter().take(whole).collect();
            let first = linked.iter().position(|stored| stored.seal.number >= rows_from).unwrap_or(linked.len());
            let compared = linked.get(first..).unwrap_or_default();
            if let Err(problem) = rows::compare(connection, compared, archives).await? {
                return Ok(Err(problem));
            }
            verdict.rows_checked += compared.iter().map(|stored| stored.seal.row_count).sum::<u64>();
            verdict.rows_sealed += linked.iter().map(|stored| stored.seal.row_count).sum::<u64>();
            verdict.seals += linked.len() as u64;
            if let Some(stored) = linked.into_iter().next_back() {
                verdict.last_seal = stored.seal.number;
                verdict.head = Some(hex::encode(stored.head));
                verdict.last_sealed_at = Some(stored.seal.sealed_at);
                last = Some(stored);
            }
            if let Some(problem) = broken {
                return Ok(Err(problem));
            }
        }
    }
    if let Err(problem) = kept.end(verdict.last_seal) {
        return Ok(Err(problem));
    }
    if rows_from <= 1
        && let Err(problem) = archives.end().await
    {
        return Ok(Err(problem));
    }
    rest(connection, last.as_ref(), verdict).await
}

/// A restored epoch goes on from a head of this chain.
async fn restored_head_is_known(
    connection: &mut PgConnection,
    before: Option<&Stored>,
    stored: &Stored,
) -> Result<Result<(), Problem>, sqlx::Error> {
    let new = before.is_none_or(|before| before.seal.epoch.epoch != stored.seal.epoch.epoch);
    let Some(head) = stored.seal.epoch.restored_head.as_ref().filter(|_| new) else { return Ok(Ok(())) };
    let known: bool = sqlx::query_scalar("SELECT EXISTS (SELECT FROM audit.seals WHERE head = $1 AND number < $2)")
        .bind(head)
        .bind(stored.seal.number)
        .fetch_one(connection)
        .await?;
    let what = "the head that its epoch was restored from is not in the chain".to_owned();
    Ok(if known { Ok(()) } else { Err(Problem::LinkBroken { seal: stored.seal.number, what }) })
}

/// The rows under no seal: those that wait for the next one, and those that can't be there.
async fn rest(
    connection: &mut PgConnection,
    last: Option<&Stored>,
    verdict: &mut Verdict,
) -> Result<Result<(), Problem>, sqlx::Error> {
    let (epoch, until) = last.map_or((0, 0), |last| (last.seal.epoch.epoch, last.seal.until_xid));
    let added: Option<(Uuid, OffsetDateTime)> = sqlx::query_as(
        "SELECT r.id, r.created_at FROM audit.epochs e, LATERAL (
            SELECT l.id, l.created_at FROM audit.erp_audit_logs l
            WHERE l.epoch = e.epoch
                AND l.xid >= coalesce((SELECT max(s.until_xid) FROM audit.seals s WHERE s.epoch = e.epoch), '0'::xid8)
            LIMIT 1) AS r
         WHERE e.epoch < $1
         UNION ALL
         SELECT l.id, l.created_at FROM audit.erp_audit_logs l
         WHERE l.epoch < (SELECT min(epoch) FROM audit.epochs) OR l.epoch > (SELECT max(epoch) FROM audit.epochs)
         LIMIT 1",
    )
    .bind(epoch)
    .fetch_optional(&mut *connection)
    .await?;
    if let Some((id, created_at)) = added {
        return Ok(Err(Problem::RowAdded { id, created_at }));
    }
    let (rows, since): (i64, Option<OffsetDateTime>) = sqlx::query_as(
        "SELECT count(*), min(created_at) FROM (
            SELECT created_at FROM audit.erp_audit_logs WHERE (epoch, xid) >= ($1, $2::text::xid8) LIMIT $3) AS unsealed",
    )
    .bind(epoch)
    .bind(until.to_string())
    .bind(MOST_UNSEALED)
    .fetch_one(connection)
    .await?;
    (verdict.rows_unsealed, verdict.unsealed_since) = (u64::try_from(rows).unwrap_or(0), since);
    Ok(Ok(()))
}

/// The first of the newest seals that are over so many rows.
async fn first_seal_of_newest(connection: &mut PgConnection, rows: u64) -> Result<i64, sqlx::Error> {
    sqlx::query_scalar(
        "SELECT coalesce(min(number), 1) FROM (
            SELECT number, sum(row_count) OVER (ORDER BY number DESC) - row_count AS newer FROM audit.seals) AS seals
         WHERE newer < $1",
    )
    .bind(i64::try_from(rows).unwrap_or(i64::MAX))
    .fetch_one(connection)
    .await
}
