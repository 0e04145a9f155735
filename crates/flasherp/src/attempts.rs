//! The tries inside a call: up to four, with full jitter, where a repeat cannot do harm.
//!
//! | call | is tried again after |
//! |---|---|
//! | reads | every failure that a repeat can mend |
//! | POST, PUT | failures before sending, and a 429 that is FlashERP's own |
//! | POST under a key that FlashERP honours | unknown outcomes too, with the same bytes and key |
//! | DELETE (cancelling twice is the same as once) | every failure that a repeat can mend |
//!
//! `Retry-After` is obeyed; above 10 s the call ends and says so. No try starts that could outlast the lease. A process that dies between two
//! tries leaves an expired lease, an unknown outcome.

#![expect(clippy::disallowed_types, reason = "reqwest-retry's policies speak of SystemTime")]

use std::{
    future::Future,
    time::{Duration, Instant, SystemTime},
};

use domain::retry::RETRY_AFTER_INLINE;
use reqwest_retry::{Jitter, RetryDecision, RetryPolicy, policies::ExponentialBackoff};

use crate::{
    call::LEASE_MARGIN,
    error::{CallError, CallResult},
};

/// Each pause may be twice as long as the one before, up to this.
const LONGEST_PAUSE: Duration = Duration::from_secs(10);

/// When a call may be tried again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Repeat {
    /// Whenever it can help: the call changes nothing, or nothing more the second time.
    Harmless,
    /// Only when it is certain that nothing took effect.
    Unsent,
    /// Also when the outcome is unknown: the key makes a second one the first.
    Keyed,
}

impl Repeat {
    /// Whether a try that failed like this may be followed by another.
    fn allows(self, error: &CallError) -> bool {
        let not_taken = !error.sent || (error.own_word && error.http_status == Some(429));
        if error.handed_back {
            return false;
        }
        match self {
            Self::Harmless => error.retry_helps(),
            Self::Unsent => not_taken && error.retry_helps(),
            Self::Keyed => (not_taken || !error.definite) && error.retry_helps(),
        }
    }
}

/// How the tries of a call go on.
#[derive(Debug)]
pub(crate) struct Attempts<P> {
    pub(crate) policy: P,
    pub(crate) repeat: Repeat,
    /// Whether a failed try can leave an unknown outcome.
    pub(crate) writes: bool,
    /// How long one try may take.
    pub(crate) timeout: Duration,
    pub(crate) deadline: Option<Instant>,
}

/// The pauses of a client: full jitter under a bound that doubles.
pub(crate) fn pauses(first: Duration, max_tries: u32) -> ExponentialBackoff {
    ExponentialBackoff::builder()
        .retry_bounds(first.min(LONGEST_PAUSE), LONGEST_PAUSE)
        .base(2)
        .jitter(Jitter::Full)
        .build_with_max_retries(max_tries.saturating_sub(1))
}

impl<P: RetryPolicy> Attempts<P> {
    /// Tries until there is a verdict; also says how many tries it took. Each try waits for its turn first; only then the lease is looked at, last
    /// before sending.
    pub(crate) async fn run<T, W, Waiting, F, Fut>(&self, mut turn: W, mut attempt: F) -> (u32, CallResult<T>)
    where
        W: FnMut() -> Waiting,
        Waiting: Future<Output = CallResult<()>>,
        F: FnMut() -> Fut,
        Fut: Future<Output = CallResult<T>>,
    {
        let started = SystemTime::now();
        let mut tries = 0;
        let mut maybe_done = false;
        let mut last: Option<CallError> = None;
        loop {
            let may_go = turn().await;
            let may_go = may_go.and_then(|()| {
                if self.fits_after(Duration::ZERO) { Ok(()) } else { Err(CallError::lease_too_short()) }
            });
            if let Err(refused) = may_go {
                // What the try before came to says more than that there is no other.
                let error = last.unwrap_or(refused);
                return (tries, Err(if maybe_done { error.after_unknown_try() } else { error }));
            }
            tries += 1;
            let error = match attempt().await {
                Ok(done) => return (tries, Ok(done)),
                Err(error) => error,
            };
            maybe_done |= self.writes && !error.definite;
            match self.pause(started, tries, &error) {
                Some(pause) => tokio::time::sleep(pause).await,
                None if maybe_done => return (tries, Err(error.after_unknown_try())),
                None => return (tries, Err(error)),
            }
            last = Some(error);
        }
    }

    /// How long to wait before the next try; none when there is to be none.
    fn pause(&self, started: SystemTime, tries: u32, error: &CallError) -> Option<Duration> {
        let asked = error.retry_after.unwrap_or(Duration::ZERO);
        if !self.repeat.allows(error) || asked > RETRY_AFTER_INLINE {
            return None;
        }
        let RetryDecision::Retry { execute_after } = self.policy.should_retry(started, tries - 1) else {
            return None;
        };
        let drawn = execute_after.duration_since(SystemTime::now()).unwrap_or(Duration::ZERO);
        let pause = drawn.max(asked);
        self.fits_after(pause).then_some(pause)
    }

