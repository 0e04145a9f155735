//! The queue of events: waiting for their time, held back, or under way. No clock and no lock inside.

use std::collections::{BTreeMap, VecDeque};

use rand::{Rng, SeedableRng, rngs::StdRng, seq::SliceRandom};
use serde::Deserialize;

use super::{
    EventId, EventType, Pending, Settings, event,
    tally::{Tally, Try, View},
};

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

#[derive(Debug)]
pub(super) struct Queue {
    pub(super) settings: Settings,
    waiting: BTreeMap<(i64, u64), Pending>,
    held: Vec<Pending>,
    in_flight: BTreeMap<u64, Pending>,
    next: u64,
    changes: u64,
    tally: Tally,
    recent: VecDeque<Try>,
    random: StdRng,
}

const WAITING_MAX: usize = 100_000;
const RECENT_MAX: usize = 50;
/// A copy comes at most so much later.
const REPEAT_WITHIN_MS: i64 = 2_000;

impl Queue {
    pub(super) fn new(settings: Settings) -> Self {
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

    /// As at the start. Numbers go on, so that the end of a try of before is known as such.
    pub(super) fn reset(&mut self, settings: Settings) {
        *self = Self { changes: self.changes + 1, next: self.next, ..Self::new(settings) };
    }

    /// Random choices start from here.
    pub(super) fn set_seed(&mut self, seed: u64) {
        self.random = StdRng::seed_from_u64(seed);
    }

    /// `by_hand`: a delay, and whether this is a copy; else both are drawn.
    pub(super) fn tell(
        &mut self,
        id: EventId,
        event_type: EventType,
        data: &str,
        now_ms: i64,
        by_hand: Option<(u64, bool)>,
    ) {
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

    pub(super) fn wait(&mut self, pending: Pending) {
        self.waiting.insert((pending.due_ms, self.next), pending);
        self.next += 1;
    }

    /// Held events get their turn; how many.
    pub(super) fn release(&mut self, order: Order, now_ms: i64) -> usize {
        let mut held = std::mem::take(&mut self.held);
        match order {
            Order::Kept => {}
            Order::Reversed => held.reverse(),
            Order::Shuffled => held.shuffle(&mut self.random),
        }
        let count = held.len();
        for pending in held {
            self.wait(Pending { due_ms: now_ms, ..pending });
        }
        count
    }

    /// Forgets what waits and is held; how many.
    pub(super) fn drop_all(&mut self) -> usize {
        let count = self.waiting.len() + self.held.len();
        self.waiting.clear();
        self.held.clear();
        self.changes += 1;
        count
    }

    /// All that has yet to arrive. A try under way counts as not made: it is made again.
    pub(super) fn pending(&self) -> Vec<Pending> {
        self.in_flight.values().chain(self.waiting.values()).chain(&self.held).cloned().collect()
    }

    /// Grows with every change of what has yet to arrive.
    pub(super) fn changes(&self) -> u64 {
        self.changes
    }

    /// How it is.
    pub(super) fn view(&self) -> View {
        View {
            settings: self.settings.clone(),
            waiting: self.waiting.len(),
            held: self.held.len(),
            in_flight: self.in_flight.len(),
            tally: self.tally.clone(),
            recent: self.recent.iter().rev().cloned().collect(),
        }
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

#[cfg(test)]
mod tests {
    use super::*;

    /// Sends an event at 0 to a receiver that never takes it, looking at the queue every second, and says when it was tried.
    fn tries_until_given_up() -> (Vec<i64>, Queue) {
        let mut queue = Queue::new(Settings::new("http://127.0.0.1:1/".parse().expect("a URL"), Vec::new()));
        queue.tell(EventId::new(), EventType::SyncCompleted, "{}", 0, Some((0, false)));
        let mut tried = Vec::new();
        for now_ms in (0..=4 * 24 * 3_600).map(|second| second * 1_000) {
            while let Some((number, pending)) = queue.begin(now_ms) {
                assert_eq!((pending.tries as usize, pending.first_ms), (tried.len() + 1, Some(0)));
                tried.push(now_ms / 1_000);
                queue.end(number, Ok(500), 1, now_ms);
            }
        }
        (tried, queue)
    }

    #[test]
    fn an_event_is_tried_at_the_contracts_times_and_at_no_other_and_then_given_up() {
        const HOUR: i64 = 3_600;
        let (tried, queue) = tries_until_given_up();
        let sixth = 5 + 30 + 300 + HOUR;
        let early = [0, 5, 5 + 30, 5 + 30 + 300, sixth];
        let late = (1..=11).map(|nth| sixth + nth * 6 * HOUR);
        assert_eq!(tried, early.into_iter().chain(late).collect::<Vec<_>>());
        assert!(tried.iter().all(|at| *at <= 72 * HOUR));
        let View { waiting, in_flight, tally, .. } = queue.view();
        assert_eq!((waiting, in_flight, tally.retried, tally.given_up), (0, 0, 15, 1));
    }

    #[test]
    fn a_try_is_due_to_the_millisecond() {
        let mut queue = Queue::new(Settings::new("http://127.0.0.1:1/".parse().expect("a URL"), Vec::new()));
        queue.tell(EventId::new(), EventType::SyncCompleted, "{}", 0, Some((0, false)));
        let (number, _) = queue.begin(0).expect("it is due at once");
        assert!(queue.begin(0).is_none(), "it is under way");
        queue.end(number, Err("nobody".to_owned()), 1, 700);
        assert_eq!(queue.next_in_ms(700), Some(5_000));
        assert!(queue.begin(5_699).is_none());
        assert!(queue.begin(5_700).is_some());
    }
}
