//! Reports on their way into the gate's row: one task per process, so that a thousand calls that fail together make a few statements and not a
//! thousand that fight for one row.
//!
//! What waits is played through the state machine in order and written by compare-and-set, up to the first change that others are told of, which
//! goes with its fact into one statement. A report that dies with the process is made up for by the next failure.

use std::sync::Arc;
use std::time::{Duration, Instant};

use domain::gate::{BreakerSettings, Gate, Report};
use events::CircuitChanged;
use sqlx::PgPool;
use tokio::sync::{mpsc, oneshot};

use super::fact::{self, Fact};
use super::row::{self, Read};
use super::seen::Seen;

/// Reports played at a time.
const BATCH: usize = 256;
/// How often a change is tried against others' changes.
const ROUNDS: u32 = 50;
/// Pause between them.
const PAUSE: Duration = Duration::from_millis(2);

/// Why reports could not be written down.
#[derive(Debug, thiserror::Error)]
enum ReportError {
    #[error(transparent)]
    Database(#[from] sqlx::Error),
    #[error("others changed the gate at every try")]
    Contended,
}

/// A report, and who waits for what it came to: the gate after it; nothing if the row could not be written.
#[derive(Debug)]
pub(super) struct Queued {
    pub(super) report: Report,
    /// The trace of the call that it is of.
    pub(super) traceparent: Option<String>,
    pub(super) done: Option<oneshot::Sender<Gate>>,
}

pub(super) struct Reporter {
    pub(super) pool: PgPool,
    pub(super) settings: BreakerSettings,
    pub(super) seen: Arc<Seen>,
    pub(super) told: Arc<dyn Fn(&CircuitChanged) + Send + Sync>,
}

impl Reporter {
    /// Runs until nobody can report any more.
    pub(super) async fn run(self, mut incoming: mpsc::UnboundedReceiver<Queued>) {
        let mut waiting = Vec::new();
        while incoming.recv_many(&mut waiting, BATCH).await > 0 {
            while !waiting.is_empty() {
                match self.play(&waiting).await {
                    Ok(played) => {
                        for (queued, gate) in waiting.drain(..played.len()).zip(played) {
                            if let Some(done) = queued.done {
                                // Whoever asked may have stopped waiting.
                                let _unheard = done.send(gate);
                            }
                        }
                    }
                    Err(error) => {
                        tracing::warn!(
                            error = error.to_string(),
                            stage = "gate",
                            reports = waiting.len(),
                            "the gate can't be told how calls went"
                        );
                        waiting.clear();
                    }
                }
            }
        }
    }

    /// Plays reports up to the first that others are told of; answers the gate after each that was played.
    async fn play(&self, waiting: &[Queued]) -> Result<Vec<Gate>, ReportError> {
        for _ in 0..ROUNDS {
            let Read { gate: before, version, now } = row::read(&self.pool).await?;
            let read = Instant::now();
            let mut played: Vec<Gate> = Vec::with_capacity(waiting.len());
            let mut changed = None;
            for queued in waiting {
                let gate = played.last().unwrap_or(&before);
                let step = gate.after(queued.report, now, &self.settings);
                changed = step.cause.map(|cause| (fact::changed(gate, &step.gate, cause), queued.traceparent.clone()));
                played.push(step.gate);
                if changed.is_some() {
                    break;
                }
            }
            let after = played.last().unwrap_or(&before);
            if *after == before {
                self.seen.take(Read { gate: before, version, now }, read);
                return Ok(played);
            }
            let fact = changed.as_ref().map(|(changed, traceparent)| Fact::of(changed, traceparent.clone()));
            if row::write(&self.pool, version, after, fact.as_ref()).await? {
                self.seen.take(Read { gate: after.clone(), version: version + 1, now }, read);
                if let Some((changed, _)) = &changed {
                    (self.told)(changed);
                }
                return Ok(played);
            }
            tokio::time::sleep(PAUSE).await;
        }
        Err(ReportError::Contended)
    }
}
