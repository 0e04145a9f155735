//! `GET /v1/events`: what has happened, newest first, up to 30 days back.

use time::OffsetDateTime;

use crate::list::{LIMIT, Page};
use crate::{Client, StripeError};

/// Which events, and which page of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EventsQuery {
    /// Made at this second or later.
    pub created_from: OffsetDateTime,
    /// Made before this second.
    pub created_before: OffsetDateTime,
    /// [`Page::next`] of the page before; none for the first page.
    pub starting_after: Option<String>,
}

impl Client {
    /// A page of events, each in the shape of the API version that it was made under.
    ///
    /// # Errors
    /// [`StripeError`].
    pub async fn events(&self, query: &EventsQuery) -> Result<Page, StripeError> {
        let mut pairs = vec![
            ("limit", LIMIT.to_string()),
            ("created[gte]", query.created_from.unix_timestamp().to_string()),
            ("created[lt]", query.created_before.unix_timestamp().to_string()),
        ];
        pairs.extend(query.starting_after.clone().map(|id| ("starting_after", id)));
        self.get("list_events", &["events"], &pairs, Page::read).await
    }
}
