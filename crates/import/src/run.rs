//! The use case: reads, writes batch by batch, tells of every line that could not be taken.

use std::collections::BTreeMap;
use std::error::Error;
use std::net::IpAddr;

use bytes::Bytes;
use domain::{BatchId, EntityType};
use futures::{Stream, TryStreamExt as _};
use sqlx::{Connection as _, PgConnection};
use uuid::Uuid;

use crate::batch::Batch;
use crate::error::{ImportError, LineError};
use crate::progress::{self, Begun, Progress, Summary};
use crate::reader::{Item, Reader};
use crate::split::Mark;
use crate::{Format, store};

/// How often a batch that ran into somebody else's locks is written again.
const TRIES: u32 = 5;

/// How a file is to be read.
#[derive(Debug, Clone)]
pub struct Options {
    pub format: Format,
    /// What all records are; without it each says so in `entityType`.
    pub entity_type: Option<EntityType>,
    /// Makes it one import however often it is begun: a later run with the same key and file goes on behind what was committed.
    pub key: Option<String>,
    /// Who asks for it.
    pub asked: Asked,
}

/// Who asks for an import and where from, for the audit trail.
#[derive(Debug, Clone, Default)]
pub struct Asked {
    /// A person, or a program's name.
    pub by: Option<String>,
    pub address: Option<IpAddr>,
    pub user_agent: Option<String>,
    /// `X-Request-Id`.
    pub request_id: Option<Uuid>,
}

/// A line that was not imported. One that is told of just before a crash is told of again by the run that goes on.
#[derive(Debug)]
pub struct Rejected<'a> {
    pub error: &'a LineError,
    /// As it came, with its line end; empty if it was too long.
    pub raw: &'a [u8],
    /// The first line of a CSV file, as it came.
    pub header: Option<&'a [u8]>,
}

/// Imports a file.
///
/// # Errors
/// What ended the import before the file did. What was committed stays, and the row in `sync.batches` says how far that is.
pub async fn run<E>(
    connection: &mut PgConnection,
    source: impl Stream<Item = Result<Bytes, E>>,
    options: &Options,
    mut on_rejected: impl FnMut(Rejected<'_>),
) -> Result<Summary, ImportError>
where
    E: Into<Box<dyn Error + Send + Sync>>,
{
    let begun = progress::begin(connection, options).await?;
    let (id, is_done, is_resumed) = (begun.id, begun.is_done, begun.progress.counts.records > 0);
    let summary = |Progress { counts, errors, .. }| Summary {
        import_id: BatchId(id),
        is_resumed: is_resumed || is_done,
        counts,
        errors,
    };
    let mut import = Import {
        id,
        reader: Reader::new(options.format, options.entity_type),
        batch: Batch::default(),
        behind: begun.progress.counts.records,
        begun,
        on_rejected: &mut on_rejected,
    };
    if is_done {
        import.compare(source).await?;
        return Ok(summary(import.begun.progress));
    }
    let ended = import.whole(connection, source).await;
    let progress = import.begun.progress;
    let told = match &ended {
        Ok(()) => None,
        // It is not ours to end.
        Err(ImportError::NoLongerOurs) => return ended.map(|()| summary(progress)),
        Err(error) => Some(format!("after {} records: {}", progress.counts.records, chain(error))),
    };
    let still_ours = progress::end(connection, id, options, &progress.counts, told.as_deref()).await;
    ended?;
    if still_ours? { Ok(summary(progress)) } else { Err(ImportError::NoLongerOurs) }
}

fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    text
}

struct Import<'a, F> {
    id: Uuid,
    reader: Reader,
    batch: Batch,
    /// Records of an earlier run that are still to be passed over.
    behind: u64,
    begun: Begun,
    on_rejected: &'a mut F,
}

