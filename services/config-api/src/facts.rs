//! What is said of syncs and reconciliations, for those who wait for it.
//!
//! What the process hears of syncs is handed to those who wait for them. Nobody who waits relies on it
//! alone: a fact may be lost with the broker, and then the row says the same. Whoever waits begins to listen first, and asks then.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use domain::{ErrorCode, FlashErpId, SyncId};
use events::{AnyEvent, SyncResult};
use messaging::Heard;
use tokio::sync::Notify;
use tokio::sync::futures::OwnedNotified;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

/// What became of an attempt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Attempted {
    Completed { result: SyncResult, target_id: Option<FlashErpId> },
    Failed { code: ErrorCode, target_id: Option<FlashErpId> },
}

/// What somebody who waits is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Told {
    /// An attempt on its sync ended.
    Attempt {
        attempted: Attempted,
        /// The wishes that it answers: those up to this value of the row's counter.
        answers: i64,
        /// In milliseconds.
        duration: u64,
    },
    /// Something may have been said that was not heard.
    Gap,
}

type Waiters = HashMap<SyncId, Vec<(u64, UnboundedSender<Told>)>>;

/// Those who wait. Clones share them.
#[derive(Clone, Debug, Default)]
pub struct Facts {
    inner: Arc<Mutex<(u64, Waiters)>>,
    reconciliations: Arc<Notify>,
}

/// Somebody who waits for facts about one sync, until it is dropped.
#[derive(Debug)]
pub struct Waiting {
    facts: Facts,
    sync: SyncId,
    number: u64,
    told: UnboundedReceiver<Told>,
}

impl Facts {
    /// Tells those whom it is for.
    pub(crate) fn hear(&self, heard: &Heard<AnyEvent>) {
        match heard {
            Heard::Event(received) => self.tell(&received.message),
            Heard::Gap => {
                self.reconciliations.notify_waiters();
                self.tell_all();
            }
        }
    }

    /// Begins to wait for what is said of a sync.
    #[must_use]
    pub fn wait_for(&self, sync: SyncId) -> Waiting {
        let (sender, told) = unbounded_channel();
        let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        inner.0 += 1;
        let number = inner.0;
        inner.1.entry(sync).or_default().push((number, sender));
        Waiting { facts: self.clone(), sync, number, told }
    }

    /// Comes true when some reconciliation has ended since this was called, or may have.
    pub(crate) fn reconciliation_ended(&self) -> OwnedNotified {
        Arc::clone(&self.reconciliations).notified_owned()
    }

    fn tell(&self, event: &AnyEvent) {
        let (sync, told) = match event {
            AnyEvent::SyncCompleted(event) => {
                let event = &event.data;
                let attempted = Attempted::Completed { result: event.result, target_id: event.target_id.clone() };
                (
                    event.sync_id,
                    Told::Attempt { attempted, answers: event.request_counter, duration: event.duration_ms },
                )
            }
            AnyEvent::SyncFailed(event) => {
                let event = &event.data;
                let attempted = Attempted::Failed { code: event.error_code, target_id: event.target_id.clone() };
                (
                    event.sync_id,
                    Told::Attempt { attempted, answers: event.request_counter, duration: event.duration_ms },
                )
            }
            AnyEvent::ReconciliationCompleted(_) => return self.reconciliations.notify_waiters(),
            _ => return,
        };
        let inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        for (_, waiter) in inner.1.get(&sync).into_iter().flatten() {
            // One who has stopped waiting is about to take itself out.
            let _gone = waiter.send(told.clone());
        }
    }

    fn tell_all(&self) {
        let inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        for (_, waiter) in inner.1.values().flatten() {
            let _gone = waiter.send(Told::Gap);
        }
    }
}

impl Waiting {
    /// The next that is said.
    pub async fn next(&mut self) -> Told {
        // The sender is in the table until this is dropped.
        self.told.recv().await.unwrap_or(Told::Gap)
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        let mut inner = self.facts.inner.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(waiters) = inner.1.get_mut(&self.sync) {
            waiters.retain(|(number, _)| *number != self.number);
            if waiters.is_empty() {
                inner.1.remove(&self.sync);
            }
        }
    }
}
