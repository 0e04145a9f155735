//! Pages of lists: which one is asked for, and what stands beside its rows.
//!
//! By `page`, with a total, for people who leaf; by `cursor`, which costs the same at any depth, for machines and long lists. The total is
//! counted up to 10,000 and estimated above, since counting millions of rows costs more than reading the page. Pages end at row 100,000: what is
//! passed over is read, and a page number costs its caller nothing.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Serialize;
use time::OffsetDateTime;
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use crate::input::{Fields, FromFields};

/// Rows of a page where nothing is said.
pub const DEFAULT_LIMIT: i64 = 25;
/// Rows of a page at most.
pub const LARGEST_LIMIT: i64 = 100;
/// Up to here totals are counted.
pub const COUNTED_UP_TO: i64 = 10_000;
/// Up to this row there are pages; beyond it, who reads on takes the cursor.
pub const DEEPEST: i64 = 100_000;

/// Where a list goes on: behind the row with this time and id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cursor {
    /// The time by which the list is ordered.
    pub at: OffsetDateTime,
    /// The row's id, for rows of the same time.
    pub id: Uuid,
}

impl Cursor {
    /// As clients see it: opaque.
    #[must_use]
    pub fn encode(&self) -> String {
        let mut bytes = [0; 24];
        let micros = i64::try_from(self.at.unix_timestamp_nanos() / 1_000).unwrap_or(i64::MAX);
        bytes[..8].copy_from_slice(&micros.to_be_bytes());
        bytes[8..].copy_from_slice(self.id.as_bytes());
        URL_SAFE_NO_PAD.encode(bytes)
    }

    /// Reads what [`Self::encode`] wrote; anything else is `None`.
    #[must_use]
    pub fn decode(text: &str) -> Option<Self> {
        let bytes: [u8; 24] = URL_SAFE_NO_PAD.decode(text).ok()?.try_into().ok()?;
        let (micros, id) = bytes.split_first_chunk::<8>()?;
        let at = OffsetDateTime::from_unix_timestamp_nanos(i128::from(i64::from_be_bytes(*micros)) * 1_000).ok()?;
        let within_what_the_database_knows = (1..=9998).contains(&at.year());
        within_what_the_database_knows.then_some(Self { at, id: Uuid::from_slice(id).ok()? })
    }
}

/// The page that is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Paging {
    /// From 1; 1 where a cursor rules.
    pub page: i64,
    /// Rows, 1 to 100.
    pub limit: i64,
    /// Goes on behind this row, whatever the page.
    pub cursor: Option<Cursor>,
}

impl Paging {
    /// How many rows are passed over to come to the page; none behind a cursor.
    #[must_use]
    pub fn offset(&self) -> i64 {
        if self.cursor.is_some() { 0 } else { (self.page - 1) * self.limit }
    }
}

impl FromFields for Paging {
    fn read(fields: &mut Fields) -> Self {
        if fields.has("page") && fields.has("cursor") {
            fields.wrong("cursor", "can't stand beside page");
        }
        let cursor = fields.text("cursor").and_then(|text| {
            let cursor = Cursor::decode(&text);
            if cursor.is_none() {
                fields.wrong("cursor", "must be a nextCursor of an answer");
            }
            cursor
        });
        let page = fields.integer("page", 1..=i64::from(i32::MAX)).unwrap_or(1);
        let limit = fields.integer("limit", 1..=LARGEST_LIMIT).unwrap_or(DEFAULT_LIMIT);
        if page * limit > DEEPEST {
            let last = DEEPEST / limit;
            fields.wrong(
                "page",
                format!("is beyond row {DEEPEST}, where pages end (with this limit, page {last}); go on by cursor, or narrow the list by its filters"),
            );
        }
        Self { page, limit, cursor }
    }
}

/// The parameters of [`Paging`], for the API's description; beside them stand a list's filters.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "describes what `Paging` reads")]
pub struct PagingParameters {
    /// The page, from 1. Pages end at row 100,000 (`page` times `limit`): beyond it, go on by `cursor`, or narrow the list by its filters. Not
    /// beside `cursor`.
    #[param(minimum = 1, maximum = 100_000, default = 1)]
    page: Option<i64>,
    /// Rows of a page.
    #[param(minimum = 1, maximum = 100, default = 25)]
    limit: Option<i64>,
    /// `nextCursor` of the page before: goes on where that one ended, at the same cost however deep.
    #[param(min_length = 32, max_length = 32, pattern = "^[A-Za-z0-9_-]{32}$")]
    cursor: Option<String>,
}

/// How many rows a filter matches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Total {
    pub rows: i64,
    /// Whether it is the planner's estimate, not counted.
    pub is_estimate: bool,
}

impl Total {
    /// From a count that stopped one above [`COUNTED_UP_TO`], and, where it did, the planner's estimate.
    #[must_use]
    pub fn counted_or(counted: i64, estimate: impl FnOnce() -> i64) -> Self {
        if counted <= COUNTED_UP_TO {
            return Self { rows: counted, is_estimate: false };
        }
        // There are so many at least.
        Self { rows: estimate().max(counted), is_estimate: true }
    }
}

