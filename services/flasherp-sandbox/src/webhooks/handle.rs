//! What the rest of the sandbox holds of FlashERP's webhooks: the queue behind its lock, with the clock, and whoever delivers woken when there
//! is something to do.

use std::sync::{
    Arc, Mutex, MutexGuard, PoisonError,
    atomic::{AtomicU8, Ordering},
};

use tokio::sync::Notify;

use super::{
    Author, Change, EventId, EventType, NewSettings, Order, Pending, Settings, Tells, event, queue::Queue, tally::View,
};
use crate::clock::Clock;

/// FlashERP's webhooks.
#[derive(Debug)]
pub struct Webhooks {
    queue: Mutex<Queue>,
    at_start: Settings,
    /// What is told, so that a change that isn't takes no lock.
    tells: AtomicU8,
    pub(super) changed: Notify,
    pub(super) clock: Arc<Clock>,
}

impl Webhooks {
    /// Nothing is told yet.
    pub fn new(at_start: Settings, clock: Arc<Clock>) -> Self {
        let queue = Mutex::new(Queue::new(at_start.clone()));
        Self { queue, at_start, tells: AtomicU8::new(0), changed: Notify::new(), clock }
    }

    /// Tells a change, if changes of that kind are told. Called under the store's lock.
    pub fn tell(&self, change: &Change<'_>) {
        let tells = self.tells.load(Ordering::Acquire);
        if tells == 0 || (tells == 1 && change.author == Author::Api) {
            return;
        }
        let now_ms = self.clock.now_ms();
        let events = change.events(now_ms);
        if events.is_empty() {
            return;
        }
        let mut queue = self.locked();
        for (event_type, data) in events {
            queue.tell(EventId::new(), event_type, &data, now_ms, None);
        }
        drop(queue);
        self.changed.notify_one();
    }

    /// Tells an event so often, whatever changes are told.
    pub fn send(&self, event_type: EventType, data: &str, copies: u32, delay_ms: u64) -> EventId {
        let (id, now_ms) = (EventId::new(), self.clock.now_ms());
        let mut queue = self.locked();
        for nth in 0..copies.max(1) {
            queue.tell(id.clone(), event_type, data, now_ms, Some((delay_ms, nth > 0)));
        }
        drop(queue);
        self.changed.notify_one();
        id
    }

    /// `data` of a `payment.failed` about a transaction.
    pub fn payment_failed(&self, transaction: &str, reference: &str, reason: &str) -> String {
        event::payment_failed(transaction, reference, reason, self.clock.now_ms())
    }

    /// Changes how webhooks are sent.
    pub fn set(&self, new: NewSettings) -> Result<(), &'static str> {
        let settings = self.at_start.clone().with(new)?;
        self.put(settings);
        Ok(())
    }

    fn put(&self, settings: Settings) {
        let tells = match settings.tells {
            Tells::Nothing => 0,
            Tells::Edits => 1,
            Tells::All => 2,
        };
        self.locked().settings = settings;
        self.tells.store(tells, Ordering::Release);
        self.changed.notify_one();
    }

    /// Held events get their turn; how many.
    pub fn release(&self, order: Order) -> usize {
        let now_ms = self.clock.now_ms();
        let count = self.locked().release(order, now_ms);
        self.changed.notify_one();
        count
    }

    /// Forgets what waits and is held; how many.
    pub fn drop_all(&self) -> usize {
        self.locked().drop_all()
    }

    /// As at the start.
    pub fn reset(&self) {
        self.locked().reset(self.at_start.clone());
        self.put(self.at_start.clone());
    }

    /// Random choices start from here.
    pub fn set_seed(&self, seed: u64) {
        self.locked().set_seed(seed);
    }

    /// The clock was moved: what waits may be due.
    pub fn wake(&self) {
        self.changed.notify_one();
    }

    /// How it is.
    pub fn view(&self) -> View {
        self.locked().view()
    }

    /// All that has yet to arrive, for the snapshot. A try under way counts as not made: it is made again.
    pub fn pending(&self) -> Vec<Pending> {
        self.locked().pending()
    }

    /// Grows with every change of what has yet to arrive.
    pub fn changes(&self) -> u64 {
        self.locked().changes()
    }

    /// Takes back what a snapshot had.
    pub fn restore(&self, pending: Vec<Pending>) {
        let mut queue = self.locked();
        for pending in pending {
            queue.wait(pending);
        }
        drop(queue);
        self.changed.notify_one();
    }

    pub(super) fn locked(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
