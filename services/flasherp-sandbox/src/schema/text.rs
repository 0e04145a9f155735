//! JSON strings, decoded without a copy where they hold no escapes.

use std::borrow::Cow;

use serde::Deserialize;

/// A string or object key that borrows where it can.
#[derive(Deserialize, PartialEq, Eq, Hash)]
#[serde(transparent)]
pub(super) struct Text<'a>(#[serde(borrow)] pub(super) Cow<'a, str>);

/// The string that this JSON text stands for; `None` if the text is not a string.
pub fn decode(json: &str) -> Option<Cow<'_, str>> {
    if !json.starts_with('"') {
        return None;
    }
    serde_json::from_str::<Text<'_>>(json).ok().map(|text| text.0)
}
