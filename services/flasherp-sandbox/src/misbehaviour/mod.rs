//! How this FlashERP can be told to behave badly: latency, faults of single calls, outages. Told over the control API; random choices come
//! from a seed, so that a run can be repeated.

mod action;
mod latency;
mod perform;
mod rule;

pub use action::{Action, FaultBody, RetryAfter};
pub use latency::{Latency, Slow, When};
pub(crate) use perform::http_date_in;
pub use perform::{Outcome, json_response, perform};
pub use rule::{Invalid, NewRule, Rule};

use std::{
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use rand::{Rng, SeedableRng, rngs::StdRng};
use serde::{Deserialize, Serialize};

use crate::api::Endpoint;

/// What is to happen to one call.
#[derive(Debug, Clone)]
pub struct Verdict {
    /// Time that passes before its write takes effect.
    pub before: Duration,
    /// Time that passes between effect and answer.
    pub after: Duration,
    /// The fault it meets, if any.
    pub action: Option<Action>,
}

/// The state of the whole FlashERP.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outage {
    /// It works.
    #[default]
    Off,
    /// It works, and `/health` says `degraded`.
    Degraded,
    /// A proxy in front answers 503 with a page of HTML.
    Unavailable,
    /// Every connection is cut as soon as it has asked for something.
    Cut,
}

/// Everything that was told, and the random numbers to choose by.
#[derive(Debug)]
pub struct Misbehaviour {
    told: Mutex<Told>,
    /// Nothing is told: calls need not take the lock.
    is_quiet: AtomicBool,
    at_start: Latency,
}

#[derive(Debug)]
struct Told {
    latency: Latency,
    outage: Outage,
    rules: Vec<Rule>,
    next_rule: u64,
    random: StdRng,
}

impl Told {
    fn nothing_but(latency: Latency) -> Self {
        Self { latency, outage: Outage::Off, rules: Vec::new(), next_rule: 1, random: StdRng::seed_from_u64(0) }
    }
}

impl Misbehaviour {
    /// Good behaviour, with this latency.
    pub fn new(at_start: Latency) -> Self {
        let told = Told::nothing_but(at_start);
        Self { told: Mutex::new(told), is_quiet: AtomicBool::new(at_start.is_none()), at_start }
    }

    /// Decides about a call that has arrived. `None`: nothing is to happen to it.
    pub fn judge(&self, endpoint: Endpoint) -> Option<Verdict> {
        if self.is_quiet.load(Ordering::Acquire) {
            return None;
        }
        let mut told = self.locked();
        let Told { latency, outage, rules, random, .. } = &mut *told;
        let (before, after) = latency.draw(random);
        let action = match outage {
            Outage::Unavailable => Some(Action::unavailable()),
            Outage::Cut => Some(Action::CutBeforeWrite),
            Outage::Off | Outage::Degraded => {
                rules.iter_mut().find_map(|rule| rule.applies_to(endpoint, random).then(|| rule.action().clone()))
            }
        };
        Some(Verdict { before, after, action })
    }

    /// Whether `/health` is to say `degraded`.
    pub fn is_degraded(&self) -> bool {
        !self.is_quiet.load(Ordering::Acquire) && self.locked().outage == Outage::Degraded
    }

    /// The latency of every call.
    pub fn latency(&self) -> Latency {
        self.locked().latency
    }

    /// Sets the latency of every call from now on.
    pub fn set_latency(&self, latency: Latency) {
        self.change(|told| told.latency = latency);
    }

    /// Whether there is an outage.
    pub fn outage(&self) -> Outage {
        self.locked().outage
    }

    /// Begins or ends an outage.
    pub fn set_outage(&self, outage: Outage) {
        self.change(|told| told.outage = outage);
    }

    /// A number from `least` to `most`.
    pub(crate) fn draw(&self, least: u64, most: u64) -> u64 {
        self.locked().random.random_range(least..=most.max(least))
    }

    /// Starts the random choices from here.
    pub fn set_seed(&self, seed: u64) {
        self.change(|told| told.random = StdRng::seed_from_u64(seed));
    }

    /// Adds a fault and answers its number. Of several that fit a call, the first added applies.
    pub fn add(&self, rule: NewRule) -> Result<u64, Invalid> {
        rule.check()?;
        Ok(self.change(|told| {
            let id = told.next_rule;
            told.next_rule += 1;
            told.rules.push(Rule::new(id, rule));
            id
        }))
    }

    /// The faults, with how often each has applied.
    pub fn rules(&self) -> Vec<Rule> {
        self.locked().rules.clone()
    }

    /// Takes one fault back; whether it was there.
    pub fn remove(&self, id: u64) -> bool {
        self.change(|told| {
            let before = told.rules.len();
            told.rules.retain(|rule| rule.id() != id);
            told.rules.len() < before
        })
    }

    /// Takes all faults back.
    pub fn clear_rules(&self) {
        self.change(|told| told.rules.clear());
    }

    /// As it was at the start.
    pub fn reset(&self) {
        self.change(|told| *told = Told::nothing_but(self.at_start));
    }

    fn change<T>(&self, change: impl FnOnce(&mut Told) -> T) -> T {
        let mut told = self.locked();
        let answer = change(&mut told);
        let is_quiet = told.latency.is_none() && told.outage == Outage::Off && told.rules.is_empty();
        self.is_quiet.store(is_quiet, Ordering::Release);
        answer
    }

    fn locked(&self) -> MutexGuard<'_, Told> {
        self.told.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
