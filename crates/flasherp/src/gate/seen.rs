//! What this process last saw of the gate's row, and how old that may be. Calls are many and the row is one: it is read four times a second while
//! there are calls, and after each change of our own.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use domain::gate::Gate;
use sqlx::PgPool;
use time::OffsetDateTime;

use super::row::{self, Read};

/// Read again after this.
const FRESH: Duration = Duration::from_millis(250);
/// While the database can't be read, what was seen holds so long; then no call is made any more, since its finish could not be written either.
const GOOD: Duration = Duration::from_secs(5);

/// The database can't be read, and what was seen of the gate is too old.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Unseen;

#[derive(Debug)]
pub(super) struct Seen {
    pool: PgPool,
    last: Mutex<Option<(Read, Instant)>>,
    reading: tokio::sync::Mutex<()>,
}

impl Seen {
    pub(super) fn new(pool: PgPool) -> Self {
        Self { pool, last: Mutex::new(None), reading: tokio::sync::Mutex::new(()) }
    }

    /// Looks at the gate and the database's clock, as they were a moment ago at most.
    pub(super) async fn look<T>(&self, at: impl Fn(&Gate, OffsetDateTime) -> T) -> Result<T, Unseen> {
        if let Some(result) = self.younger_than(FRESH, &at) {
            return Ok(result);
        }
        match self.reading.try_lock() {
            Ok(_mine) => self.read().await,
            // Somebody is reading it. Nobody stops for that as long as what was seen is good.
            Err(_) => match self.younger_than(GOOD, &at) {
                Some(result) => return Ok(result),
                None => {
                    let _mine = self.reading.lock().await;
                    if self.younger_than(FRESH, |_, _| ()).is_none() {
                        self.read().await;
                    }
                }
            },
        }
        self.younger_than(GOOD, &at).ok_or(Unseen)
    }

    /// Looks at the gate as it is now.
    pub(super) async fn look_anew<T>(&self, at: impl Fn(&Gate, OffsetDateTime) -> T) -> Result<T, Unseen> {
        {
            let _mine = self.reading.lock().await;
            self.read().await;
        }
        self.younger_than(GOOD, at).ok_or(Unseen)
    }

    /// Takes over what a change of our own has made of it.
    pub(super) fn take(&self, read: Read, at: Instant) {
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        if last.as_ref().is_none_or(|(seen, _)| seen.version <= read.version) {
            *last = Some((read, at));
        }
    }

    async fn read(&self) {
        match row::read(&self.pool).await {
            Ok(read) => self.take(read, Instant::now()),
            Err(error) => tracing::debug!(error = error.to_string(), stage = "gate", "the gate can't be read"),
        }
    }

    fn younger_than<T>(&self, age: Duration, at: impl Fn(&Gate, OffsetDateTime) -> T) -> Option<T> {
        let last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        let (read, since) = last.as_ref()?;
        let old = since.elapsed();
        (old <= age).then(|| at(&read.gate, read.now + old))
    }
}