    /// Whether a try that starts after a pause ends well before the lease does.
    fn fits_after(&self, pause: Duration) -> bool {
        self.deadline.is_none_or(|deadline| {
            let left = deadline.saturating_duration_since(Instant::now());
            left >= pause + self.timeout + LEASE_MARGIN
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gate::Refusal;
    use domain::ErrorCode;
    use std::cell::Cell;

    struct Drawn(Duration);

    impl RetryPolicy for Drawn {
        fn should_retry(&self, _: SystemTime, past: u32) -> RetryDecision {
            if past < 3 {
                RetryDecision::Retry { execute_after: SystemTime::now() + self.0 }
            } else {
                RetryDecision::DoNotRetry
            }
        }
    }

    fn attempts(repeat: Repeat, drawn: u64) -> Attempts<Drawn> {
        let timeout = Duration::from_secs(30);
        Attempts { policy: Drawn(Duration::from_secs(drawn)), repeat, writes: true, timeout, deadline: None }
    }

    async fn at_once() -> CallResult<()> {
        Ok(())
    }

    fn limited(wait: u64) -> CallError {
        let error = CallError::told(429, "RATE_LIMIT_EXCEEDED", "slow down".to_owned(), Vec::new());
        CallError { retry_after: Some(Duration::from_secs(wait)), ..error }
    }

    #[tokio::test(start_paused = true)]
    async fn retry_after_is_obeyed_up_to_ten_seconds() {
        for (wait, tries, slept) in [(10, 4, 30), (7, 4, 21), (11, 1, 0)] {
            let started = tokio::time::Instant::now();
            let (tried, _) = attempts(Repeat::Unsent, 0).run(at_once, async || Err::<(), _>(limited(wait))).await;
            assert_eq!((tried, started.elapsed().as_secs()), (tries, slept));
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_longer_pause_of_our_own_is_not_cut_short_by_retry_after() {
        let started = tokio::time::Instant::now();
        attempts(Repeat::Unsent, 5).run(at_once, async || Err::<(), _>(limited(1))).await.1.expect_err("turned away");
        assert!(started.elapsed() > Duration::from_secs(14), "{:?}", started.elapsed());
    }

    #[tokio::test(start_paused = true)]
    async fn failures_before_sending_are_tried_again_also_for_a_write_and_stay_definite() {
        let refused = || CallError::refused_connection();
        for repeat in [Repeat::Unsent, Repeat::Keyed, Repeat::Harmless] {
            let (tries, result) = attempts(repeat, 0).run(at_once, async || Err::<(), _>(refused())).await;
            let error = result.expect_err("refused");
            assert!(tries == 4 && error.definite && !error.sent);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_refused_connection_after_an_unknown_try_leaves_the_call_unknown() {
        let turn = Cell::new(0);
        let (tries, result) = attempts(Repeat::Keyed, 0)
            .run(at_once, async || {
                turn.set(turn.get() + 1);
                Err::<(), _>(if turn.get() == 1 {
                    CallError::unreadable(502, "a page")
                } else {
                    CallError::refused_connection()
                })
            })
            .await;
        let error = result.expect_err("refused");
        assert_eq!((tries, error.code), (4, ErrorCode::ConnectionFailed));
        assert!(!error.definite && error.sent);
    }

    #[tokio::test(start_paused = true)]
    async fn a_gate_that_shuts_between_two_tries_leaves_the_first_ones_verdict() {
        for definite in [true, false] {
            let turns = Cell::new(0);
            let turn = async || {
                turns.set(turns.get() + 1);
                let message = "shut".to_owned();
                let refusal = Refusal { code: ErrorCode::ServiceUnavailable, message, retry_after: None };
                if turns.get() == 1 { Ok(()) } else { Err(CallError::refused(refusal)) }
            };
            let failure =
                || if definite { CallError::refused_connection() } else { CallError::unreadable(502, "a page") };
            let (tries, result) = attempts(Repeat::Keyed, 0).run(turn, async || Err::<(), _>(failure())).await;
            let error = result.expect_err("it failed");
            assert_eq!((tries, error.definite, error.handed_back), (1, definite, false));
            assert_eq!(error.code, failure().code);
        }
    }

    #[test]
    fn pauses_have_full_jitter_under_a_bound_that_doubles() {
        let policy = pauses(Duration::from_millis(200), 4);
        for (past, bound) in [(0, 200), (1, 400), (2, 800)] {
            for _ in 0..200 {
                let before = SystemTime::now();
                let RetryDecision::Retry { execute_after } = policy.should_retry(before, past) else {
                    panic!("try {past} has a next one");
                };
                // The policy reads the clock itself, between the two readings here.
                let slack = before.elapsed().unwrap_or_default();
                let pause = execute_after.duration_since(before).unwrap_or_default();
                assert!(pause <= Duration::from_millis(bound) + slack, "{pause:?} after {past}");
            }
        }
        assert!(matches!(policy.should_retry(SystemTime::now(), 3), RetryDecision::DoNotRetry));
    }
}
