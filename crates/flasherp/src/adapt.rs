//! How many calls a worker has in flight: more while latency holds, fewer when FlashERP turns calls away, lets them time out or gets slow.
//!
//! Answers are judged a window at a time. Latency is held against its own long mean, which follows slowly: a FlashERP that is always slow is not
//! pressed to nothing, one that becomes slow under our load is. A few refusals among many answers are noise and cost little; many halve the bound.
//! A fresh client knows nothing yet and rises in large steps until the first setback; from then on, and after an outage, in small ones.
//! Pure: the moment comes in.

use std::time::{Duration, Instant};

/// The bound of a fresh client, if its most is not lower.
const FIRST: usize = 16;
/// The bound right after an outage.
const GENTLE: usize = 4;
/// A window lasts so long at least, if it has enough answers.
const WINDOW: Duration = Duration::from_millis(100);
/// So many.
const ENOUGH: u32 = 8;
/// A window with fewer answers is judged after this.
const LONGEST_WINDOW: Duration = Duration::from_secs(1);
/// Latency above twice its mean and this is a rise.
const SLACK: Duration = Duration::from_millis(5);
/// Of a thousand answers, so many refusals are noise.
const NOISE: u64 = 100;

/// What a try says of FlashERP's load.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Sign {
    /// It was answered in this time.
    Answered(Duration),
    /// It was turned away, or timed out.
    Overloaded,
    /// Nothing (it was not sent, or broke off).
    Nothing,
}

/// Finds the bound.
#[derive(Debug, Clone)]
pub(crate) struct Adapt {
    limit: usize,
    most: usize,
    mean: Option<Duration>,
    /// Whether it has been too much once: what FlashERP bears is somewhere near.
    set_back: bool,
    window: Window,
}

#[derive(Debug, Clone)]
struct Window {
    begun: Instant,
    answers: u32,
    overloaded: u32,
    took: Duration,
    most_in_flight: usize,
}

impl Adapt {
    /// From a moderate bound; never above `most` (at least 1).
    pub(crate) fn new(most: usize, now: Instant) -> Self {
        let most = most.max(1);
        Self { limit: most.min(FIRST.max(most / 4)), most, mean: None, set_back: false, window: Window::new(now) }
    }

    /// The bound.
    pub(crate) const fn limit(&self) -> usize {
        self.limit
    }

    /// After an outage it begins low again.
    pub(crate) fn begin_gently(&mut self, now: Instant) {
        self.limit = self.most.min(GENTLE);
        self.set_back = true;
        self.window = Window::new(now);
    }

    /// Takes note of a try that ended with so many in flight; the new bound if that changes it.
    pub(crate) fn note(&mut self, sign: Sign, in_flight: usize, now: Instant) -> Option<usize> {
        let window = &mut self.window;
        window.most_in_flight = window.most_in_flight.max(in_flight);
        match sign {
            Sign::Answered(took) => {
                window.answers += 1;
                window.took += took;
            }
            Sign::Overloaded => window.overloaded += 1,
            Sign::Nothing => {}
        }
        let lasted = now.saturating_duration_since(window.begun);
        let judged = window.answers + window.overloaded;
        if judged == 0 || lasted < WINDOW || (judged < ENOUGH && lasted < LONGEST_WINDOW) {
            return None;
        }
        let before = self.limit;
        self.judge();
        self.window = Window::new(now);
        (self.limit != before).then_some(self.limit)
    }

    fn judge(&mut self) {
        let Window { answers, overloaded, took, most_in_flight, .. } = self.window;
        let refused = 1000 * u64::from(overloaded) / u64::from(answers + overloaded);
        let latency = took.checked_div(answers);
        let usual = latency.map(|latency| self.follow(latency));
        if refused >= NOISE {
            self.shrink_to(1000 - refused / 2, 1000);
        } else if let (Some(latency), Some(usual)) = (latency, usual)
            && latency > 2 * usual + SLACK
        {
            let half = u64::try_from(latency.as_micros() / 2).unwrap_or(u64::MAX);
            let usual = u64::try_from(usual.as_micros()).unwrap_or(u64::MAX);
            self.shrink_to(usual.max(half / 2), half);
        } else if 4 * most_in_flight >= 3 * self.limit {
            // What is not used is not raised: nothing is known of a bound that was not tried.
            let step = if self.set_back { self.limit / 8 } else { self.limit / 2 };
            self.limit = self.most.min(self.limit + step.max(1));
        }
    }

    /// To so many parts of so many, by one at least.
    fn shrink_to(&mut self, parts: u64, of: u64) {
        let limit =
            u128::from(u64::try_from(self.limit).unwrap_or(u64::MAX)) * u128::from(parts) / u128::from(of.max(1));
        let limit = usize::try_from(limit).unwrap_or(self.limit);
        self.limit = limit.min(self.limit.saturating_sub(1)).max(1);
        self.set_back = true;
    }

    /// The mean before this window; it follows better news faster than worse.
    fn follow(&mut self, latency: Duration) -> Duration {
        let mean = self.mean.unwrap_or(latency);
        self.mean = Some(if latency < mean { mean - (mean - latency) / 4 } else { mean + (latency - mean) / 16 });
        mean
    }
}

