//! What follows from an attempt: the sync state machine as pure functions.
//!
//! One call is one [`Verdict`]. A write whose outcome is unknown spends no retry and never gives up: it is looked up after the settle time, and
//! what was found decides ([`settled`]). Only a write that follows counts as a retry. The row is written in one transaction with its audit row
//! and fact, so that a process that dies before leaves an expired lease, which is an unknown outcome again.

use std::time::Duration;

use time::OffsetDateTime;

use crate::{
    error_code::ErrorCode,
    kinds::{Outcome, SyncStatus},
    retry::{RETRY_AFTER_INLINE, RetryPolicy},
};

/// What is known of a failed attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Failure {
    /// Why.
    pub code: ErrorCode,
    /// Whether it is certain that nothing took effect.
    pub definite: bool,
    /// Whether the same attempt may succeed later without anybody changing anything.
    pub retry_helps: bool,
    /// How long FlashERP asked us to wait.
    pub retry_after: Option<Duration>,
    /// Nothing was tried: the gate is closed, or the lease too short. Never costs a retry.
    pub handed_back: bool,
}

impl Failure {
    /// A failure of which nothing is known but its code (a mapping error, a missing record).
    #[must_use]
    pub const fn of(code: ErrorCode) -> Self {
        Self { code, definite: code.definite(), retry_helps: code.retry_helps(), retry_after: None, handed_back: false }
    }

    /// The same failure of a read that no unknown write waits for: it cannot have changed anything.
    #[must_use]
    pub const fn of_read(self) -> Self {
        Self { definite: true, ..self }
    }
}

/// What becomes of a sync after an attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// FlashERP holds the state that was sent.
    Synced,
    /// Nothing took effect; tried again then. A retry is spent.
    Retry {
        /// When.
        at: OffsetDateTime,
    },
    /// Nothing took effect; it waits for a hand.
    Failed,
    /// It may have taken effect. Looked up from then on.
    Unknown {
        /// Before this, a write in flight may still take effect.
        settle_until: OffsetDateTime,
    },
    /// Nothing took effect, and it was not the record's fault: pending again, no retry spent.
    PutBack {
        /// Not claimed before.
        not_before: OffsetDateTime,
    },
}

/// The part of a sync row that a verdict decides.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RowState {
    /// Its status.
    pub status: SyncStatus,
    /// Retries spent since the last state that deserved them all.
    pub retry_count: u32,
    /// When it may be claimed next; none with a failed row that waits for a hand, and with a synced one.
    pub next_at: Option<OffsetDateTime>,
    /// Whether FlashERP's state is known.
    pub outcome: Outcome,
}

/// Judges an attempt. `retry_count` is what the row has spent, `random` any 32 bits for the jitter.
#[must_use]
pub fn verdict(
    result: Result<(), &Failure>,
    retry_count: u32,
    policy: &RetryPolicy,
    now: OffsetDateTime,
    random: u32,
) -> Verdict {
    let failure = match result {
        Ok(()) => return Verdict::Synced,
        Err(failure) => failure,
    };
    let asked = failure.retry_after.unwrap_or(Duration::ZERO);
    if failure.handed_back {
        return Verdict::PutBack { not_before: now + asked };
    }
    if !failure.definite {
        return Verdict::Unknown { settle_until: now + policy.settle.max(asked) };
    }
    if asked > RETRY_AFTER_INLINE {
        return Verdict::PutBack { not_before: now + asked };
    }
    if failure.retry_helps && retry_count < policy.max_retries {
        return Verdict::Retry { at: now + policy.backoff(retry_count + 1, random).max(asked) };
    }
    Verdict::Failed
}

impl Verdict {
    /// The row after it.
    #[must_use]
    pub const fn row(self, retry_count: u32) -> RowState {
        match self {
            Self::Synced => {
                RowState { status: SyncStatus::Synced, retry_count: 0, next_at: None, outcome: Outcome::Known }
            }
            Self::Retry { at } => RowState {
                status: SyncStatus::Failed,
                retry_count: retry_count.saturating_add(1),
                next_at: Some(at),
                outcome: Outcome::Known,
            },
            Self::Failed => {
                RowState { status: SyncStatus::Failed, retry_count, next_at: None, outcome: Outcome::Known }
            }
            Self::Unknown { settle_until } => RowState {
                status: SyncStatus::Failed,
                retry_count,
                next_at: Some(settle_until),
                outcome: Outcome::Unknown,
            },
            Self::PutBack { not_before } => RowState {
                status: SyncStatus::Pending,
                retry_count,
                next_at: Some(not_before),
                outcome: Outcome::Known,
            },
        }
    }
}

