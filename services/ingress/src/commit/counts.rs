//! Metrics of one commit, added up so that each is written once and not for each event.

use events::WebhookSource;
use service::metrics::{Counter, Histogram};

use super::event::Event;

type BySourceAnd = Vec<((WebhookSource, &'static str), u64)>;

/// What one commit has done.
#[derive(Default)]
pub(super) struct Counts {
    events: usize,
    received: BySourceAnd,
    stored: BySourceAnd,
    duplicates: BySourceAnd,
    secrets: BySourceAnd,
}

impl Counts {
    /// Takes an event that is about to be answered.
    pub(super) fn add(&mut self, event: &Event, duplicate: bool) {
        self.events += 1;
        bump(&mut self.received, event.source, "");
        if duplicate {
            bump(&mut self.duplicates, event.source, "");
        } else {
            bump(&mut self.stored, event.source, if event.defect.is_some() { "quarantined" } else { "received" });
        }
        bump(&mut self.secrets, event.source, event.secret);
        Histogram::WebhookDuration.observe(event.received.elapsed(), &[("source", event.source.as_str())]);
    }

    pub(super) fn publish(self) {
        Histogram::CommitBatch.observe_count(self.events, &[]);
        for ((source, _), count) in self.received {
            Counter::WebhookReceived.add(count, &[("source", source.as_str())]);
        }
        for ((source, status), count) in self.stored {
            Counter::WebhookStored.add(count, &[("source", source.as_str()), ("status", status)]);
        }
        for ((source, _), count) in self.duplicates {
            Counter::WebhookDuplicate.add(count, &[("source", source.as_str())]);
        }
        for ((source, secret), count) in self.secrets {
            Counter::WebhookSecretUsed.add(count, &[("source", source.as_str()), ("secret", secret)]);
        }
    }
}

/// There are one or two sources and labels: a short list beats a map.
fn bump(counts: &mut BySourceAnd, source: WebhookSource, label: &'static str) {
    match counts.iter_mut().find(|(known, _)| *known == (source, label)) {
        Some((_, count)) => *count += 1,
        None => counts.push(((source, label), 1)),
    }
}
