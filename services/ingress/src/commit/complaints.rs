//! Failed commits in metrics and log: each is counted, and one a second is logged. While the database is down there are thousands.

use std::time::{Duration, Instant};

use service::metrics::Counter;

use super::connection::Error;

const EVERY: Duration = Duration::from_secs(1);

/// What has been said of late.
#[derive(Debug, Default)]
pub(super) struct Complaints {
    last: Option<Instant>,
    unsaid: u64,
}

impl Complaints {
    /// Notes that a try to store `events` events has failed.
    pub(super) fn note(&mut self, error: &Error, stage: &'static str, events: usize) {
        Counter::WebhookCommitRetried.increment(&[("stage", stage), ("error_type", error.kind())]);
        if self.last.is_some_and(|last| last.elapsed() < EVERY) {
            self.unsaid += 1;
            return;
        }
        self.last = Some(Instant::now());
        let unsaid = std::mem::take(&mut self.unsaid);
        let cause = std::error::Error::source(error).map(ToString::to_string);
        tracing::warn!(error = error.to_string(), cause, stage, events, more_before = unsaid, "a commit failed");
    }
}
