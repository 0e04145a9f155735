//! Every metric name of the system, and the only way to write one.
//!
//! `Counter::WebhookStored.add(1, &[("source", "stripe")])`, `Histogram::FlashErpCall.observe(elapsed, &[...])`,
//! `Gauge::SyncReady.set(n, &[])`. Label values come from small fixed sets (a code, a status, a type), never ids. They live in this
//! process and start at zero with it; Prometheus scrapes them from `/metrics`.

mod names;
mod registry;

pub use names::{Counter, Gauge, Histogram, Spec, Unit};
pub use registry::{RenderError, render};

use std::time::Duration;

/// A label's name and value.
pub type Label<'a> = (&'static str, &'a str);

impl Counter {
    /// Adds to it.
    pub fn add(self, amount: u64, labels: &[Label<'_>]) {
        registry::instruments().counter(self).add(amount, &registry::labels(labels));
    }

    /// Adds one.
    pub fn increment(self, labels: &[Label<'_>]) {
        self.add(1, labels);
    }
}

impl Histogram {
    /// Records how long something took (for those in seconds).
    pub fn observe(self, duration: Duration, labels: &[Label<'_>]) {
        registry::instruments().histogram(self).record(duration.as_secs_f64(), &registry::labels(labels));
    }

    /// Records how many there were (for those that count).
    pub fn observe_count(self, count: usize, labels: &[Label<'_>]) {
        let count = u32::try_from(count).unwrap_or(u32::MAX);
        registry::instruments().histogram(self).record(f64::from(count), &registry::labels(labels));
    }
}

impl Gauge {
    /// Sets it.
    pub fn set(self, value: i64, labels: &[Label<'_>]) {
        registry::instruments().gauge(self).record(value, &registry::labels(labels));
    }
}
