//! Exports months of the log that are over, so that their partitions may be detached; the chain remains.
//!
//! A month is exported when it is over, every row of it is sealed, and a row of at least five minutes later is: whatever was under way at its end has
//! ended then. The file has a line for each row, the canonical one that was sealed, in the order of the chain; `verify` goes on from it.
//!
//! The file gets its name when it is whole and on disk; then the archive is noted, with an audit row, in one transaction. Who dies in between writes
//! the same file again.

use std::io::Write as _;
use std::path::{Path, PathBuf};

use futures::TryStreamExt as _;
use serde::Serialize;
use sha2::{Digest as _, Sha256};
use sqlx::{Connection as _, PgConnection};
use time::OffsetDateTime;

use crate::canonical::canonical_row;

/// Why a month was not exported, or could not be.
#[derive(Debug, thiserror::Error)]
pub enum ArchiveError {
    /// The database.
    #[error("the database refused, or can't be reached")]
    Database(#[from] sqlx::Error),
    /// The file.
    #[error("{} can't be written", path.display())]
    File {
        /// Where.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// Rows were lost or changed since they were sealed: `verify` says which.
    #[error("{partition} has {found} rows under seals, which are over {sealed}; run `erpctl audit verify`")]
    Incomplete {
        /// The month.
        partition: String,
        /// Rows that are there.
        found: u64,
        /// Rows that are not.
        sealed: u64,
    },
}

/// A month that is exported.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Archived {
    /// The partition, which may be detached now.
    pub partition: String,
    /// Rows in the file.
    pub rows: u64,
    /// SHA-256 of the file, in hex.
    pub sha256: String,
    /// Where the file is.
    pub file: PathBuf,
}

/// The lines of a month's rows under a few seals, in the order of the chain. OFFSET 0: by each seal's range of the index.
const ROWS: &str = concat!(
    "SELECT r.line FROM audit.seals s, LATERAL (
        SELECT l.created_at, l.id, ",
    canonical_row!(),
    " AS line FROM audit.erp_audit_logs l
        WHERE l.epoch = s.epoch AND l.xid >= s.from_xid AND l.xid < s.until_xid AND l.created_at >= $3 AND l.created_at < $4 OFFSET 0) AS r
     WHERE s.number BETWEEN $1 AND $2 ORDER BY s.number, r.created_at, r.id"
);
/// Rows, more or less, that are read at a time.
const GROUP: i64 = 50_000;

/// The file of a month.
#[must_use]
pub fn file_name(partition: &str) -> String {
    format!("{partition}.jsonl")
}

/// A month that may be exported.
#[derive(Debug, sqlx::FromRow)]
struct Month {
    partition: String,
    rows_from: OffsetDateTime,
    rows_until: OffsetDateTime,
}

/// Exports every month that may be and was not yet, oldest first, as the owner. `by`: who, for the audit log.
///
/// # Errors
/// [`ArchiveError`]; the months before are exported.
pub async fn archive(connection: &mut PgConnection, folder: &Path, by: &str) -> Result<Vec<Archived>, ArchiveError> {
    let mut archived = Vec::new();
    for month in due(connection).await? {
        archived.push(export(connection, &month, folder, by).await?);
    }
    Ok(archived)
}

/// The months that are over and wholly sealed. Their bounds are those of the partitions' names, in UTC.
async fn due(connection: &mut PgConnection) -> Result<Vec<Month>, sqlx::Error> {
    sqlx::query_as(
        "WITH months AS (
            SELECT c.oid, c.relname::text AS partition,
                make_timestamptz(left(right(c.relname, 7), 4)::integer, right(c.relname, 2)::integer, 1, 0, 0, 0, 'UTC') AS rows_from
            FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
            WHERE i.inhparent = 'audit.erp_audit_logs'::regclass AND c.relname ~ '^erp_audit_logs_[0-9]{4}_[0-9]{2}$'
         ), over AS (
            SELECT partition, rows_from, date_trunc('month', rows_from + interval '32 days', 'UTC') AS rows_until FROM months
         ), sealed AS (
            SELECT e.epoch, coalesce((SELECT max(s.until_xid) FROM audit.seals s WHERE s.epoch = e.epoch), '0'::xid8) AS until
            FROM audit.epochs e
         )
         SELECT partition, rows_from, rows_until FROM over
         WHERE rows_until < clock_timestamp()
            AND NOT EXISTS (SELECT FROM audit.archives a WHERE a.partition = over.partition)
            AND NOT EXISTS (SELECT FROM sealed s, audit.erp_audit_logs l
                WHERE l.epoch = s.epoch AND l.xid >= s.until AND l.created_at >= rows_from AND l.created_at < rows_until)
            AND EXISTS (SELECT FROM sealed s, audit.erp_audit_logs l
                WHERE l.epoch = s.epoch AND l.xid < s.until AND l.created_at >= rows_until + interval '5 minutes')
         ORDER BY rows_from",
    )
    .fetch_all(connection)
    .await
}

