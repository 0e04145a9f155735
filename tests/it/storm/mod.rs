//! Stripe's events are sent, some of them told by no webhook, and finance works in FlashERP, which tells of it by webhooks, while jobs run,
//! somebody spoils records in FlashERP behind everybody's back, an admin asks for reconciliations, and things go wrong by a schedule. In the end
//! every place is held against what was accepted or listed and against finance's last words, and a reconciliation must find nothing.
//!
//! A run is a function of its seed, as far as a run can be: the stories, the faults, their order, when each begins in events accepted and for
//! how many tries it lasts. How the processes interleave is the machine's. What fails says seed, fault and record, how to run it again, and
//! where the history and the services' logs are.

mod act;
mod admin;
mod agreement;
mod finance;
mod flasherp;
mod listed;
mod matrix;
mod measure;
mod places;
#[cfg(test)]
mod planted;
mod power;
mod run;
mod shelf;
mod stage;

use std::time::Duration;

use testkit::faults::Fault;

pub(crate) use matrix::Matrix;
pub(crate) use run::{Run, run};

/// How big a run is.
#[derive(Debug, Clone)]
pub(crate) struct Size {
    /// Distinct events, about; repeats come on top.
    pub(crate) events: u32,
    /// First tries a second.
    pub(crate) per_second: u32,
    /// What goes wrong, each at least as often as it is named.
    pub(crate) faults: Vec<Fault>,
    /// How long a step lasts at most, also when the senders don't make their tries or nothing is felt of a fault: longer than leases, and a
    /// quarter of it longer than any timeout.
    pub(crate) longest_step: Duration,
    /// Whether FlashERP honours idempotency keys.
    pub(crate) keys: bool,
    /// The command that has it again.
    pub(crate) again: String,
    /// How long the system may take to come to rest after the last event.
    pub(crate) patience: Duration,
}

impl Size {
    /// Each story is a customer and a payment; one in four customers changes.
    fn stories(&self) -> u32 {
        self.events * 4 / 9
    }
}
