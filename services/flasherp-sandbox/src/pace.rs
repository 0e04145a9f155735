//! How many calls came in each tenth of a second of the last minute, so that bursts can be seen that a count per second hides. Without a
//! lock, and of fixed size.

use std::{
    sync::atomic::{AtomicU64, Ordering::Relaxed},
    time::Instant,
};

/// Milliseconds of a bucket.
pub const BUCKET_MS: u64 = 100;
const BUCKETS: u64 = 600;
/// A slot holds the number of its bucket and, in the low bits, the calls in it.
const COUNT_BITS: u32 = 24;

/// Calls by tenths of a second.
#[derive(Debug)]
pub struct Pace {
    since: Instant,
    slots: Vec<AtomicU64>,
    most: AtomicU64,
}

impl Default for Pace {
    fn default() -> Self {
        Self {
            since: Instant::now(),
            slots: (0..BUCKETS).map(|_| AtomicU64::new(0)).collect(),
            most: AtomicU64::new(0),
        }
    }
}

impl Pace {
    /// A call came.
    pub fn call(&self) {
        self.call_in(self.bucket());
    }

    /// The calls of each bucket of the last minute, oldest first; the last one is not over.
    pub fn calls(&self) -> Vec<u64> {
        let now = self.bucket();
        let of = |bucket: u64| {
            let slot =
                self.slots.get(usize::try_from(bucket % BUCKETS).unwrap_or(0)).map_or(0, |slot| slot.load(Relaxed));
            if slot >> COUNT_BITS == bucket { slot & ((1 << COUNT_BITS) - 1) } else { 0 }
        };
        ((now + 1).saturating_sub(BUCKETS).max(1)..=now).map(of).collect()
    }

    /// The most calls of one bucket since the last reset.
    pub fn most(&self) -> u64 {
        self.most.load(Relaxed)
    }

    /// Starts over.
    pub fn reset(&self) {
        self.slots.iter().for_each(|slot| slot.store(0, Relaxed));
        self.most.store(0, Relaxed);
    }

    /// Counted from 1, so that an empty slot is of no bucket.
    fn bucket(&self) -> u64 {
        u64::try_from(self.since.elapsed().as_millis()).unwrap_or(u64::MAX) / BUCKET_MS + 1
    }

    fn call_in(&self, bucket: u64) {
        let Some(slot) = self.slots.get(usize::try_from(bucket % BUCKETS).unwrap_or(0)) else { return };
        let first = bucket << COUNT_BITS;
        let count = |slot: u64| if slot >> COUNT_BITS == bucket { slot + 1 } else { first + 1 };
        if let Ok(before) = slot.fetch_update(Relaxed, Relaxed, |slot| Some(count(slot))) {
            self.most.fetch_max(count(before) - first, Relaxed);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slot_forgets_the_calls_of_a_minute_ago() {
        let pace = Pace::default();
        (0..3).for_each(|_| pace.call_in(1));
        assert_eq!((pace.calls().first().copied(), pace.most()), (Some(3), 3));
        pace.call_in(1 + BUCKETS);
        assert_eq!((pace.calls().first().copied(), pace.most()), (Some(0), 3));
        pace.reset();
        assert_eq!((pace.calls().iter().sum::<u64>(), pace.most()), (0, 0));
    }
}
