//! FlashERP's times: milliseconds since 1970 inside, RFC 3339 in UTC with exactly three digits outside.

use time::{OffsetDateTime, format_description::well_known::Rfc3339, macros::format_description};

/// Milliseconds since 1970 (digits beyond them are cut off); `None` if this is no RFC 3339 time.
pub fn parse(text: &str) -> Option<i64> {
    let instant = OffsetDateTime::parse(text, &Rfc3339).ok()?;
    i64::try_from(instant.unix_timestamp_nanos().div_euclid(1_000_000)).ok()
}

/// `2026-01-31T12:00:00.000Z`.
pub fn render(millis: i64) -> String {
    const FORMAT: &[time::format_description::BorrowedFormatItem<'_>] =
        format_description!("[year]-[month]-[day]T[hour]:[minute]:[second].[subsecond digits:3]Z");
    let instant =
        OffsetDateTime::from_unix_timestamp_nanos(i128::from(millis) * 1_000_000).unwrap_or(OffsetDateTime::UNIX_EPOCH);
    instant.format(FORMAT).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_instant_keeps_milliseconds_and_becomes_utc() {
        let millis = parse("2026-03-01T01:30:00.123999+02:00").expect("a valid time");
        assert_eq!(render(millis), "2026-02-28T23:30:00.123Z");
        assert_eq!(parse(&render(millis)), Some(millis));
    }

    #[test]
    fn what_is_no_rfc_3339_time_is_refused() {
        for text in ["", "2026-03-01", "2026-03-01T00:00:00", "1700000000", "yesterday"] {
            assert_eq!(parse(text), None, "{text}");
        }
    }
}
