//! When to try again: the backoff between calls, and `Retry-After`. Pure: randomness and the present come in as arguments.

use std::time::Duration;

use time::OffsetDateTime;

/// No `Retry-After` holds longer than a day (FlashERP's longest, for a day's quota).
pub const RETRY_AFTER_MAX: Duration = Duration::from_secs(86_400);
/// Up to here a `Retry-After` is waited for inside the call; above it the sync is put back.
pub const RETRY_AFTER_INLINE: Duration = Duration::from_secs(10);
/// Backoff stops doubling here, whatever the settings.
const LONGEST: Duration = Duration::from_secs(86_400);

/// How retries across calls go on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RetryPolicy {
    /// Pause before the first retry; each further one doubles it (`SYNC_RETRY_BASE_SECS`).
    pub base: Duration,
    /// Retries after the first attempt (`SYNC_MAX_RETRIES`).
    pub max_retries: u32,
    /// How long an unknown write may still take effect (`FLASHERP_SETTLE_SECS`).
    pub settle: Duration,
}

impl Default for RetryPolicy {
    /// 2, 4, 8, 16, 32 s, then no more; 90 s for an unknown write.
    fn default() -> Self {
        Self { base: Duration::from_secs(2), max_retries: 5, settle: Duration::from_secs(90) }
    }
}

impl RetryPolicy {
    /// The pause before retry number `retry` (from 1), a tenth more or less by `random` (any 32 bits), so that what failed together does not
    /// come back together.
    #[must_use]
    pub fn backoff(&self, retry: u32, random: u32) -> Duration {
        let doublings = retry.saturating_sub(1).min(31);
        let nominal = self.base.saturating_mul(1 << doublings).min(LONGEST);
        let permille = 900 + random % 201;
        nominal.saturating_mul(permille) / 1000
    }
}

/// Reads a `Retry-After` header: seconds, or an HTTP date. A date that has passed is zero, nothing is above [`RETRY_AFTER_MAX`], and what is
/// neither is none.
#[must_use]
pub fn retry_after(header: &str, now: OffsetDateTime) -> Option<Duration> {
    let header = header.trim();
    if !header.is_empty() && header.bytes().all(|byte| byte.is_ascii_digit()) {
        let wait = header.parse().map_or(RETRY_AFTER_MAX, Duration::from_secs);
        return Some(wait.min(RETRY_AFTER_MAX));
    }
    let at = OffsetDateTime::from(httpdate::parse_http_date(header).ok()?);
    let wait = Duration::try_from(at - now).unwrap_or(Duration::ZERO);
    Some(wait.min(RETRY_AFTER_MAX))
}

/// Reads an `X-RateLimit-Reset` header, unix seconds: how long until then. A time that has passed is zero, nothing is above [`RETRY_AFTER_MAX`], and
/// what is no number is none.
#[must_use]
pub fn until_reset(header: &str, now: OffsetDateTime) -> Option<Duration> {
    let at = OffsetDateTime::from_unix_timestamp(header.trim().parse().ok()?).ok()?;
    let wait = Duration::try_from(at - now).unwrap_or(Duration::ZERO);
    Some(wait.min(RETRY_AFTER_MAX))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use rstest::rstest;
    use time::macros::datetime;

    const NOW: OffsetDateTime = datetime!(2026-11-24 09:30:00 UTC);

    #[test]
    fn pauses_double_from_two_to_thirty_two_seconds() {
        let middle = 100; // 900 + 100: no jitter
        let pauses: Vec<u64> = (1..=5).map(|retry| RetryPolicy::default().backoff(retry, middle).as_secs()).collect();
        assert_eq!(pauses, [2, 4, 8, 16, 32]);
    }

    #[rstest]
    #[case("7", Some(7))]
    #[case(" 120 ", Some(120))]
    #[case("0", Some(0))]
    #[case("86401", Some(86_400))]
    #[case("99999999999999999999999999", Some(86_400))]
    #[case("Tue, 24 Nov 2026 09:30:09 GMT", Some(9))]
    #[case("Tuesday, 24-Nov-26 09:31:00 GMT", Some(60))]
    #[case("Tue Nov 24 09:30:05 2026", Some(5))]
    #[case("Tue, 24 Nov 2026 09:00:00 GMT", Some(0))]
    #[case("Sat, 01 Jan 2050 00:00:00 GMT", Some(86_400))]
    #[case("-1", None)]
    #[case("1.5", None)]
    #[case("soon", None)]
    #[case("", None)]
    fn retry_after_is_seconds_or_a_date(#[case] header: &str, #[case] secs: Option<u64>) {
        assert_eq!(retry_after(header, NOW), secs.map(Duration::from_secs));
    }

    proptest! {
        #[test]
        fn jitter_is_a_tenth_at_most_and_nothing_overflows(retry in any::<u32>(), random in any::<u32>(), base in 0_u64..10_000) {
            let policy = RetryPolicy { base: Duration::from_secs(base), ..RetryPolicy::default() };
            let nominal = u128::from(base) << retry.saturating_sub(1).min(31);
            let nominal = Duration::from_secs(u64::try_from(nominal.min(86_400)).expect("small"));
            let pause = policy.backoff(retry, random);
            prop_assert!(pause >= nominal * 9 / 10 && pause <= nominal * 11 / 10, "{:?} for {:?}", pause, nominal);
        }

        #[test]
        fn no_header_makes_it_panic_or_wait_over_a_day(header in ".{0,40}") {
            prop_assert!(retry_after(&header, NOW).is_none_or(|wait| wait <= RETRY_AFTER_MAX));
        }
    }

    #[rstest]
    #[case("1796117407", Some(7))]
    #[case(" 1796117407 ", Some(7))]
    #[case("1796117400", Some(0))]
    #[case("1796117300", Some(0))]
    #[case("1896117400", Some(86_400))]
    #[case("99999999999999999999", None)]
    #[case("soon", None)]
    #[case("", None)]
    fn a_reset_is_an_instant_in_unix_seconds(#[case] header: &str, #[case] seconds: Option<u64>) {
        let now = OffsetDateTime::from_unix_timestamp(1_796_117_400).expect("a time");
        assert_eq!(until_reset(header, now), seconds.map(Duration::from_secs));
    }
}
