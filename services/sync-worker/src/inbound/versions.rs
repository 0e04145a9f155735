//! Which state of which Stripe object a row has taken: never older state over newer.
//!
//! Stripe stamps events in whole seconds, so a version is (second, rank): on a tie the state that can't be followed by the
//! other wins. Kept per row and object in the column `stripe_versions`, e.g. `{"payment_intent": 7056000003}`.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

/// How many ranks share a second.
const RANKS: i64 = 4;

/// A point in the life of a Stripe object; later is greater.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Version(i64);

impl Version {
    /// Of an event made at `created`; `rank` (0 to 3) says which of two of the same second is the later.
    pub(super) const fn new(created: OffsetDateTime, rank: u8) -> Self {
        let rank = if (rank as i64) < RANKS { rank as i64 } else { RANKS - 1 };
        Self(created.unix_timestamp() * RANKS + rank)
    }
}

/// The versions that a row has taken, by object.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub(super) struct Versions(BTreeMap<String, i64>);

impl Versions {
    /// Takes the version if it is not older than what the row has; says whether the state may be taken over.
    pub(super) fn advance(&mut self, object: &str, to: Version) -> bool {
        match self.0.get(object) {
            Some(known) if *known > to.0 => false,
            _ => {
                self.0.insert(object.to_owned(), to.0);
                true
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use time::macros::datetime;

    const NOON: OffsetDateTime = datetime!(2026-11-24 12:00:00 UTC);

    #[test]
    fn older_state_never_goes_over_newer_and_the_same_again_may() {
        let mut versions = Versions::default();
        assert!(versions.advance("charge", Version::new(NOON, 0)));
        assert!(versions.advance("charge", Version::new(NOON, 0)));
        assert!(!versions.advance("charge", Version::new(NOON - time::Duration::SECOND, 3)));
        assert!(versions.advance("payment_intent", Version::new(NOON - time::Duration::DAY, 0)));
    }

    #[test]
    fn on_a_tie_the_higher_rank_wins_in_either_order() {
        let mut versions = Versions::default();
        assert!(versions.advance("payment_intent", Version::new(NOON, 3)));
        assert!(!versions.advance("payment_intent", Version::new(NOON, 1)));
    }
}
