//! When a job runs next: a cron expression in a time zone, or so many seconds after it was fired. Pure.
//!
//! Where clocks change, a time of the day ("30 2 * * *") that is left out is made up for at once, and one that comes twice fires once. A rhythm ("*/10 * * * *")
//! goes on through both: it fires in each of the two hours, and in none that is not there.

use std::str::FromStr as _;

use chrono::{DateTime, Utc};
use chrono_tz::Tz;
use croner::Cron;
use time::{Duration, OffsetDateTime};

/// A timetable.
#[derive(Debug, Clone)]
pub struct Schedule(Kind);

#[derive(Debug, Clone)]
enum Kind {
    Cron { expression: Box<Cron>, zone: Tz },
    Every(Duration),
}

/// A timetable that is none.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ScheduleError {
    /// Not a cron expression.
    #[error("{0:?} is no cron expression")]
    Cron(String),
    /// Not in the IANA database.
    #[error("{0:?} is no time zone: write a name such as Europe/Berlin")]
    Zone(String),
    /// Neither of the two, or both, or less than a second.
    #[error("it has neither a cron expression nor seconds between runs")]
    Neither,
    /// Such as 30 February.
    #[error("it never comes")]
    Never,
}

impl Schedule {
    /// Reads what a row of `scheduling.jobs` holds.
    ///
    /// # Errors
    /// [`ScheduleError`].
    pub fn parse(cron: Option<&str>, interval_secs: Option<i32>, zone: &str) -> Result<Self, ScheduleError> {
        let kind = match (cron, interval_secs) {
            (Some(cron), None) => Kind::Cron {
                expression: Box::new(Cron::from_str(cron).map_err(|_| ScheduleError::Cron(cron.to_owned()))?),
                zone: zone.parse().map_err(|_| ScheduleError::Zone(zone.to_owned()))?,
            },
            (None, Some(seconds)) if seconds > 0 => Kind::Every(Duration::seconds(i64::from(seconds))),
            _ => return Err(ScheduleError::Neither),
        };
        Ok(Self(kind))
    }

    /// The first time after `now`.
    ///
    /// # Errors
    /// [`ScheduleError::Never`].
    pub fn next_after(&self, now: OffsetDateTime) -> Result<OffsetDateTime, ScheduleError> {
        match &self.0 {
            Kind::Every(interval) => now.checked_add(*interval).ok_or(ScheduleError::Never),
            Kind::Cron { expression, zone } => {
                let now = DateTime::<Utc>::from_timestamp(now.unix_timestamp(), now.nanosecond());
                let now = now.ok_or(ScheduleError::Never)?.with_timezone(zone);
                let next = expression.find_next_occurrence(&now, false).map_err(|_| ScheduleError::Never)?;
                OffsetDateTime::from_unix_timestamp(next.timestamp()).map_err(|_| ScheduleError::Never)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use rstest::rstest;
    use time::macros::datetime;

    #[rstest]
    #[case("*/10 * * * *", "UTC", datetime!(2026-11-24 10:00 UTC), datetime!(2026-11-24 10:10 UTC))]
    #[case("*/10 * * * *", "UTC", datetime!(2026-11-24 10:09:59.999 UTC), datetime!(2026-11-24 10:10 UTC))]
    #[case("0 */6 * * *", "UTC", datetime!(2026-11-24 22:00 UTC), datetime!(2026-11-25 00:00 UTC))]
    #[case("0 2 * * *", "America/New_York", datetime!(2026-11-24 10:00 UTC), datetime!(2026-11-25 07:00 UTC))]
    // summer time has begun in between
    #[case("30 3 * * *", "Europe/Berlin", datetime!(2026-03-28 10:00 UTC), datetime!(2026-03-29 01:30 UTC))]
    #[case("30 3 * * *", "Europe/Berlin", datetime!(2026-03-29 10:00 UTC), datetime!(2026-03-30 01:30 UTC))]
    fn the_next_time_is_the_first_in_the_jobs_zone(
        #[case] cron: &str,
        #[case] zone: &str,
        #[case] now: OffsetDateTime,
        #[case] next: OffsetDateTime,
    ) {
        let schedule = Schedule::parse(Some(cron), None, zone).expect("a schedule");
        assert_eq!(schedule.next_after(now), Ok(next));
    }

    #[test]
    fn an_hour_that_comes_twice_fires_once_and_one_that_does_not_come_is_made_up_for() {
        let at =
            |cron: &str, now| Schedule::parse(Some(cron), None, "Europe/Berlin").expect("a schedule").next_after(now);
        // 2026-10-25 02:30 comes twice: 00:30 UTC and 01:30 UTC
        let first = at("30 2 * * *", datetime!(2026-10-24 12:00 UTC)).expect("it comes");
        let second = at("30 2 * * *", first).expect("it comes");
        assert_eq!(second, datetime!(2026-10-26 01:30 UTC));
        // 2026-03-29 02:30 does not come
        let moved = at("30 2 * * *", datetime!(2026-03-28 12:00 UTC)).expect("it comes");
        assert!(moved < datetime!(2026-03-29 02:00 UTC), "{moved}");
    }

    #[test]
    fn an_interval_counts_from_when_it_was_fired() {
        let schedule = Schedule::parse(None, Some(3600), "UTC").expect("a schedule");
        assert_eq!(schedule.next_after(datetime!(2026-11-24 10:07 UTC)), Ok(datetime!(2026-11-24 11:07 UTC)));
    }

    #[rstest]
    #[case(Some("every day"), None, "UTC", ScheduleError::Cron("every day".to_owned()))]
    #[case(Some("0 2 * * *"), None, "Berlin", ScheduleError::Zone("Berlin".to_owned()))]
    #[case(None, None, "UTC", ScheduleError::Neither)]
    #[case(None, Some(0), "UTC", ScheduleError::Neither)]
    fn what_is_no_schedule_says_why(
        #[case] cron: Option<&str>,
        #[case] interval: Option<i32>,
        #[case] zone: &str,
        #[case] error: ScheduleError,
    ) {
        assert_eq!(Schedule::parse(cron, interval, zone).expect_err("none"), error);
    }

    #[test]
    fn a_day_that_never_comes_is_told() {
        let schedule = Schedule::parse(Some("0 0 30 2 *"), None, "UTC").expect("a schedule");
        assert_eq!(schedule.next_after(datetime!(2026-11-24 10:00 UTC)), Err(ScheduleError::Never));
    }

    proptest! {
        #[test]
        fn the_next_time_is_always_later_and_within_the_period(
            now in 1_700_000_000_i64..2_000_000_000,
            minutes in prop::sample::select(vec![1_i64, 5, 10, 15, 30]),
        ) {
            let now = OffsetDateTime::from_unix_timestamp(now).expect("in range");
            let schedule = Schedule::parse(Some(&format!("*/{minutes} * * * *")), None, "Asia/Kolkata").expect("a schedule");
            let next = schedule.next_after(now).expect("it comes");
            prop_assert!(next > now && next - now <= Duration::minutes(minutes), "{now} {next}");
        }
    }
}
