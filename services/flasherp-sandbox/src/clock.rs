//! The sandbox's time. It runs with the machine's, and can be moved by the control API, so that what happens after 24 hours can be tried
//! today.

use std::sync::atomic::{AtomicI64, Ordering};

use time::OffsetDateTime;

/// The machine's clock and a distance from it.
#[derive(Debug, Default)]
pub struct Clock {
    ahead_ms: AtomicI64,
}

impl Clock {
    /// Milliseconds since 1970.
    pub fn now_ms(&self) -> i64 {
        let machine = OffsetDateTime::now_utc().unix_timestamp_nanos() / 1_000_000;
        i64::try_from(machine).unwrap_or(i64::MAX).saturating_add(self.ahead_ms.load(Ordering::Relaxed))
    }

    /// How far the sandbox is ahead of the machine, in milliseconds.
    pub fn ahead_ms(&self) -> i64 {
        self.ahead_ms.load(Ordering::Relaxed)
    }

    /// Sets that distance; negative is behind.
    pub fn set_ahead_ms(&self, ahead_ms: i64) {
        self.ahead_ms.store(ahead_ms, Ordering::Relaxed);
    }
}
