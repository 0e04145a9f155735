//! A limit on requests per minute and client address, of one replica.
//!
//! A whole network of 64 bits counts as one IPv6 client, since that is what one customer is given. Memory is bounded whoever calls: addresses
//! whose allowance is full again are forgotten, and beyond [`TRACKED`] addresses at a time newcomers share the allowances of [`SHARED`] groups.

use std::hash::{BuildHasher as _, RandomState};
use std::net::IpAddr;
use std::num::NonZeroU32;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use governor::clock::{Clock as _, DefaultClock};
use governor::{DefaultKeyedRateLimiter, Quota, RateLimiter};

/// From this many addresses on, newcomers share.
const TRACKED: usize = 100_000;
/// Groups that newcomers share when there are too many.
const SHARED: u64 = 4096;
/// How many requests pass between two looks at how many addresses are tracked.
const TIDY_EVERY: usize = 4096;

/// The limit of one source.
#[derive(Debug)]
pub(crate) struct RateLimit {
    limiter: DefaultKeyedRateLimiter<Client>,
    clock: DefaultClock,
    requests: AtomicUsize,
    crowded: std::sync::atomic::AtomicBool,
    groups: RandomState,
    tracked: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Client {
    V4([u8; 4]),
    /// The first 64 bits.
    V6([u8; 8]),
    Group(u64),
}

impl RateLimit {
    /// At most this many requests a minute, all of which may come at once.
    #[must_use]
    pub(crate) fn per_minute(requests: NonZeroU32) -> Self {
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
    /// How long the address has to wait, when it has used up its allowance.
    pub(crate) fn check(&self, address: IpAddr) -> Result<(), Duration> {
        if self.requests.fetch_add(1, Ordering::Relaxed).is_multiple_of(TIDY_EVERY.min(self.tracked)) {
            self.tidy();
        }
        let mut client = match address.to_canonical() {
            IpAddr::V4(address) => Client::V4(address.octets()),
            IpAddr::V6(address) => {
                let [a, b, c, d, e, f, g, h, ..] = address.octets();
                Client::V6([a, b, c, d, e, f, g, h])
            }
        };
        if self.crowded.load(Ordering::Relaxed) {
            client = Client::Group(self.groups.hash_one(client) % SHARED);
        }
        self.limiter.check_key(&client).map_err(|refusal| refusal.wait_time_from(self.clock.now()))
    }

    /// Forgets addresses whose allowance is full again.
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

    fn address(text: &str) -> IpAddr {
        text.parse().expect("an address")
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
    fn the_number_of_tracked_addresses_is_bounded() {
        let tracked = 1000;
        let limit = RateLimit::new(NonZeroU32::MIN, tracked);
        for n in 0..50_000_u32 {
            let _passes_or_not = limit.check(IpAddr::from(n.to_be_bytes()));
        }
        let most = 2 * tracked + usize::try_from(SHARED).expect("small");
        assert!(limit.limiter.len() <= most, "{}", limit.limiter.len());
    }
}
