//! What happened since the start or the last reset, for tests and demo: calls by operation, answers by status, faults by kind, calls in
//! flight. Counting takes no lock, except for faults.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
};

use crate::{api::Endpoint, pace::Pace};

const STATUSES: usize = 600;

/// The counters.
#[derive(Debug)]
pub struct Counters {
    calls: HashMap<Endpoint, AtomicU64>,
    answers: Vec<AtomicU64>,
    cuts: AtomicU64,
    idempotent_replays: AtomicU64,
    in_flight: AtomicU64,
    max_in_flight: AtomicU64,
    pending_writes: Arc<AtomicU64>,
    /// When calls came.
    pub pace: Pace,
    faults: Mutex<BTreeMap<&'static str, u64>>,
    stripe_calls: Mutex<BTreeMap<String, u64>>,
}

/// A call that is being answered; dropping it ends it.
#[derive(Debug)]
pub struct InFlight<'a>(&'a AtomicU64);

/// A write that has yet to take effect; dropping it says that it did, or never will.
#[derive(Debug)]
pub struct PendingWrite(Arc<AtomicU64>);

/// The counters at one moment.
#[derive(Debug, Clone)]
pub struct Snapshot {
    /// Calls that arrived, by operation (`POST /v1/transactions`); none that is 0.
    pub calls: BTreeMap<String, u64>,
    /// Answers, by status.
    pub answers: BTreeMap<u16, u64>,
    /// Calls that got no answer.
    pub cuts: u64,
    /// Answers that were an earlier one again.
    pub idempotent_replays: u64,
    /// Calls in flight now.
    pub in_flight: u64,
    /// The most calls in flight at once.
    pub max_in_flight: u64,
    /// Writes that arrived and have yet to take effect.
    pub pending_writes: u64,
    /// Faults that applied, by kind.
    pub faults: BTreeMap<&'static str, u64>,
    /// Calls of Stripe's API, by collection (`events`).
    pub stripe_calls: BTreeMap<String, u64>,
}

impl Default for Counters {
    fn default() -> Self {
        Self {
            calls: Endpoint::all().into_iter().map(|endpoint| (endpoint, AtomicU64::new(0))).collect(),
            answers: (0..STATUSES).map(|_| AtomicU64::new(0)).collect(),
            cuts: AtomicU64::new(0),
            idempotent_replays: AtomicU64::new(0),
            in_flight: AtomicU64::new(0),
            max_in_flight: AtomicU64::new(0),
            pending_writes: Arc::default(),
            pace: Pace::default(),
            faults: Mutex::default(),
            stripe_calls: Mutex::default(),
        }
    }
}

impl Counters {
    /// A call has arrived.
    pub fn arrived(&self, endpoint: Endpoint) -> InFlight<'_> {
        if let Some(calls) = self.calls.get(&endpoint) {
            calls.fetch_add(1, Relaxed);
        }
        self.pace.call();
        let now = self.in_flight.fetch_add(1, Relaxed) + 1;
        self.max_in_flight.fetch_max(now, Relaxed);
        InFlight(&self.in_flight)
    }

    /// A call was answered.
    pub fn answered(&self, status: u16) {
        if let Some(answers) = self.answers.get(usize::from(status)) {
            answers.fetch_add(1, Relaxed);
        }
    }

    /// A call was cut.
    pub fn cut(&self) {
        self.cuts.fetch_add(1, Relaxed);
    }

    /// An earlier answer was given again.
    pub fn idempotent_replay(&self) {
        self.idempotent_replays.fetch_add(1, Relaxed);
    }

    /// A write is to take effect later.
    pub fn pending_write(&self) -> PendingWrite {
        self.pending_writes.fetch_add(1, Relaxed);
        PendingWrite(Arc::clone(&self.pending_writes))
    }

    /// A fault applied.
    pub fn fault(&self, kind: &'static str) {
        *self.faults.lock().unwrap_or_else(PoisonError::into_inner).entry(kind).or_default() += 1;
    }

    /// Stripe's API was called. So many collections are counted apart; callers can't make it grow.
    pub fn stripe_call(&self, collection: &str) {
        const COLLECTIONS_MAX: usize = 50;
        let mut calls = self.stripe_calls.lock().unwrap_or_else(PoisonError::into_inner);
        if calls.len() < COLLECTIONS_MAX || calls.contains_key(collection) {
            *calls.entry(collection.to_owned()).or_default() += 1;
        }
    }

    /// What they say now.
    pub fn snapshot(&self) -> Snapshot {
        let calls = self.calls.iter().map(|(endpoint, calls)| (endpoint.label(), calls.load(Relaxed)));
        let answers = (0..).zip(&self.answers).map(|(status, answers)| (status, answers.load(Relaxed)));
        Snapshot {
            calls: calls.filter(|(_, calls)| *calls > 0).collect(),
            answers: answers.filter(|(_, answers)| *answers > 0).collect(),
            cuts: self.cuts.load(Relaxed),
            idempotent_replays: self.idempotent_replays.load(Relaxed),
            in_flight: self.in_flight.load(Relaxed),
            max_in_flight: self.max_in_flight.load(Relaxed),
            pending_writes: self.pending_writes.load(Relaxed),
            faults: self.faults.lock().unwrap_or_else(PoisonError::into_inner).clone(),
            stripe_calls: self.stripe_calls.lock().unwrap_or_else(PoisonError::into_inner).clone(),
        }
    }

    /// Starts over; calls in flight and pending writes go on and stay counted.
    pub fn reset(&self) {
        let totals = self.calls.values().chain(&self.answers).chain([&self.cuts, &self.idempotent_replays]);
        for total in totals {
            total.store(0, Relaxed);
        }
        self.pace.reset();
        self.max_in_flight.store(self.in_flight.load(Relaxed), Relaxed);
        self.faults.lock().unwrap_or_else(PoisonError::into_inner).clear();
        self.stripe_calls.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }
}

impl Drop for InFlight<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Relaxed);
    }
}

impl Drop for PendingWrite {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Relaxed);
    }
}
