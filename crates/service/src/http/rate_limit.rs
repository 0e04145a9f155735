//! A limit on requests per minute and caller, of one replica. A caller is an address, or somebody who is signed in.
//!
//! A whole network of 64 bits counts as one IPv6 client, since that is what one customer is given. Memory is bounded whoever calls: callers
//! whose allowance is full again are forgotten, and beyond [`TRACKED`] callers at a time newcomers share the allowances of [`SHARED`] groups.

use std::hash::{BuildHasher as _, RandomState};
use std::net::IpAddr;
use std::num::NonZeroU32;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use governor::clock::{Clock as _, DefaultClock};
use governor::{DefaultKeyedRateLimiter, Quota, RateLimiter};

/// From this many callers on, newcomers share.
const TRACKED: usize = 100_000;
/// Groups that newcomers share when there are too many.
const SHARED: u64 = 4096;
/// How many requests pass between two looks at how many callers are tracked.
const TIDY_EVERY: usize = 4096;

/// How much each caller may ask for.
#[derive(Debug)]
pub struct RateLimit {
    limiter: DefaultKeyedRateLimiter<Caller>,
    clock: DefaultClock,
    requests: AtomicUsize,
    crowded: std::sync::atomic::AtomicBool,
    groups: RandomState,
    tracked: usize,
}

/// Whose allowance a request is counted against.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Caller(Key);

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Key {
    V4([u8; 4]),
    /// The first 64 bits.
    V6([u8; 8]),
    Subject(Box<str>),
    Group(u64),
}

impl Caller {
    /// Whoever calls from there.
    #[must_use]
    pub fn at(address: IpAddr) -> Self {
        Self(match address.to_canonical() {
            IpAddr::V4(address) => Key::V4(address.octets()),
            IpAddr::V6(address) => {
                let [a, b, c, d, e, f, g, h, ..] = address.octets();
                Key::V6([a, b, c, d, e, f, g, h])
            }
        })
    }

    /// Somebody who is signed in, by the subject of the token, from wherever.
    #[must_use]
    pub fn signed_in(subject: &str) -> Self {
        Self(Key::Subject(subject.into()))
    }
}

impl RateLimit {
    /// At most this many requests a minute, all of which may come at once.
    #[must_use]
    pub fn per_minute(requests: NonZeroU32) -> Self {
        Self::new(requests, TRACKED)
    }

    fn new(requests: NonZeroU32, tracked: usize) -> Self {
        Self {
            limiter: RateLimiter::keyed(Quota::per_minute(requests)),
            clock: DefaultClock::default(),
            requests: AtomicUsize::new(0),
            crowded: false.into(),
            groups: RandomState::new(),
            tracked,
        }
    }

    /// Counts a request.
    ///
    /// # Errors
    /// How long the caller has to wait, when the allowance is used up.
    pub fn check(&self, mut caller: Caller) -> Result<(), Duration> {
        if self.requests.fetch_add(1, Ordering::Relaxed).is_multiple_of(TIDY_EVERY.min(self.tracked)) {
            self.tidy();
        }
        if self.crowded.load(Ordering::Relaxed) {
            caller = Caller(Key::Group(self.groups.hash_one(caller) % SHARED));
        }
        self.limiter.check_key(&caller).map_err(|refusal| refusal.wait_time_from(self.clock.now()))
    }

    /// Forgets callers whose allowance is full again.
    fn tidy(&self) {
        if self.limiter.len() < self.tracked / 2 {
            self.crowded.store(false, Ordering::Relaxed);
            return;
        }
        self.limiter.retain_recent();
        self.limiter.shrink_to_fit();
        self.crowded.store(self.limiter.len() >= self.tracked, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limit(requests: u32) -> RateLimit {
        RateLimit::per_minute(NonZeroU32::new(requests).expect("not zero"))
    }

    fn address(text: &str) -> Caller {
        Caller::at(text.parse().expect("an address"))
    }

    #[test]
    fn each_address_has_its_own_allowance_and_is_told_how_long_to_wait() {
        let limit = limit(2);
        for client in ["192.0.2.1", "192.0.2.2"] {
            assert!(limit.check(address(client)).is_ok());
            assert!(limit.check(address(client)).is_ok());
            let wait = limit.check(address(client)).expect_err("used up");
            assert!(wait <= Duration::from_secs(30), "{wait:?}");
        }
    }

    #[test]
    fn an_ipv6_network_of_64_bits_is_one_client_and_a_mapped_address_is_its_ipv4() {
        let limit = limit(1);
        assert!(limit.check(address("2001:db8::1")).is_ok());
        assert!(limit.check(address("2001:db8::ffff:1")).is_err());
        assert!(limit.check(address("2001:db8:0:1::1")).is_ok());
        assert!(limit.check(address("192.0.2.1")).is_ok());
        assert!(limit.check(address("::ffff:192.0.2.1")).is_err());
    }

    #[test]
    fn who_is_signed_in_has_one_allowance_and_it_is_nobody_elses() {
        let limit = limit(1);
        assert!(limit.check(Caller::signed_in("192.0.2.1")).is_ok());
        assert!(limit.check(Caller::signed_in("192.0.2.1")).is_err());
        assert!(limit.check(Caller::signed_in("b")).is_ok());
        assert!(limit.check(address("192.0.2.1")).is_ok());
    }

    #[test]
    fn the_number_of_tracked_addresses_is_bounded() {
        let tracked = 1000;
        let limit = RateLimit::new(NonZeroU32::MIN, tracked);
        for n in 0..50_000_u32 {
            let _passes_or_not = limit.check(Caller::at(IpAddr::from(n.to_be_bytes())));
        }
        let most = 2 * tracked + usize::try_from(SHARED).expect("small");
        assert!(limit.limiter.len() <= most, "{}", limit.limiter.len());
    }
}
