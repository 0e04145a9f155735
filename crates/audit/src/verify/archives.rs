//! The months whose rows are no longer in the database, and their files.
//!
//! A row that a seal is over and the database lacks is no loss if its month was exported and detached. Without the files such rows are counted and
//! not checked; with them every line must be the very row that was sealed, in the order of the chain.

use std::path::{Path, PathBuf};

use sha2::{Digest as _, Sha256};
use sqlx::PgConnection;
use time::OffsetDateTime;
use tokio::fs::File;
use tokio::io::{AsyncBufReadExt as _, BufReader, Lines};

use super::problem::Problem;
use crate::archive::file_name;
use crate::leaf::{Leaf, micros};
use crate::seal::Hash;

pub(super) struct Archives {
    months: Vec<Month>,
    folder: Option<PathBuf>,
    /// Rows that are in archives only.
    pub(super) rows: u64,
}

struct Month {
    partition: String,
    from: i64,
    until: i64,
    row_count: u64,
    met: u64,
    lines: Option<Lines<BufReader<File>>>,
}

impl Archives {
    pub(super) async fn load(connection: &mut PgConnection, folder: Option<&Path>) -> Result<Self, sqlx::Error> {
        let detached: Vec<(String, OffsetDateTime, OffsetDateTime, i64)> = sqlx::query_as(
            "SELECT a.partition, a.rows_from, a.rows_until, a.row_count FROM audit.archives a
             WHERE NOT EXISTS (SELECT FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
                WHERE i.inhparent = 'audit.erp_audit_logs'::regclass AND c.relname = a.partition)
             ORDER BY a.rows_from",
        )
        .fetch_all(connection)
        .await?;
        let months = detached
            .into_iter()
            .map(|(partition, from, until, row_count)| Month {
                partition,
                from: micros(from),
                until: micros(until),
                row_count: u64::try_from(row_count).unwrap_or(0),
                met: 0,
                lines: None,
            })
            .collect();
        Ok(Self { months, folder: folder.map(Path::to_owned), rows: 0 })
    }

    /// Whether a row that the database lacks is in an archive, and, with the files, whether it is there what it was.
    pub(super) async fn has(&mut self, leaf: &Leaf) -> Result<bool, Problem> {
        let within = |month: &&mut Month| (month.from..month.until).contains(&leaf.created_at);
        let Some(month) = self.months.iter_mut().find(within) else { return Ok(false) };
        month.met += 1;
        self.rows += 1;
        if let Some(folder) = &self.folder {
            let line = month.met;
            let sha256 = month.next_line(folder).await?;
            if sha256 != Some(leaf.sha256) {
                return Err(month.changed(format!("line {line} is not row {} of {}", leaf.id, leaf.time())));
            }
        }
        Ok(true)
    }

    /// When every seal was checked: each month has to have been met whole.
    pub(super) async fn end(&mut self) -> Result<(), Problem> {
        for month in &mut self.months {
            if month.met != month.row_count {
                return Err(
                    month.changed(format!("{} rows were archived, seals are over {}", month.row_count, month.met))
                );
            }
            if let Some(folder) = &self.folder
                && month.next_line(folder).await?.is_some()
            {
                return Err(month.changed(format!("there is more after line {}", month.met)));
            }
        }
        Ok(())
    }
}

impl Month {
    /// The hash of the file's next line; none at its end.
    async fn next_line(&mut self, folder: &Path) -> Result<Option<Hash>, Problem> {
        let lines = match &mut self.lines {
            Some(lines) => lines,
            opening @ None => {
                let path = folder.join(file_name(&self.partition));
                let file = match File::open(&path).await {
                    Ok(file) => file,
                    Err(error) => return Err(self.changed(format!("{} can't be read: {error}", path.display()))),
                };
                opening.insert(BufReader::new(file).lines())
            }
        };
        match lines.next_line().await {
            Ok(line) => Ok(line.map(|line| Sha256::digest(line.as_bytes()).into())),
            Err(error) => Err(self.changed(format!("its file can't be read: {error}"))),
        }
    }

    fn changed(&self, what: String) -> Problem {
        Problem::ArchiveChanged { partition: self.partition.clone(), what }
    }
}
