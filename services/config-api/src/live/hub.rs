//! Hands events on to all clients, in one order, from bounded memory.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use serde_json::Value;
use tokio::sync::broadcast;
use uuid::Uuid;

use super::event::{self, Kind, Live};

/// So many events are kept: for clients that come back, and for those that are slower than the events.
pub const KEPT: usize = 1024;

/// The one of a process.
#[derive(Debug)]
pub struct Hub {
    /// Of this process: another one counts otherwise.
    instance: String,
    kept: Mutex<Kept>,
    sender: broadcast::Sender<Arc<Live>>,
}

#[derive(Debug, Default)]
struct Kept {
    /// Of the newest event; 0 for none yet.
    newest: u64,
    events: VecDeque<Arc<Live>>,
}

/// A client's part: what it missed, then what comes.
#[derive(Debug)]
pub struct Subscription {
    pub(super) hub: Arc<Hub>,
    pub(super) missed: VecDeque<Arc<Live>>,
    pub(super) coming: broadcast::Receiver<Arc<Live>>,
}

impl Hub {
    /// A new one, that no client knows yet.
    #[must_use]
    pub fn new() -> Arc<Self> {
        let (sender, _) = broadcast::channel(KEPT);
        Arc::new(Self { instance: Uuid::new_v4().simple().to_string(), kept: Mutex::default(), sender })
    }

    /// Hands an event on to all clients.
    pub fn publish(&self, kind: Kind, data: &Value) {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.newest += 1;
        let event = Arc::new(Live::new(&self.id(kept.newest), kept.newest, kind, data));
        if kept.events.len() == KEPT {
            kept.events.pop_front();
        }
        kept.events.push_back(Arc::clone(&event));
        // Under the lock, so that all have the same order. Nobody listening is fine.
        let _listeners = self.sender.send(event);
    }

    /// How many clients there are.
    #[must_use]
    pub fn clients(&self) -> usize {
        self.sender.receiver_count()
    }

    /// A new client, or one that comes back with the id of the last event that it has seen.
    #[must_use]
    pub fn subscribe(self: &Arc<Self>, last_seen: Option<&str>) -> Subscription {
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let coming = self.sender.subscribe();
        let missed = match last_seen {
            None => VecDeque::new(),
            Some(id) => {
                self.missed_since(&kept, id).unwrap_or_else(|| VecDeque::from([self.resync(kept.newest, "away")]))
            }
        };
        Subscription { hub: Arc::clone(self), missed, coming }
    }

    /// What was missed since an event; none if that is not known any more.
    fn missed_since(&self, kept: &Kept, id: &str) -> Option<VecDeque<Arc<Live>>> {
        let seen: u64 = id.strip_prefix(&self.instance)?.strip_prefix('-')?.parse().ok()?;
        let oldest = kept.events.front().map_or(kept.newest + 1, |event| event.sequence);
        let is_known = seen <= kept.newest && seen + 1 >= oldest;
        is_known.then(|| kept.events.iter().filter(|event| event.sequence > seen).cloned().collect())
    }

    /// For one client that has missed something; events go on behind it.
    pub(super) fn resync_now(&self, why: &str) -> Arc<Live> {
        let newest = self.kept.lock().unwrap_or_else(PoisonError::into_inner).newest;
        self.resync(newest, why)
    }

    fn resync(&self, newest: u64, why: &str) -> Arc<Live> {
        Arc::new(Live::new(&self.id(newest), newest, Kind::Resync, &event::missed(why)))
    }

    fn id(&self, sequence: u64) -> String {
        format!("{}-{sequence}", self.instance)
    }
}
