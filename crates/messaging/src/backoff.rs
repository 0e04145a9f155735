//! Waiting longer after each failure, with full jitter, so that replicas which failed together don't come back together.

use std::time::Duration;

/// The longest wait after the first failure.
const FIRST: Duration = Duration::from_millis(100);
/// The longest wait after any failure.
const LONGEST: Duration = Duration::from_secs(5);

/// The longest wait after `failures` failures in a row: doubles from [`FIRST`] up to [`LONGEST`].
pub(crate) fn ceiling(failures: u32) -> Duration {
    let doublings = failures.saturating_sub(1).min(16);
    FIRST.saturating_mul(1 << doublings).min(LONGEST)
}

/// A wait between nothing and the ceiling.
pub(crate) fn jittered(failures: u32) -> Duration {
    Duration::from_micros(rand::random_range(0..=duration_micros(ceiling(failures))))
}

/// Lets time pass: before another attempt, or until a timer's work is due.
pub(crate) async fn pause(wait: Duration) {
    tokio::time::sleep(wait).await;
}

fn duration_micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}

/// Counts failures in a row.
#[derive(Debug, Default)]
pub(crate) struct Backoff {
    failures: u32,
}

impl Backoff {
    /// One more failure: how long to wait.
    pub(crate) fn next(&mut self) -> Duration {
        self.failures = self.failures.saturating_add(1);
        jittered(self.failures)
    }

    /// It works again.
    pub(crate) fn reset(&mut self) {
        self.failures = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ceiling_doubles_up_to_the_longest_wait() {
        assert_eq!(ceiling(0), FIRST);
        assert_eq!(ceiling(1), FIRST);
        assert_eq!(ceiling(2), FIRST * 2);
        assert_eq!(ceiling(5), FIRST * 16);
        assert_eq!(ceiling(7), LONGEST);
        assert_eq!(ceiling(u32::MAX), LONGEST);
    }

    #[test]
    fn no_wait_exceeds_the_ceiling() {
        for failures in 0..200 {
            assert!(jittered(failures) <= ceiling(failures));
        }
    }
}