/// What a look-up after the settle time found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Found {
    /// No record: the write never took effect.
    Nothing,
    /// The record as it should be.
    AsDesired,
    /// The record, in another state.
    Different,
}

/// What follows from a look-up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Settled {
    /// Nothing is left to do.
    Synced,
    /// Write again at once (POST when nothing was found, PUT of the difference else): a retry, and the row has this count from now on.
    Write {
        /// Retries spent, this write included.
        retry_count: u32,
    },
    /// The retries are spent: failed, known, no next time.
    Failed,
}

/// Decides what follows when an unknown outcome became known.
#[must_use]
pub const fn settled(found: Found, retry_count: u32, policy: &RetryPolicy) -> Settled {
    match found {
        Found::AsDesired => Settled::Synced,
        Found::Nothing | Found::Different => {
            if retry_count < policy.max_retries {
                Settled::Write { retry_count: retry_count + 1 }
            } else {
                Settled::Failed
            }
        }
    }
}

/// A look-up of an unknown outcome failed: it stays unknown and is looked up again, after the longest backoff or what FlashERP asked for.
#[must_use]
pub fn look_up_again(failure: &Failure, policy: &RetryPolicy, now: OffsetDateTime, random: u32) -> Verdict {
    let pause = policy.backoff(policy.max_retries, random);
    Verdict::Unknown { settle_until: now + pause.max(failure.retry_after.unwrap_or(Duration::ZERO)) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use time::macros::datetime;

    const NOW: OffsetDateTime = datetime!(2026-11-24 09:30:00 UTC);
    const NO_JITTER: u32 = 100;

    fn judge(failure: Failure, retry_count: u32) -> Verdict {
        verdict(Err(&failure), retry_count, &RetryPolicy::default(), NOW, NO_JITTER)
    }

    fn after(failure: Failure, wait: Duration) -> Failure {
        Failure { retry_after: Some(wait), ..failure }
    }

    #[test]
    fn six_attempts_are_two_to_thirty_two_seconds_apart_and_then_it_waits_for_a_hand() {
        let mut retry_count = 0;
        let mut pauses = Vec::new();
        loop {
            let verdict = judge(Failure::of(ErrorCode::ConnectionFailed), retry_count);
            let row = verdict.row(retry_count);
            retry_count = row.retry_count;
            match row.next_at {
                Some(at) => pauses.push((at - NOW).whole_seconds()),
                None => break,
            }
        }
        assert_eq!(pauses, [2, 4, 8, 16, 32]);
        assert_eq!(retry_count, 5);
    }

    #[test]
    fn what_a_retry_cannot_mend_fails_at_once() {
        let verdict = judge(Failure::of(ErrorCode::ValidationError), 0);
        assert_eq!(verdict, Verdict::Failed);
        assert_eq!(verdict.row(0).status, SyncStatus::Failed);
        assert_eq!(verdict.row(0).next_at, None);
    }

    #[test]
    fn an_unknown_outcome_waits_the_settle_time_and_spends_no_retry_even_after_the_last() {
        for retry_count in 0..=5 {
            let verdict = judge(Failure::of(ErrorCode::Timeout), retry_count);
            assert_eq!(verdict, Verdict::Unknown { settle_until: NOW + Duration::from_secs(90) });
            assert_eq!(verdict.row(retry_count).retry_count, retry_count);
            assert_eq!(verdict.row(retry_count).outcome, Outcome::Unknown);
        }
    }

    #[test]
    fn being_asked_to_wait_long_puts_the_sync_back_and_a_little_only_delays_the_retry() {
        let limited = Failure::of(ErrorCode::RateLimitExceeded);
        let long = judge(after(limited, Duration::from_secs(11)), 5);
        assert_eq!(long, Verdict::PutBack { not_before: NOW + Duration::from_secs(11) });
        assert_eq!(
            long.row(5),
            RowState {
                status: SyncStatus::Pending,
                retry_count: 5,
                next_at: Some(NOW + Duration::from_secs(11)),
                outcome: Outcome::Known,
            }
        );
        assert_eq!(
            judge(after(limited, Duration::from_secs(9)), 0),
            Verdict::Retry { at: NOW + Duration::from_secs(9) }
        );
        let unknown = after(Failure::of(ErrorCode::ServiceUnavailable), Duration::from_secs(600));
        assert_eq!(judge(unknown, 0), Verdict::Unknown { settle_until: NOW + Duration::from_secs(600) });
    }

    #[test]
    fn what_was_never_tried_is_put_back() {
        let closed = Failure { handed_back: true, ..Failure::of(ErrorCode::ServiceUnavailable) };
        assert_eq!(judge(closed, 5), Verdict::PutBack { not_before: NOW });
    }

    #[test]
    fn success_gives_all_retries_back() {
        assert_eq!(verdict(Ok(()), 4, &RetryPolicy::default(), NOW, 0).row(4).retry_count, 0);
    }

    #[test]
    fn a_write_after_a_look_up_is_a_retry_and_after_the_last_one_nothing_is_written() {
        let policy = RetryPolicy::default();
        assert_eq!(settled(Found::AsDesired, 5, &policy), Settled::Synced);
        assert_eq!(settled(Found::Nothing, 0, &policy), Settled::Write { retry_count: 1 });
        assert_eq!(settled(Found::Different, 4, &policy), Settled::Write { retry_count: 5 });
        assert_eq!(settled(Found::Nothing, 5, &policy), Settled::Failed);
    }

    fn failures() -> impl Strategy<Value = Failure> {
        let codes = proptest::sample::select(ErrorCode::ALL);
        (codes, any::<bool>(), any::<bool>(), proptest::option::of(0_u64..100_000), any::<bool>()).prop_map(
            |(code, definite, retry_helps, wait, handed_back)| Failure {
                code,
                definite,
                retry_helps,
                retry_after: wait.map(Duration::from_secs),
                handed_back,
            },
        )
    }

    proptest! {
        #[test]
        fn whatever_happens_the_row_keeps_its_promises(
            failure in failures(), retry_count in 0_u32..=5, random in any::<u32>(), base in 1_u64..60,
        ) {
            let policy = RetryPolicy { base: Duration::from_secs(base), ..RetryPolicy::default() };
            let verdict = verdict(Err(&failure), retry_count, &policy, NOW, random);
            let row = verdict.row(retry_count);
            prop_assert!(row.retry_count <= policy.max_retries);
            let retried = matches!(verdict, Verdict::Retry { .. });
            prop_assert!(row.retry_count == retry_count || retried);
            // Unknown exactly when it may have taken effect; and then it always goes on by itself.
            prop_assert_eq!(row.outcome == Outcome::Unknown, !failure.definite && !failure.handed_back);
            prop_assert!(row.outcome == Outcome::Known || row.next_at >= Some(NOW + policy.settle));
            // Nobody comes back before FlashERP allows it.
            if let (Some(next), Some(wait)) = (row.next_at, failure.retry_after) {
                prop_assert!(next >= NOW + wait);
            }
            // Only what nothing can mend, or what has no retries left, waits for a hand.
            if verdict == Verdict::Failed {
                prop_assert!(!failure.retry_helps || retry_count == policy.max_retries);
            }
        }

        #[test]
        fn a_sync_that_meets_only_trouble_ends_known_and_writes_at_most_six_times(
            troubles in proptest::collection::vec((failures(), 0..3_usize), 1..60),
        ) {
            let policy = RetryPolicy::default();
            let (mut retry_count, mut writes, mut unknown) = (0, 0, false);
            for (failure, found) in troubles {
                if unknown {
                    match settled([Found::Nothing, Found::AsDesired, Found::Different][found], retry_count, &policy) {
                        Settled::Synced | Settled::Failed => break,
                        Settled::Write { retry_count: counted } => retry_count = counted,
                    }
                }
                let verdict = verdict(Err(&failure), retry_count, &policy, NOW, 0);
                let put_back = matches!(verdict, Verdict::PutBack { .. });
                writes += u32::from(!put_back);
                let row = verdict.row(retry_count);
                (retry_count, unknown) = (row.retry_count, row.outcome == Outcome::Unknown);
                if row.next_at.is_none() {
                    break;
                }
            }
            prop_assert!(writes <= 1 + policy.max_retries, "{} writes", writes);
        }
    }
}
