//! Where accepted events wait for their commit: bounded in number and in bytes, so that a database that stands still costs a known amount of
//! memory and then answers 503.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::{Notify, oneshot};

use super::event::{Event, NotStored, Stored};

/// Bounds of a queue and of what is taken from it at once.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Bounds {
    /// Events that may wait.
    pub events: usize,
    /// Bytes of bodies that may wait.
    pub bytes: usize,
    /// Events that one commit takes.
    pub batch_events: usize,
    /// Bytes of bodies that one commit takes; a single event may exceed it.
    pub batch_bytes: usize,
}

impl Default for Bounds {
    fn default() -> Self {
        Self { events: 8192, bytes: 64 << 20, batch_events: 256, batch_bytes: 4 << 20 }
    }
}

/// An event and whoever waits for it.
#[derive(Debug)]
pub(super) struct Waiting {
    pub(super) event: Event,
    /// Where the answer goes; nobody may be there any more.
    pub(super) answer: oneshot::Sender<Result<Stored, NotStored>>,
}

/// Events that wait for a commit.
#[derive(Debug)]
pub(crate) struct Queue {
    bounds: Bounds,
    waiting: Mutex<Line>,
    filled: Notify,
}

#[derive(Debug, Default)]
struct Line {
    events: VecDeque<Waiting>,
    bytes: usize,
}

impl Queue {
    /// An empty queue.
    #[must_use]
    pub(crate) fn new(bounds: Bounds) -> Self {
        Self { bounds, waiting: Mutex::default(), filled: Notify::new() }
    }

    /// Waits until the event is durable. A caller that stops waiting changes nothing: the event is stored all the same.
    ///
    /// # Errors
    /// [`NotStored`].
    pub(crate) async fn store(&self, event: Event) -> Result<Stored, NotStored> {
        let (answer, answered) = oneshot::channel();
        {
            let mut line = self.line();
            if line.events.len() >= self.bounds.events || line.bytes + event.body.len() > self.bounds.bytes {
                return Err(NotStored::Full);
            }
            line.bytes += event.body.len();
            line.events.push_back(Waiting { event, answer });
        }
        self.filled.notify_one();
        answered.await.unwrap_or(Err(NotStored::Failed))
    }

    /// Moves what waits, up to the bounds of a batch, to the end of `batch`; waits while there is nothing.
    pub(super) async fn take(&self, batch: &mut Vec<Waiting>) {
        loop {
            self.let_ready_requests_in().await;
            if self.take_now(batch) {
                return;
            }
            self.filled.notified().await;
        }
    }

    /// Gives way to requests that have arrived already, for as long as that brings more. The first of them would else be committed alone
    /// and the rest wait for it. No timer: where nothing is ready it comes back at once.
    async fn let_ready_requests_in(&self) {
        let mut before = 0;
        loop {
            let now = self.line().events.len();
            if now <= before || now >= self.bounds.batch_events {
                return;
            }
            before = now;
            tokio::task::yield_now().await;
        }
    }

    fn take_now(&self, batch: &mut Vec<Waiting>) -> bool {
        let mut line = self.line();
        let mut bytes = 0;
        while let Some(next) = line.events.front() {
            let more = next.event.body.len();
            if batch.len() >= self.bounds.batch_events || (!batch.is_empty() && bytes + more > self.bounds.batch_bytes)
            {
                break;
            }
            bytes += more;
            line.bytes -= more;
            batch.extend(line.events.pop_front());
        }
        !batch.is_empty()
    }

    fn line(&self) -> MutexGuard<'_, Line> {
        // Nothing that can panic runs under the lock; whatever it guards is whole.
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
