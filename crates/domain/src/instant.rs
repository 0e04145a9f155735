//! Times as both sides write them: RFC 3339, UTC, milliseconds. FlashERP keeps no more, so more would never compare equal.

use time::{Duration, OffsetDateTime, UtcOffset, format_description::well_known::Rfc3339};

/// The instant in UTC without what is below a millisecond.
#[must_use]
pub fn to_millis(at: OffsetDateTime) -> OffsetDateTime {
    let utc = at.to_offset(UtcOffset::UTC);
    utc - Duration::nanoseconds(i64::from(utc.nanosecond() % 1_000_000))
}

/// `2026-11-24T09:30:00.123Z`.
#[must_use]
pub fn text(at: OffsetDateTime) -> String {
    let utc = at.to_offset(UtcOffset::UTC);
    let (hour, minute, second, milli) = utc.to_hms_milli();
    let (year, month, day) = (utc.year(), u8::from(utc.month()), utc.day());
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{milli:03}Z")
}

/// Reads RFC 3339 with any offset and any number of digits; none if it is not that.
#[must_use]
pub fn parse(text: &str) -> Option<OffsetDateTime> {
    OffsetDateTime::parse(text, &Rfc3339).ok().map(to_millis)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use time::macros::datetime;

    #[test]
    fn an_instant_is_written_in_utc_with_milliseconds() {
        assert_eq!(text(datetime!(2026-11-24 10:30:00.123_999 +1)), "2026-11-24T09:30:00.123Z");
        assert_eq!(text(datetime!(0031-01-02 03:04:05 UTC)), "0031-01-02T03:04:05.000Z");
    }

    #[test]
    fn an_instant_is_read_with_any_offset() {
        assert_eq!(parse("2026-11-24T10:30:00+01:00"), Some(datetime!(2026-11-24 09:30 UTC)));
        assert_eq!(parse("2026-11-24T09:30:00.123456Z"), Some(datetime!(2026-11-24 09:30:00.123 UTC)));
        assert_eq!(parse("2026-11-24"), None);
    }

    proptest! {
        #[test]
        fn every_instant_comes_back_to_the_millisecond(nanos in 0_i128..4_000_000_000_000_000_000) {
            let at = OffsetDateTime::from_unix_timestamp_nanos(nanos).expect("in range");
            prop_assert_eq!(parse(&text(at)), Some(to_millis(at)));
        }
    }
}
