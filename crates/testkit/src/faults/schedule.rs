//! Which faults, in which order, when and for how long: decided by a seed before anything runs.
//!
//! Times are counted in events, not in seconds, so that a slow machine runs the same schedule: a step begins when so many events have been
//! accepted, and lasts for so many further tries of the sender, which goes on trying whatever is broken.

use std::ops::RangeInclusive;

use rand::rngs::StdRng;
use rand::seq::{IndexedRandom as _, SliceRandom as _};
use rand::{Rng as _, SeedableRng as _};

use super::Fault;

/// Something goes wrong, at one moment of a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// It begins when so many events have been accepted.
    pub after_accepted: u64,
    /// One fault, or several at once.
    pub faults: Vec<Fault>,
    /// It ends when so many tries were made since.
    pub for_attempts: u64,
}

/// A run's faults.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Schedule {
    /// What it was made from.
    pub seed: u64,
    /// In the order in which they come.
    pub steps: Vec<Step>,
}

/// A step lasts for this many tries.
const ATTEMPTS: RangeInclusive<u64> = 20..=80;
/// A process may be frozen for longer than its leases last.
const ATTEMPTS_FROZEN: RangeInclusive<u64> = 20..=2_000;
/// One in so many steps has a second fault.
const WITH_A_SECOND: u32 = 4;

impl Schedule {
    /// Each of `faults` once at least, in any order, evenly over a run of so many events; some of them two at a time.
    ///
    /// # Panics
    /// Without faults.
    pub fn from_seed(seed: u64, events: u64, faults: &[Fault]) -> Self {
        assert!(!faults.is_empty(), "a schedule needs faults");
        let mut random = StdRng::seed_from_u64(seed);
        let mut order = faults.to_vec();
        order.shuffle(&mut random);
        // The last tenth is left alone: what fails late is mended while others still come.
        let room = events - events / 10;
        let every = room / (u64::try_from(order.len()).unwrap_or(u64::MAX) + 1);
        let mut at = 0;
        let steps = order
            .into_iter()
            .map(|fault| {
                at += every;
                let mut together = vec![fault];
                if random.random_ratio(1, WITH_A_SECOND)
                    && let Some(second) = faults.choose(&mut random).filter(|second| fault.goes_with(**second))
                {
                    together.push(*second);
                }
                let jitter = random.random_range(0..=every / 4);
                let attempts = if matches!(fault, Fault::Frozen(_)) { ATTEMPTS_FROZEN } else { ATTEMPTS };
                Step { after_accepted: at + jitter, faults: together, for_attempts: random.random_range(attempts) }
            })
            .collect();
        Self { seed, steps }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn the_same_seed_gives_the_same_schedule_and_another_seed_another() {
        let faults = Fault::all();
        assert_eq!(Schedule::from_seed(7, 20_000, &faults), Schedule::from_seed(7, 20_000, &faults));
        assert_ne!(Schedule::from_seed(7, 20_000, &faults).steps, Schedule::from_seed(8, 20_000, &faults).steps);
    }

    #[test]
    fn every_fault_comes_and_steps_are_in_order_and_within_the_run() {
        let faults = Fault::all();
        for seed in 0..200 {
            let schedule = Schedule::from_seed(seed, 20_000, &faults);
            let came: BTreeSet<Fault> = schedule.steps.iter().flat_map(|step| step.faults.iter().copied()).collect();
            assert_eq!(came, faults.iter().copied().collect(), "seed {seed}");
            assert!(schedule.steps.is_sorted_by_key(|step| step.after_accepted), "seed {seed}");
            assert!(schedule.steps.iter().all(|step| step.after_accepted < 20_000), "seed {seed}");
        }
    }

    #[test]
    fn faults_that_come_together_meddle_with_different_things() {
        let faults = Fault::all();
        let mut seconds = 0;
        for seed in 0..200 {
            for step in Schedule::from_seed(seed, 20_000, &faults).steps {
                if let [one, other] = step.faults.as_slice() {
                    assert!(one.goes_with(*other), "seed {seed}: {one} with {other}");
                    seconds += 1;
                }
            }
        }
        assert!(seconds > 0);
    }

    #[test]
    fn faults_have_names_of_their_own() {
        let names: BTreeSet<String> = Fault::all().iter().map(ToString::to_string).collect();
        assert_eq!(names.len(), Fault::all().len());
    }
}