impl Window {
    const fn new(begun: Instant) -> Self {
        Self { begun, answers: 0, overloaded: 0, took: Duration::ZERO, most_in_flight: 0 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// A worker with plenty to do against a FlashERP of this latency, for so many windows; `overloaded` of a hundred tries are turned away.
    fn run(adapt: &mut Adapt, now: &mut Instant, windows: u32, latency_ms: impl Fn(usize) -> u64, overloaded: u32) {
        for _ in 0..windows {
            for n in 0..100 {
                let took = Duration::from_millis(latency_ms(adapt.limit()));
                let sign = if n < overloaded { Sign::Overloaded } else { Sign::Answered(took) };
                adapt.note(sign, adapt.limit(), *now);
            }
            *now += WINDOW;
            adapt.note(Sign::Nothing, adapt.limit(), *now);
        }
    }

    #[test]
    fn it_rises_to_the_most_while_latency_holds_however_long_that_is() {
        for latency in [1, 20, 200, 5000] {
            let mut now = Instant::now();
            let mut adapt = Adapt::new(400, now);
            run(&mut adapt, &mut now, 40, |_| latency, 0);
            assert_eq!(adapt.limit(), 400, "at {latency} ms");
        }
    }

    #[test]
    fn before_the_first_setback_it_rises_in_large_steps_and_after_an_outage_in_small_ones() {
        let mut now = Instant::now();
        let mut adapt = Adapt::new(400, now);
        run(&mut adapt, &mut now, 5, |_| 200, 0);
        assert_eq!(adapt.limit(), 400);
        adapt.begin_gently(now);
        run(&mut adapt, &mut now, 5, |_| 200, 0);
        assert!(adapt.limit() < 2 * GENTLE + 2, "{}", adapt.limit());
    }

    #[test]
    fn it_settles_where_a_flasherp_that_queues_begins_to_get_slow() {
        let mut now = Instant::now();
        let mut adapt = Adapt::new(400, now);
        // 40 at once in 20 ms each; what is more waits its turn.
        run(&mut adapt, &mut now, 60, |limit| 20 * (limit as u64).max(40) / 40, 0);
        let mut limits = Vec::new();
        for _ in 0..60 {
            run(&mut adapt, &mut now, 1, |limit| 20 * (limit as u64).max(40) / 40, 0);
            limits.push(adapt.limit());
        }
        assert!(limits.iter().all(|limit| *limit >= 20), "it does not starve: {limits:?}");
    }

    #[test]
    fn being_turned_away_often_takes_it_down_and_now_and_then_does_not() {
        let mut now = Instant::now();
        let mut adapt = Adapt::new(64, now);
        run(&mut adapt, &mut now, 40, |_| 20, 0);
        run(&mut adapt, &mut now, 20, |_| 20, 5);
        assert_eq!(adapt.limit(), 64);
        run(&mut adapt, &mut now, 10, |_| 20, 60);
        assert!(adapt.limit() <= 4, "{}", adapt.limit());
        run(&mut adapt, &mut now, 10, |_| 20, 100);
        assert_eq!(adapt.limit(), 1);
        run(&mut adapt, &mut now, 40, |_| 20, 0);
        assert_eq!(adapt.limit(), 64, "and it comes back");
    }

    #[test]
    fn a_sudden_rise_of_latency_takes_it_down() {
        let mut now = Instant::now();
        let mut adapt = Adapt::new(64, now);
        run(&mut adapt, &mut now, 40, |_| 20, 0);
        run(&mut adapt, &mut now, 1, |_| 100, 0);
        assert!(adapt.limit() <= 32, "{}", adapt.limit());
    }

    #[test]
    fn a_bound_that_is_not_used_is_not_raised() {
        let mut now = Instant::now();
        let mut adapt = Adapt::new(400, now);
        let first = adapt.limit();
        for _ in 0..100 {
            now += LONGEST_WINDOW;
            adapt.note(Sign::Answered(Duration::from_millis(20)), 2, now);
        }
        assert_eq!(adapt.limit(), first);
        adapt.begin_gently(now);
        assert_eq!(adapt.limit(), GENTLE);
    }

    fn signs() -> impl Strategy<Value = Sign> {
        prop_oneof![
            (0_u64..100_000).prop_map(|ms| Sign::Answered(Duration::from_millis(ms))),
            Just(Sign::Overloaded),
            Just(Sign::Nothing),
        ]
    }

    proptest! {
        #[test]
        fn whatever_happens_it_stays_between_one_and_the_most(
            most in 0_usize..10_000, notes in proptest::collection::vec((signs(), 0_usize..10_000, 0_u64..2000), 1..300),
        ) {
            let mut now = Instant::now();
            let mut adapt = Adapt::new(most, now);
            for (sign, in_flight, ms) in notes {
                now += Duration::from_millis(ms);
                let before = adapt.limit();
                let told = adapt.note(sign, in_flight, now);
                prop_assert!((1..=most.max(1)).contains(&adapt.limit()));
                prop_assert_eq!(told, (adapt.limit() != before).then_some(adapt.limit()));
            }
        }
    }
}