/// What stands beside a page's rows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Pagination {
    /// The page, from 1.
    #[schema(minimum = 1)]
    pub page: i64,
    /// Rows of a page.
    #[schema(minimum = 1, maximum = 100)]
    pub limit: i64,
    /// Rows that match; exact up to 10,000.
    #[schema(minimum = 0)]
    pub total: i64,
    /// Whether `total` is an estimate.
    pub total_is_estimate: bool,
    /// Pages that `total` makes, also those beyond row 100,000, which only `cursor` leads to.
    #[schema(minimum = 0)]
    pub total_pages: i64,
    /// Whether there are rows behind this page.
    pub has_more: bool,
    /// For `cursor`: goes on behind this page; null behind the last.
    #[schema(required)]
    pub next_cursor: Option<String>,
}

/// A page of a list.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Page<T> {
    pub data: Vec<T>,
    pub pagination: Pagination,
}

impl<T> Page<T> {
    /// The page of what was read: up to `limit` + 1 rows, of which the last only says that there is more.
    #[must_use]
    pub fn of(paging: Paging, mut rows: Vec<T>, total: Total, cursor: impl Fn(&T) -> Cursor) -> Self {
        let limit = usize::try_from(paging.limit).unwrap_or(usize::MAX);
        let has_more = rows.len() > limit;
        rows.truncate(limit);
        let next_cursor = rows.last().filter(|_| has_more).map(|last| cursor(last).encode());
        let pagination = Pagination {
            page: paging.page,
            limit: paging.limit,
            total: total.rows,
            total_is_estimate: total.is_estimate,
            total_pages: (total.rows + paging.limit - 1) / paging.limit,
            has_more,
            next_cursor,
        };
        Self { data: rows, pagination }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(query: &str) -> Result<Paging, Vec<String>> {
        let refused = Fields::of_query(query).read();
        refused.map_err(|issues| issues.into_iter().map(|detail| detail.field).collect())
    }

    #[test]
    fn without_a_word_it_is_the_first_page_of_25() {
        assert_eq!(read(""), Ok(Paging { page: 1, limit: 25, cursor: None }));
    }

    #[test]
    fn pages_out_of_bounds_and_made_up_cursors_are_refused() {
        let bad = ["page=0", "page=-1", "page=9999999999", "page=9999999999999999999999", "page=x", "page="];
        for query in bad {
            assert_eq!(read(query), Err(vec!["page".to_owned()]), "{query}");
        }
        for query in ["limit=0", "limit=101", "limit=1e2"] {
            assert_eq!(read(query), Err(vec!["limit".to_owned()]), "{query}");
        }
        let whole = Cursor { at: OffsetDateTime::UNIX_EPOCH, id: Uuid::nil() }.encode();
        for query in ["cursor=x".to_owned(), format!("cursor={whole}x"), format!("page=1&cursor={whole}")] {
            assert_eq!(read(&query), Err(vec!["cursor".to_owned()]), "{query}");
        }
        assert!(read("cursor=_____________________w").is_err());
    }

    #[test]
    fn pages_end_at_row_100_000_whatever_the_limit_and_who_asks_further_is_sent_to_the_cursor() {
        for query in ["page=4000", "page=1000&limit=100", "page=100000&limit=1", "page=33333&limit=3"] {
            assert!(read(query).is_ok_and(|paging| paging.offset() + paging.limit <= DEEPEST), "{query}");
        }
        for query in ["page=4001", "page=1001&limit=100", "page=100001&limit=1", "page=33334&limit=3", "page=1000000"] {
            let issues = Fields::of_query(query).read::<Paging>().expect_err(query);
            assert_eq!(issues.iter().map(|detail| detail.field.as_str()).collect::<Vec<_>>(), ["page"], "{query}");
            assert!(issues[0].issue.contains("go on by cursor"), "{query}: {}", issues[0].issue);
        }
    }

    #[test]
    fn a_page_has_one_row_less_than_was_read_and_says_so() {
        let paging = Paging { page: 2, limit: 2, cursor: None };
        let cursor = |id: &u128| Cursor { at: OffsetDateTime::UNIX_EPOCH, id: Uuid::from_u128(*id) };
        let total = Total { rows: 5, is_estimate: false };
        let page = Page::of(paging, vec![1, 2, 3], total, cursor);
        assert_eq!(
            (page.data.as_slice(), page.pagination.has_more, page.pagination.total_pages),
            (&[1, 2][..], true, 3)
        );
        let next = page.pagination.next_cursor.as_deref().and_then(Cursor::decode);
        assert_eq!(next.map(|cursor| cursor.id), Some(Uuid::from_u128(2)));
        let last = Page::of(paging, vec![1, 2], total, cursor);
        assert_eq!((last.pagination.has_more, last.pagination.next_cursor), (false, None));
    }

    #[test]
    fn totals_are_counted_up_to_ten_thousand() {
        assert_eq!(Total::counted_or(10_000, || 3), Total { rows: 10_000, is_estimate: false });
        assert_eq!(Total::counted_or(10_001, || 3), Total { rows: 10_001, is_estimate: true });
        assert_eq!(Total::counted_or(10_001, || 5_000_000), Total { rows: 5_000_000, is_estimate: true });
    }

    proptest! {
        #[test]
        fn a_cursor_comes_back_as_it_was(micros in 0_i64..250_000_000_000_000_000, id in any::<u128>()) {
            let at = OffsetDateTime::from_unix_timestamp_nanos(i128::from(micros) * 1_000).expect("in range");
            let cursor = Cursor { at, id: Uuid::from_u128(id) };
            prop_assert_eq!(Cursor::decode(&cursor.encode()), Some(cursor));
        }

        #[test]
        fn no_text_breaks_a_cursor(text in ".*") {
            let _read = Cursor::decode(&text);
        }
    }
}
