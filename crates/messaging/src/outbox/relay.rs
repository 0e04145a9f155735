//! The relay: moves facts from an outbox table to the broker.
//!
//! Woken by a [`Notify`] after each commit that inserted facts, and by a timer for those whose process died in between.
//! Several relays work on one table together: each takes other rows. With the broker or the database away it waits, longer
//! each time; nothing is lost, and nothing is held in memory.

use std::sync::Arc;
use std::time::Duration;

use service::metrics::{Counter, Gauge, Histogram};
use sqlx::{AssertSqlSafe, PgPool};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use super::Outbox;
use super::round::{Round, RoundError};
use crate::Broker;
use crate::backoff::{Backoff, pause};

/// How long a fact waits at most for a relay that nobody woke.
const TIMER: Duration = Duration::from_secs(1);
/// How often it is told how many facts wait, while the broker is away.
const DEPTH_TIMER: Duration = Duration::from_secs(10);
/// Facts are counted up to this many.
const DEPTH_LIMIT: u32 = 100_000;

/// Moves facts from one outbox to the broker.
#[derive(Debug)]
pub struct Relay {
    outbox: Outbox,
    pool: PgPool,
    broker: Broker,
    wake: Arc<Notify>,
}

impl Relay {
    /// A relay for an outbox. `wake` is notified after each commit that inserted facts.
    pub fn new(outbox: Outbox, pool: PgPool, broker: Broker, wake: Arc<Notify>) -> Self {
        Self { outbox, pool, broker, wake }
    }

    /// Runs until `stop` is cancelled; a round that has begun is finished first.
    pub async fn run(self, stop: CancellationToken) {
        let mut backoff = Backoff::default();
        loop {
            tokio::select! {
                biased;
                () = stop.cancelled() => return,
                // Without a broker there is no use in taking rows.
                _connected = self.broker.connected() => {}
                () = pause(DEPTH_TIMER) => {
                    self.tell_depth().await;
                    continue;
                }
            }
            match self.drain(&stop).await {
                Ok(()) => {
                    backoff.reset();
                    Gauge::OutboxDepth.set(0, &[]);
                }
                Err(error) => {
                    let wait = backoff.next();
                    Counter::OutboxFailed.increment(&[("error_type", error.kind())]);
                    tracing::warn!(
                        schema = self.outbox.schema,
                        wait_ms = u64::try_from(wait.as_millis()).unwrap_or(u64::MAX),
                        stage = "relay",
                        error_type = error.kind(),
                        error = &error as &dyn std::error::Error,
                        "facts could not be relayed; they stay in the outbox"
                    );
                    self.tell_depth().await;
                    // A wake-up must not cut the wait short: new facts don't bring the broker back.
                    tokio::select! {
                        () = stop.cancelled() => return,
                        () = pause(wait) => continue,
                    }
                }
            }
            tokio::select! {
                () = stop.cancelled() => return,
                () = self.wake.notified() => {}
                () = pause(TIMER) => {}
            }
        }
    }

    /// Tells how many facts wait, while they can't be relayed. A deep outbox is not counted to its end.
    async fn tell_depth(&self) {
        let statement =
            format!("SELECT count(*) FROM (SELECT FROM {}.outbox LIMIT {DEPTH_LIMIT}) AS waiting", self.outbox.schema);
        // The schema was checked to be a plain name.
        match sqlx::query_scalar(AssertSqlSafe(statement)).fetch_one(&self.pool).await {
            Ok(waiting) => Gauge::OutboxDepth.set(waiting, &[]),
            Err(error) => {
                tracing::debug!(
                    schema = self.outbox.schema,
                    error = &error as &dyn std::error::Error,
                    "the outbox can't be counted"
                );
            }
        }
    }

    /// Relays until the outbox has no more rows that nobody else holds.
    async fn drain(&self, stop: &CancellationToken) -> Result<(), RoundError> {
        while !stop.is_cancelled() {
            let round = Round { outbox: self.outbox, pool: &self.pool, broker: &self.broker };
            let relayed = round.run().await?;
            if relayed.count > 0 {
                Histogram::OutboxBatch.observe_count(relayed.count, &[]);
            }
            if !relayed.more {
                break;
            }
        }
        Ok(())
    }
}
