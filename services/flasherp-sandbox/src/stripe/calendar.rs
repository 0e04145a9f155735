//! Billing periods: months of their own lengths, with the day of the month kept where the month has it.

use time::{Date, Month, OffsetDateTime};

/// Seconds of a day.
pub(super) const DAY: i64 = 24 * 60 * 60;

/// The same time of day so many months later (earlier, if negative); the month's last day where it has no such day.
pub(super) fn add_months(unix_secs: i64, months: i32) -> i64 {
    let Ok(at) = OffsetDateTime::from_unix_timestamp(unix_secs) else { return unix_secs };
    let count = at.year() * 12 + i32::from(u8::from(at.month())) - 1 + months;
    let month = u8::try_from(count.rem_euclid(12) + 1).ok().and_then(|month| Month::try_from(month).ok());
    let year = count.div_euclid(12);
    let date = month.and_then(|month| Date::from_calendar_date(year, month, at.day().min(month.length(year))).ok());
    date.map_or(unix_secs, |date| at.replace_date(date).unix_timestamp())
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;

    #[test]
    fn the_day_is_kept_where_the_month_has_it() {
        for (from, months, to) in [
            (datetime!(2026-01-31 10:00 UTC), 1, datetime!(2026-02-28 10:00 UTC)),
            (datetime!(2028-01-31 10:00 UTC), 1, datetime!(2028-02-29 10:00 UTC)),
            (datetime!(2026-01-31 10:00 UTC), 2, datetime!(2026-03-31 10:00 UTC)),
            (datetime!(2026-11-15 00:00 UTC), 3, datetime!(2027-02-15 00:00 UTC)),
            (datetime!(2026-03-31 00:00 UTC), -1, datetime!(2026-02-28 00:00 UTC)),
            (datetime!(2026-01-15 00:00 UTC), -12, datetime!(2025-01-15 00:00 UTC)),
        ] {
            assert_eq!(add_months(from.unix_timestamp(), months), to.unix_timestamp(), "{from} {months}");
        }
    }
}
