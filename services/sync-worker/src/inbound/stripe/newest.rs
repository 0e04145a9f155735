//! Never older state over newer: of one Stripe object, the newest that it told, and when.
//!
//! Stripe stamps events in whole seconds, so a version is (second, rank): on a tie the state that can't be followed by the other wins, and over both
//! the object as Stripe's API showed it when the second was over. What is
//! still of the same version is kept side by side, and of these the one counts that no other says it has replaced; should that not decide it,
//! the greatest, so that the end is the same in any order.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use super::wants::Occasion;

/// How many ranks share a second.
const RANKS: i64 = 8;
/// Above those of events (0 to 3).
const PULLED: u8 = 7;

/// A point in the life of a Stripe object; later is greater.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct Version(i64);

impl Version {
    /// Of an event made at `created`; `rank` (0 to 3) says which of two of the same second is the later.
    pub(crate) const fn new(created: OffsetDateTime, rank: u8) -> Self {
        let rank = if (rank as i64) < RANKS { rank as i64 } else { RANKS - 1 };
        Self(created.unix_timestamp() * RANKS + rank)
    }

    /// Of what was told on an occasion.
    pub(crate) const fn of(occasion: Occasion, rank: u8) -> Self {
        Self::new(occasion.created, if occasion.pulled { PULLED } else { rank })
    }

    /// Whether it is of a later second; ranks are those of one object alone.
    pub(crate) const fn is_of_later_second_than(self, other: Self) -> bool {
        self.0.div_euclid(RANKS) > other.0.div_euclid(RANKS)
    }
}

/// What a Stripe object tells of a row.
pub(crate) trait Told: Ord + Clone {
    /// Whether this was told right after `other`, as far as it says what it has replaced. Asked for what is of the same version.
    fn replaced(&self, other: &Self) -> bool {
        let _ = other;
        false
    }
}

/// The newest that was told, by version.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(bound = "T: Told + Serialize + serde::de::DeserializeOwned, V: Serialize + serde::de::DeserializeOwned")]
pub(crate) struct Newest<T: Told, V = Version> {
    at: V,
    told: BTreeSet<T>,
}

impl<T: Told, V: Ord> Newest<T, V> {
    /// Takes what was told at `at` in, unless newer is known.
    pub(crate) fn take(known: &mut Option<Self>, at: V, told: T) {
        match known {
            Some(newest) if newest.at > at => {}
            Some(newest) if newest.at == at => {
                newest.told.insert(told);
            }
            _ => *known = Some(Self { at, told: BTreeSet::from([told]) }),
        }
    }

    /// Whether several things were told at the same version and nothing says which was the last.
    pub(crate) fn is_undecided(&self) -> bool {
        let is_last = |told: &&T| !self.told.iter().any(|other| other != *told && other.replaced(told));
        self.told.len() > 1 && self.told.iter().filter(is_last).count() != 1
    }

    /// When it was told.
    pub(crate) const fn at(&self) -> &V {
        &self.at
    }

    /// What was told.
    pub(crate) fn get(&self) -> &T {
        let is_last = |told: &&T| !self.told.iter().any(|other| other != *told && other.replaced(told));
        let last = self.told.iter().rev().find(is_last).or_else(|| self.told.last());
        last.expect("it is made with one and only grows")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use time::macros::datetime;

    const NOON: OffsetDateTime = datetime!(2026-11-24 12:00:00 UTC);

    /// A value and the one before.
    #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
    struct Step(&'static str, &'static str);

    impl Told for Step {
        fn replaced(&self, other: &Self) -> bool {
            self.1 == other.0
        }
    }

    fn newest(steps: &[(Version, Step)]) -> &'static str {
        let mut known = None;
        for (at, step) in steps {
            Newest::take(&mut known, *at, step.clone());
        }
        known.expect("something was told").get().0
    }

    #[test]
    fn older_state_never_goes_over_newer_and_on_a_tie_the_higher_rank_wins_in_either_order() {
        let (old, new) = (
            (Version::new(NOON, 3), Step("old", "")),
            (Version::new(NOON + time::Duration::SECOND, 0), Step("new", "")),
        );
        assert_eq!(newest(&[old.clone(), new.clone()]), "new");
        assert_eq!(newest(&[new, old.clone()]), "new");
        let lower = (Version::new(NOON, 1), Step("lower", ""));
        assert_eq!(newest(&[old.clone(), lower.clone()]), "old");
        assert_eq!(newest(&[lower, old]), "old");
    }

    #[test]
    fn of_several_in_one_second_the_last_of_the_chain_wins_in_any_order() {
        let at = Version::new(NOON, 1);
        let chain = [(at, Step("m", "z")), (at, Step("a", "m")), (at, Step("k", "a"))];
        for order in [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]] {
            assert_eq!(newest(&order.map(|index: usize| chain[index].clone())), "k", "{order:?}");
        }
    }

    #[test]
    fn it_is_undecided_only_while_nothing_says_which_of_the_same_version_was_the_last() {
        let at = Version::new(NOON, 1);
        let mut known = None;
        for (step, undecided) in [(Step("a", ""), false), (Step("b", ""), true)] {
            Newest::take(&mut known, at, step);
            assert_eq!(known.as_ref().map(Newest::is_undecided), Some(undecided));
        }
        let pulled = Occasion { created: NOON, livemode: true, pulled: true };
        Newest::take(&mut known, Version::of(pulled, 0), Step("a", ""));
        assert_eq!(known.as_ref().map(|known| (known.get().0, known.is_undecided())), Some(("a", false)));
        Newest::take(&mut known, Version::new(NOON, 3), Step("late", ""));
        assert_eq!(known.map(|known| known.get().0), Some("a"), "what was read goes over every event of its second");
        let mut chain = None;
        for step in [Step("a", "b"), Step("b", "")] {
            Newest::take(&mut chain, at, step);
        }
        assert_eq!(chain.map(|chain| chain.is_undecided()), Some(false), "the one says that it replaced the other");
    }

    #[test]
    fn what_replaces_each_other_ends_in_the_same_in_either_order() {
        let at = Version::new(NOON, 1);
        let (one, two) = ((at, Step("a", "b")), (at, Step("b", "a")));
        assert_eq!(newest(&[one.clone(), two.clone()]), newest(&[two, one]));
    }
}
