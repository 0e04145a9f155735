//! The queue of events: waiting for their time, held back, or under way.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU8, Ordering},
    },
};

use bytes::Bytes;
use rand::{Rng, SeedableRng, rngs::StdRng, seq::SliceRandom};
use serde::{Deserialize, Serialize};
use tokio::sync::Notify;

use super::{Author, Change, EventId, EventType, NewSettings, Settings, Tells, event};
use crate::clock::Clock;

/// An event that has yet to arrive.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Pending {
    /// The event.
    pub id: EventId,
    /// Its type.
    #[serde(rename = "type")]
    pub event_type: EventType,
    /// Its text.
    #[serde(with = "text")]
    pub body: Bytes,
    /// Tries so far.
    pub tries: u32,
    /// When the first try was, on the sandbox's clock.
    pub first_ms: Option<i64>,
    /// When the next try is.
    pub due_ms: i64,
}

/// In which order held events are released.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Order {
    /// As they were told.
    #[default]
    Kept,
    /// The last one first.
    Reversed,
    /// Any.
    Shuffled,
}

/// What happened so far.
#[derive(Debug, Clone, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Tally {
    /// Events that were queued, copies not counted.
    pub told: u64,
    /// Copies.
    pub repeats: u64,
    /// Tries.
    pub tries: u64,
    /// Events and copies that were answered 2xx.
    pub delivered: u64,
    /// Tries that weren't and will be repeated.
    pub retried: u64,
    /// Events and copies that were given up.
    pub given_up: u64,
    /// Events that found no place in the queue.
    pub overflowed: u64,
    /// Answers by status; `0` for tries without an answer.
    pub statuses: BTreeMap<u16, u64>,
    /// The last try that went wrong.
    pub last_error: Option<String>,
}

/// One try, for people.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Try {
    /// The event.
    pub id: EventId,
    /// Its type.
    #[serde(rename = "type")]
    pub event_type: EventType,
    /// Which try it was.
    pub nth: u32,
    /// The answer; 0 for none.
    pub status: u16,
    /// How long it took.
    pub took_ms: u64,
}

/// The queue at one moment.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct View {
    /// How webhooks are sent.
    pub settings: Settings,
    /// Events that wait for their time.
    pub waiting: usize,
    /// Events that wait to be released.
    pub held: usize,
    /// Tries under way.
    pub in_flight: usize,
    /// What happened.
    #[serde(flatten)]
    pub tally: Tally,
    /// The last tries, newest first.
    pub recent: Vec<Try>,
}

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

#[derive(Debug)]
pub(super) struct Queue {
    pub(super) settings: Settings,
    waiting: BTreeMap<(i64, u64), Pending>,
    held: Vec<Pending>,
    in_flight: BTreeMap<u64, Pending>,
    next: u64,
    changes: u64,
    pub(super) tally: Tally,
    recent: VecDeque<Try>,
    random: StdRng,
}