impl<F: FnMut(Rejected<'_>)> Import<'_, F> {
    async fn whole<E>(
        &mut self,
        connection: &mut PgConnection,
        source: impl Stream<Item = Result<Bytes, E>>,
    ) -> Result<(), ImportError>
    where
        E: Into<Box<dyn Error + Send + Sync>>,
    {
        let mut source = std::pin::pin!(source);
        while let Some(chunk) = source.try_next().await.map_err(|error| ImportError::Source(error.into()))? {
            self.reader.push(&chunk);
            self.take(connection).await?;
        }
        self.reader.end();
        self.take(connection).await?;
        if self.behind > 0 {
            return Err(self.differs());
        }
        let mark = self.reader.mark();
        self.write(connection, &mark).await
    }

    /// Reads the file of an import that is done: another one must not be taken for imported.
    async fn compare<E>(&mut self, source: impl Stream<Item = Result<Bytes, E>>) -> Result<(), ImportError>
    where
        E: Into<Box<dyn Error + Send + Sync>>,
    {
        let mut source = std::pin::pin!(source);
        loop {
            let chunk = source.try_next().await.map_err(|error| ImportError::Source(error.into()))?;
            match &chunk {
                Some(chunk) => self.reader.push(chunk),
                None => self.reader.end(),
            }
            if self.pass_over()? && self.reader.skip()? {
                return Err(self.differs());
            }
            if chunk.is_none() {
                return if self.behind == 0 { Ok(()) } else { Err(self.differs()) };
            }
        }
    }

    /// Passes over what an earlier run has taken. Yes when all of that has come.
    fn pass_over(&mut self) -> Result<bool, ImportError> {
        while self.behind > 0 {
            if !self.reader.skip()? {
                return Ok(false);
            }
            self.behind -= 1;
            if self.behind == 0 && self.reader.mark().digest() != self.begun.progress.sha256 {
                return Err(self.differs());
            }
        }
        Ok(true)
    }

    /// Takes what has come.
    async fn take(&mut self, connection: &mut PgConnection) -> Result<(), ImportError> {
        if !self.pass_over()? {
            return Ok(());
        }
        loop {
            let before = self.reader.mark();
            let Some(item) = self.reader.next()? else { return Ok(()) };
            if self.batch.has(&item) {
                self.write(connection, &before).await?;
            }
            self.add(item);
            if self.batch.is_full() {
                let mark = self.reader.mark();
                self.write(connection, &mark).await?;
            }
        }
    }

    fn add(&mut self, item: Item) {
        match item {
            Item::Record(place, record) => self.batch.add(place, record),
            Item::Rejected(place, error) => {
                (self.on_rejected)(Rejected { error: &error, raw: &place.raw, header: self.reader.header() });
                self.batch.reject(&error);
            }
        }
    }

    /// Writes the batch and, in the same transaction, how far the import is; `mark` is that place in the file.
    async fn write(&mut self, connection: &mut PgConnection, mark: &Mark) -> Result<(), ImportError> {
        let batch = std::mem::take(&mut self.batch);
        if batch.lines() == 0 {
            return Ok(());
        }
        let mut tries = 1;
        let written = loop {
            match self.try_write(connection, &batch, mark).await {
                Err(ImportError::Database(error)) if is_passing(&error) && tries < TRIES => tries += 1,
                Err(ImportError::Database(error)) if code(&error) == Some("0A000".into()) => {
                    return Err(ImportError::Views);
                }
                written => break written?,
            }
        };
        self.begun.progress = written;
        Ok(())
    }

    async fn try_write(
        &mut self,
        connection: &mut PgConnection,
        batch: &Batch,
        mark: &Mark,
    ) -> Result<Progress, ImportError> {
        let mut transaction = connection.begin().await?;
        let written = store::write(&mut transaction, batch).await?;
        let from = &self.begun.progress;
        let refused: Vec<_> = store::in_order(written.refused).collect();
        let errors = batch.errors().iter().cloned().chain(refused.iter().map(|(_, error)| error.clipped()));
        let errors: BTreeMap<_, _> = errors.map(|error| (error.line, error)).collect();
        let progress = from.further(&written.counts, mark.digest(), errors.into_values());
        if !progress::note(&mut transaction, self.id, &from.counts, &progress).await? {
            return Err(ImportError::NoLongerOurs);
        }
        let header = self.reader.header();
        for (place, error) in &refused {
            (self.on_rejected)(Rejected { error, raw: &place.raw, header });
        }
        service::failpoint!("import.before_commit");
        transaction.commit().await?;
        service::failpoint!("import.after_commit");
        Ok(progress)
    }

    fn differs(&self) -> ImportError {
        ImportError::Differs { records: self.begun.progress.counts.records }
    }
}

fn code(error: &sqlx::Error) -> Option<std::borrow::Cow<'_, str>> {
    error.as_database_error().and_then(|error| error.code())
}

/// Whether doing the same again may go well: a deadlock, a lock that was waited for too long, a serialization failure.
fn is_passing(error: &sqlx::Error) -> bool {
    code(error).is_some_and(|code| matches!(code.as_ref(), "40P01" | "40001" | "55P03"))
}
