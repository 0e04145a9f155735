//! From when to when a source is read. Pure.

use time::{Duration, OffsetDateTime};

use crate::config::PullSettings;

/// A span of time: from (included) to (not included).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Window {
    pub(super) from: OffsetDateTime,
    pub(super) until: OffsetDateTime,
}

impl Window {
    /// From a little before `known`, up to where everything is known, or from `first` when nothing is; up to a little before `now`. None when
    /// there is nothing in between.
    pub(super) fn after(
        known: Option<OffsetDateTime>,
        first: OffsetDateTime,
        now: OffsetDateTime,
        settings: PullSettings,
    ) -> Option<Self> {
        let until = now - settings.grace;
        let from = known.map_or(first, |known| known - settings.overlap);
        (from < until).then_some(Self { from, until })
    }

    /// The window in pieces of at most `length`, oldest first, so that a long way is not gone again from its beginning.
    pub(super) fn slices(self, length: Duration) -> impl Iterator<Item = Self> {
        let mut from = self.from;
        std::iter::from_fn(move || {
            let slice = (from < self.until).then(|| Self { from, until: self.until.min(from + length) })?;
            from = slice.until;
            Some(slice)
        })
    }
}

/// Without what is below a second: Stripe's times have no more.
pub(super) fn whole_seconds(at: OffsetDateTime) -> OffsetDateTime {
    at - Duration::nanoseconds(i64::from(at.nanosecond()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use time::macros::datetime;

    const NOW: OffsetDateTime = datetime!(2026-11-24 10:00 UTC);
    const SETTINGS: PullSettings = PullSettings { overlap: Duration::HOUR, grace: Duration::minutes(5) };

    #[test]
    fn a_window_begins_the_overlap_before_what_is_known_and_ends_the_grace_before_now() {
        let window = Window::after(Some(datetime!(2026-11-24 09:45 UTC)), NOW, NOW, SETTINGS);
        let expected = Window { from: datetime!(2026-11-24 08:45 UTC), until: datetime!(2026-11-24 09:55 UTC) };
        assert_eq!(window, Some(expected));
    }

    #[test]
    fn the_first_window_begins_where_it_is_told_and_an_empty_one_is_none() {
        let first = datetime!(2026-10-25 10:00 UTC);
        assert_eq!(Window::after(None, first, NOW, SETTINGS).map(|window| window.from), Some(first));
        assert_eq!(Window::after(None, NOW, NOW, SETTINGS), None);
        let none = PullSettings { overlap: Duration::ZERO, ..SETTINGS };
        assert_eq!(Window::after(Some(datetime!(2026-11-24 09:55 UTC)), NOW, NOW, none), None);
    }

    proptest! {
        #[test]
        fn slices_cover_the_window_without_gap_or_overlap(length in 1_i64..100_000, slice in 1_i64..10_000) {
            let from = datetime!(2026-11-24 10:00 UTC);
            let window = Window { from, until: from + Duration::seconds(length) };
            let slices: Vec<Window> = window.slices(Duration::seconds(slice)).collect();
            prop_assert_eq!(slices.first().map(|first| first.from), Some(window.from));
            prop_assert_eq!(slices.last().map(|last| last.until), Some(window.until));
            for pair in slices.windows(2) {
                prop_assert_eq!(pair[0].until, pair[1].from);
            }
            prop_assert!(slices.iter().all(|one| one.from < one.until && one.until - one.from <= Duration::seconds(slice)));
        }
    }
}