const WAITING_MAX: usize = 100_000;
const RECENT_MAX: usize = 50;
/// A copy comes at most so much later.
const REPEAT_WITHIN_MS: i64 = 2_000;

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
        let mut queue = self.locked();
        let mut held = std::mem::take(&mut queue.held);
        match order {
            Order::Kept => {}
            Order::Reversed => held.reverse(),
            Order::Shuffled => held.shuffle(&mut queue.random),
        }
        let count = held.len();
        for mut pending in held {
            pending.due_ms = now_ms;
            queue.wait(pending);
        }
        drop(queue);
        self.changed.notify_one();
        count
    }

    /// Forgets what waits and is held; how many.
    pub fn drop_all(&self) -> usize {
        let mut queue = self.locked();
        let count = queue.waiting.len() + queue.held.len();
        queue.waiting.clear();
        queue.held.clear();
        queue.changes += 1;
        count
    }

    /// As at the start.
    pub fn reset(&self) {
        let mut queue = self.locked();
        *queue = Queue { changes: queue.changes + 1, next: queue.next, ..Queue::new(self.at_start.clone()) };
        drop(queue);
        self.put(self.at_start.clone());
    }

    /// Random choices start from here.
    pub fn set_seed(&self, seed: u64) {
        self.locked().random = StdRng::seed_from_u64(seed);
    }

    /// The clock was moved: what waits may be due.
    pub fn wake(&self) {
        self.changed.notify_one();
    }

    /// How it is.
    pub fn view(&self) -> View {
        let queue = self.locked();
        View {
            settings: queue.settings.clone(),
            waiting: queue.waiting.len(),
            held: queue.held.len(),
            in_flight: queue.in_flight.len(),
            tally: queue.tally.clone(),
            recent: queue.recent.iter().rev().cloned().collect(),
        }
    }

    /// All that has yet to arrive, for the snapshot. A try under way counts as not made: it is made again.
    pub fn pending(&self) -> Vec<Pending> {
        let queue = self.locked();
        queue.in_flight.values().chain(queue.waiting.values()).chain(&queue.held).cloned().collect()
    }

    /// Grows with every change of what has yet to arrive.
    pub fn changes(&self) -> u64 {
        self.locked().changes
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

impl Queue {
    fn new(settings: Settings) -> Self {
        Self {
            settings,
            waiting: BTreeMap::new(),
            held: Vec::new(),
            in_flight: BTreeMap::new(),
            next: 0,
            changes: 0,
            tally: Tally::default(),
            recent: VecDeque::new(),
            random: StdRng::seed_from_u64(0),
        }
    }

    /// `by_hand`: a delay, and whether this is a copy; else both are drawn.
    fn tell(&mut self, id: EventId, event_type: EventType, data: &str, now_ms: i64, by_hand: Option<(u64, bool)>) {
        let body = event::render(&id, event_type, now_ms, data);
        let mut pending = Pending { id, event_type, body, tries: 0, first_ms: None, due_ms: now_ms };
        if let Some((delay_ms, is_copy)) = by_hand {
            pending.due_ms = now_ms.saturating_add_unsigned(delay_ms);
            *(if is_copy { &mut self.tally.repeats } else { &mut self.tally.told }) += 1;
            return self.take(pending);
        }
        let (least, most) = self.settings.delay_ms;
        pending.due_ms = now_ms.saturating_add_unsigned(self.random.random_range(least..=most));
        let copy = self.random.random_bool(self.settings.duplicate_rate).then(|| {
            let due_ms = pending.due_ms.saturating_add(self.random.random_range(0..=REPEAT_WITHIN_MS));
            Pending { due_ms, ..pending.clone() }
        });
        self.tally.told += 1;
        self.take(pending);
        if let Some(copy) = copy {
            self.tally.repeats += 1;
            self.take(copy);
        }
    }

    fn take(&mut self, pending: Pending) {
        self.changes += 1;
        if self.waiting.len() + self.held.len() >= WAITING_MAX {
            self.tally.overflowed += 1;
        } else if self.settings.hold {
            self.held.push(pending);
        } else {
            self.wait(pending);
        }
    }

    fn wait(&mut self, pending: Pending) {
        self.waiting.insert((pending.due_ms, self.next), pending);
        self.next += 1;
    }

    /// The next event whose time has come, if a try may begin.
    pub(super) fn begin(&mut self, now_ms: i64) -> Option<(u64, Pending)> {
        if self.in_flight.len() >= self.settings.concurrency {
            return None;
        }
        let first = self.waiting.first_entry().filter(|first| first.key().0 <= now_ms)?;
        let mut pending = first.remove();
        pending.tries += 1;
        pending.first_ms.get_or_insert(now_ms);
        let number = self.next;
        self.next += 1;
        self.in_flight.insert(number, pending.clone());
        self.tally.tries += 1;
        Some((number, pending))
    }

    /// How long until something is due; `None` if nothing waits.
    pub(super) fn next_in_ms(&self, now_ms: i64) -> Option<u64> {
        let ((due_ms, _), _) = self.waiting.first_key_value()?;
        Some(u64::try_from(due_ms.saturating_sub(now_ms)).unwrap_or(0))
    }

    /// A try has ended: with a status, or without an answer and why.
    pub(super) fn end(&mut self, number: u64, answer: Result<u16, String>, took_ms: u64, now_ms: i64) {
        // Gone if the sandbox was reset meanwhile.
        let Some(mut pending) = self.in_flight.remove(&number) else { return };
        self.changes += 1;
        let status = answer.as_ref().copied().unwrap_or(0);
        *self.tally.statuses.entry(status).or_default() += 1;
        if self.recent.len() == RECENT_MAX {
            self.recent.pop_front();
        }
        let Pending { event_type, tries, .. } = pending;
        self.recent.push_back(Try { id: pending.id.clone(), event_type, nth: tries, status, took_ms });
        if (200..300).contains(&status) {
            self.tally.delivered += 1;
            return;
        }
        self.tally.last_error = Some(match answer {
            Ok(status) => format!("{} was answered {status}", pending.id.0),
            Err(error) => format!("{} was not answered: {error}", pending.id.0),
        });
        let since_first_ms = now_ms.saturating_sub(pending.first_ms.unwrap_or(now_ms));
        match self.settings.wait_after(tries, since_first_ms) {
            Some(wait_ms) => {
                self.tally.retried += 1;
                pending.due_ms = now_ms.saturating_add_unsigned(wait_ms);
                self.wait(pending);
            }
            None => self.tally.given_up += 1,
        }
    }
}

/// An event's body is JSON text.
mod text {
    use bytes::Bytes;
    use serde::{Deserialize, Deserializer, Serializer};

    pub(super) fn serialize<S: Serializer>(body: &Bytes, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&String::from_utf8_lossy(body))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Bytes, D::Error> {
        String::deserialize(deserializer).map(Bytes::from)
    }
}
