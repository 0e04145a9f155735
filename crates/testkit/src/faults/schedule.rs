//! Which faults, in which order, when and for how long: decided by a seed before anything runs.
//!
//! Each step has a share of the run's stories, which is sent while it lasts, so that no fault meets an idle system. Times are counted in events
//! and not in seconds, so that a slow machine runs the same schedule: a step's faults begin when so many events of its share have been
//! accepted, and last for so many further tries of the senders, which go on trying whatever is broken.

use rand::rngs::StdRng;
use rand::seq::{IndexedRandom as _, SliceRandom as _};
use rand::{Rng as _, SeedableRng as _};

use super::Fault;

/// Something goes wrong, at one moment of a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// The number of the first story of its share.
    pub first_story: u64,
    /// How many stories that is.
    pub stories: u32,
    /// Its faults begin when so many events of its share have been accepted.
    pub after_accepted: u64,
    /// One fault, or several at once.
    pub faults: Vec<Fault>,
    /// They end when so many tries were made since...
    pub for_attempts: u64,
    /// ... and not before this is over.
    pub outlasts: Outlasts,
}

/// What a step's faults outlast; whoever runs the schedule knows how long that takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Outlasts {
    /// Nothing in particular: a hiccup.
    Nothing,
    /// Whoever waits for an answer gives up.
    Timeouts,
    /// Leases run out, and somebody else takes over.
    Leases,
}

/// A run's faults.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Schedule {
    /// What it was made from.
    pub seed: u64,
    /// In the order in which they come.
    pub steps: Vec<Step>,
}

/// The fewest tries of a step.
const ATTEMPTS_LEAST: u64 = 10;
/// One in so many steps has a second fault.
const WITH_A_SECOND: u32 = 4;
/// Of so many steps each, some outlast timeouts and some outlast leases.
const OUTLASTING: [Outlasts; 6] =
    [Outlasts::Nothing, Outlasts::Nothing, Outlasts::Nothing, Outlasts::Timeouts, Outlasts::Timeouts, Outlasts::Leases];
/// A frozen process goes on where it was, with leases that are not its own any more.
const OUTLASTING_FROZEN: [Outlasts; 2] = [Outlasts::Timeouts, Outlasts::Leases];

impl Schedule {
    /// Each of `faults` once at least, in any order, evenly over so many stories; some of them two at a time.
    ///
    /// # Panics
    /// Without faults.
    pub fn from_seed(seed: u64, stories: u32, faults: &[Fault]) -> Self {
        assert!(!faults.is_empty(), "a schedule needs faults");
        let mut random = StdRng::seed_from_u64(seed);
        let mut order = faults.to_vec();
        order.shuffle(&mut random);
        let (stories, count) = (u64::from(stories), u64::try_from(order.len()).unwrap_or(u64::MAX));
        let steps = (0..count).zip(order).map(|(number, fault)| {
            let (first_story, next) = (stories * number / count, stories * (number + 1) / count);
            let mut together = vec![fault];
            if random.random_ratio(1, WITH_A_SECOND)
                && let Some(second) = faults.choose(&mut random).filter(|second| fault.goes_with(**second))
            {
                together.push(*second);
            }
            let share = next - first_story;
            // A story has two events at least: the faults begin in the first half of them and last for a good part of the rest.
            let attempts = ATTEMPTS_LEAST..=share.max(ATTEMPTS_LEAST);
            Step {
                first_story,
                stories: u32::try_from(share).unwrap_or(u32::MAX),
                after_accepted: random.random_range(0..=share),
                faults: together,
                for_attempts: random.random_range(attempts),
                outlasts: match fault {
                    Fault::Frozen(_) => OUTLASTING_FROZEN.as_slice(),
                    _ => OUTLASTING.as_slice(),
                }
                .choose(&mut random)
                .copied()
                .unwrap_or(Outlasts::Nothing),
            }
        });
        Self { seed, steps: steps.collect() }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    const STORIES: u32 = 8_000;

    #[test]
    fn the_same_seed_gives_the_same_schedule_and_another_seed_another() {
        let faults = Fault::all();
        assert_eq!(Schedule::from_seed(7, STORIES, &faults), Schedule::from_seed(7, STORIES, &faults));
        assert_ne!(Schedule::from_seed(7, STORIES, &faults).steps, Schedule::from_seed(8, STORIES, &faults).steps);
    }

    #[test]
    fn every_fault_comes_and_every_story_is_in_one_share() {
        let faults = Fault::all();
        for seed in 0..200 {
            let schedule = Schedule::from_seed(seed, STORIES, &faults);
            let came: BTreeSet<Fault> = schedule.steps.iter().flat_map(|step| step.faults.iter().copied()).collect();
            assert_eq!(came, faults.iter().copied().collect(), "seed {seed}");
            let mut next = 0;
            for step in &schedule.steps {
                assert_eq!(step.first_story, next, "seed {seed}");
                next += u64::from(step.stories);
                assert!(step.after_accepted <= u64::from(step.stories), "seed {seed}");
            }
            assert_eq!(next, u64::from(STORIES), "seed {seed}");
        }
    }

    #[test]
    fn steps_outlast_nothing_timeouts_and_leases_and_a_frozen_process_waits_for_somebody_to_give_up() {
        let steps: Vec<Step> =
            (0..50).flat_map(|seed| Schedule::from_seed(seed, STORIES, &Fault::all()).steps).collect();
        let lengths = |is_frozen: bool| -> BTreeSet<Outlasts> {
            let of = |step: &&Step| matches!(step.faults.first(), Some(Fault::Frozen(_))) == is_frozen;
            steps.iter().filter(of).map(|step| step.outlasts).collect()
        };
        assert!(lengths(false).into_iter().eq([Outlasts::Nothing, Outlasts::Timeouts, Outlasts::Leases]));
        assert!(lengths(true).into_iter().eq([Outlasts::Timeouts, Outlasts::Leases]));
    }

    #[test]
    fn faults_that_come_together_meddle_with_different_things() {
        let faults = Fault::all();
        let mut seconds = 0;
        for seed in 0..200 {
            for step in Schedule::from_seed(seed, STORIES, &faults).steps {
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
        let mut faults = Fault::all();
        faults.push(Fault::PowerCut);
        let names: BTreeSet<String> = faults.iter().map(ToString::to_string).collect();
        assert_eq!(names.len(), faults.len());
    }
}
