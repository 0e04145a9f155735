//! A field's value with its type, so that comparing is by value and not by text.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize, de, ser};
use time::OffsetDateTime;

use super::{
    decimal::Decimal,
    field::{Field, FieldKind},
    json::Json,
};
use crate::{instant, money::Money};

/// What is wanted in FlashERP, or was found there, by field. Absent and null are the same.
pub type Fields = BTreeMap<Field, FieldValue>;

/// A field's value.
///
/// Serialised (in `base_payload`) each value is tagged by its type and numbers are texts, so that no reader makes a float of them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FieldValue {
    /// A text.
    Text(String),
    /// A number in major units.
    Decimal(Decimal),
    /// An instant, in milliseconds.
    Time(#[serde(with = "time_text")] OffsetDateTime),
    /// A JSON object.
    Object(#[serde(with = "object_text")] BTreeMap<String, Json>),
    /// JSON of another type than the field has, as it was read. Equal to nothing we would send.
    Raw(String),
    /// Nothing; in a PUT it clears.
    Null,
}

impl FieldValue {
    /// A text.
    #[must_use]
    pub fn text(text: impl Into<String>) -> Self {
        Self::Text(text.into())
    }

    /// An amount as FlashERP writes it.
    #[must_use]
    pub fn money(money: Money) -> Self {
        // `to_decimal` writes digits, a point and a minus only; if it ever did not, the text would still be sent and refused there.
        let text = money.to_decimal();
        Decimal::new(text.clone()).map_or(Self::Raw(text), Self::Decimal)
    }

    /// An instant, without what FlashERP does not keep.
    #[must_use]
    pub fn time(at: OffsetDateTime) -> Self {
        Self::Time(instant::to_millis(at))
    }

    /// Whether it is nothing.
    #[must_use]
    pub const fn is_null(&self) -> bool {
        matches!(self, Self::Null)
    }

    /// The text of a text.
    #[must_use]
    pub fn as_text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            _ => None,
        }
    }

    /// What FlashERP answered for a field: by the field's type, else raw.
    pub(super) fn read(field: Field, json: &str) -> Self {
        let raw = || Self::Raw(json.to_owned());
        let Ok(parsed) = Json::parse(json) else {
            return raw();
        };
        match (field.kind(), parsed) {
            (_, Json::Null) => Self::Null,
            (FieldKind::Text, Json::Text(text)) => Self::Text(text),
            (FieldKind::Decimal, Json::Number(number)) => Self::Decimal(number),
            (FieldKind::Time, Json::Text(text)) => instant::parse(&text).map_or_else(raw, Self::Time),
            (FieldKind::Object, Json::Object(members)) => Self::Object(members),
            _ => raw(),
        }
    }
}

mod time_text {
    use super::{Deserialize, OffsetDateTime, de, instant};

    pub(super) fn serialize<S: serde::Serializer>(at: &OffsetDateTime, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&instant::text(*at))
    }

    pub(super) fn deserialize<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<OffsetDateTime, D::Error> {
        let text = String::deserialize(deserializer)?;
        instant::parse(&text).ok_or_else(|| de::Error::custom("not an RFC 3339 time"))
    }
}

mod object_text {
    use super::{BTreeMap, Deserialize, Json, de, ser};

    pub(super) fn serialize<S: serde::Serializer>(
        members: &BTreeMap<String, Json>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&serde_json::to_string(members).map_err(ser::Error::custom)?)
    }

    pub(super) fn deserialize<'de, D: serde::Deserializer<'de>>(
        deserializer: D,
    ) -> Result<BTreeMap<String, Json>, D::Error> {
        match Json::parse(&String::deserialize(deserializer)?) {
            Ok(Json::Object(members)) => Ok(members),
            Ok(_) => Err(de::Error::custom("not an object")),
            Err(error) => Err(de::Error::custom(error)),
        }
    }
}
