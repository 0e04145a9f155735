//! Stripe's paging: newest first, so many after one id or before another.

use serde_json::{Value, json};

use super::{ApiError, query::Query};

const LIMIT_DEFAULT: i64 = 10;
const LIMIT_MAX: i64 = 100;

/// Which page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Page {
    /// 1 to 100.
    pub(super) limit: usize,
    pub(super) from: From,
}

/// Where a page begins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum From {
    Newest,
    /// With the next older one.
    After(String),
    /// Ends with the next newer one.
    Before(String),
}

impl Page {
    pub(super) fn take(query: &mut Query) -> Result<Self, ApiError> {
        let limit = query.take_number("limit")?.unwrap_or(LIMIT_DEFAULT);
        if !(1..=LIMIT_MAX).contains(&limit) {
            return Err(ApiError::invalid("limit", format!("This value must be from 1 to {LIMIT_MAX} (inclusive).")));
        }
        let from = match (query.take("starting_after"), query.take("ending_before")) {
            (None, None) => From::Newest,
            (Some(id), None) => From::After(id),
            (None, Some(id)) => From::Before(id),
            (Some(_), Some(_)) => {
                return Err(ApiError::invalid(
                    "ending_before",
                    "You can only specify one of starting_after and ending_before.",
                ));
            }
        };
        Ok(Self { limit: usize::try_from(limit).unwrap_or(1), from })
    }

    /// This page of objects that are here in whole, newest first.
    pub(super) fn of(&self, objects: Vec<Value>, url: &str) -> Result<Value, ApiError> {
        let place = |param: &str, id: &str| {
            let place = objects.iter().position(|object| object.get("id").is_some_and(|known| known == id));
            place.ok_or_else(|| ApiError::invalid(param, format!("No such object: '{id}'")))
        };
        let (first, last) = match &self.from {
            From::Newest => (0, self.limit),
            From::After(id) => place("starting_after", id).map(|place| (place + 1, place + 1 + self.limit))?,
            From::Before(id) => place("ending_before", id).map(|place| (place.saturating_sub(self.limit), place))?,
        };
        let has_more = match self.from {
            From::Before(_) => first > 0,
            From::Newest | From::After(_) => last < objects.len(),
        };
        let data = objects.into_iter().skip(first).take(last - first).collect();
        Ok(render(data, has_more, url))
    }
}

/// A page as Stripe renders it.
pub(super) fn render(data: Vec<Value>, has_more: bool, url: &str) -> Value {
    json!({ "object": "list", "data": data, "has_more": has_more, "url": url })
}