async fn export(
    connection: &mut PgConnection,
    month: &Month,
    folder: &Path,
    by: &str,
) -> Result<Archived, ArchiveError> {
    let path = folder.join(file_name(&month.partition));
    let failed = |source| ArchiveError::File { path: path.clone(), source };
    let mut file = tempfile::NamedTempFile::new_in(folder).map_err(failed)?;
    let mut hasher = Sha256::new();
    let mut found = 0;
    {
        let mut lines = std::io::BufWriter::new(file.as_file_mut());
        for (from, to) in groups(connection, month).await? {
            let mut rows = sqlx::query_scalar::<_, String>(ROWS)
                .bind(from)
                .bind(to)
                .bind(month.rows_from)
                .bind(month.rows_until)
                .fetch(&mut *connection);
            while let Some(mut line) = rows.try_next().await? {
                line.push('\n');
                hasher.update(line.as_bytes());
                lines.write_all(line.as_bytes()).map_err(failed)?;
                found += 1;
            }
        }
        lines.flush().map_err(failed)?;
    }
    file.as_file().sync_all().map_err(failed)?;
    file.persist(&path).map_err(|error| failed(error.error))?;
    std::fs::File::open(folder).and_then(|folder| folder.sync_all()).map_err(failed)?;
    let sha256: [u8; 32] = hasher.finalize().into();
    note(connection, month, found, &sha256, by).await?;
    Ok(Archived { partition: month.partition.clone(), rows: found, sha256: hex::encode(sha256), file: path })
}

/// The seals that may be over rows of a month, as ranges of numbers. A seal is never made before a row that it is over.
async fn groups(connection: &mut PgConnection, month: &Month) -> Result<Vec<(i64, i64)>, sqlx::Error> {
    sqlx::query_as(
        "SELECT min(number), max(number) FROM (
            SELECT number, sum(row_count) OVER (ORDER BY number) / $2 AS part FROM audit.seals WHERE sealed_at >= $1) AS parts
         GROUP BY part ORDER BY 1",
    )
    .bind(month.rows_from)
    .bind(GROUP)
    .fetch_all(connection)
    .await
}

/// Notes the archive, with its audit row, unless rows of the month have gone.
async fn note(
    connection: &mut PgConnection,
    month: &Month,
    found: u64,
    sha256: &[u8; 32],
    by: &str,
) -> Result<(), ArchiveError> {
    let mut transaction = connection.begin().await?;
    let rows: i64 =
        sqlx::query_scalar("SELECT count(*) FROM audit.erp_audit_logs WHERE created_at >= $1 AND created_at < $2")
            .bind(month.rows_from)
            .bind(month.rows_until)
            .fetch_one(&mut *transaction)
            .await?;
    let rows = u64::try_from(rows).unwrap_or(0);
    if rows != found {
        return Err(ArchiveError::Incomplete { partition: month.partition.clone(), found, sealed: rows });
    }
    sqlx::query(
        "INSERT INTO audit.archives (partition, rows_from, rows_until, row_count, file_sha256, head, archived_by)
         SELECT $1, $2, $3, $4, $5, head, $6 FROM audit.seals ORDER BY number DESC LIMIT 1",
    )
    .bind(&month.partition)
    .bind(month.rows_from)
    .bind(month.rows_until)
    .bind(i64::try_from(found).unwrap_or(i64::MAX))
    .bind(sha256.as_slice())
    .bind(by)
    .execute(&mut *transaction)
    .await?;
    sqlx::query(
        "INSERT INTO audit.erp_audit_logs (action, entity_type, entity_id, status, performed_by, metadata)
         VALUES ('config_updated', 'audit_archive', $1, 'success', $2, jsonb_build_object('operation', 'audit.archived',
            'rows', $3::bigint, 'sha256', encode($4, 'hex')))",
    )
    .bind(&month.partition)
    .bind(by)
    .bind(i64::try_from(found).unwrap_or(i64::MAX))
    .bind(sha256.as_slice())
    .execute(&mut *transaction)
    .await?;
    transaction.commit().await?;
    Ok(())
}
