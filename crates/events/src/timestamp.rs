//! Times on the wire: RFC 3339 in UTC with exactly three digits of fraction (`2026-01-02T03:04:05.678Z`).
//!
//! Used as `#[serde(with = "timestamp")]`, since `OffsetDateTime` by itself serialises as something else. Reading accepts
//! any RFC 3339 time.

use domain::instant;
use schemars::{Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serializer};
use time::OffsetDateTime;

pub(crate) fn serialize<S: Serializer>(time: &OffsetDateTime, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&instant::text(*time))
}

pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<OffsetDateTime, D::Error> {
    let text = String::deserialize(deserializer)?;
    instant::parse(&text).ok_or_else(|| serde::de::Error::custom("not an RFC 3339 time"))
}

/// The schema of a time.
pub(crate) fn schema(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "type": "string", "format": "date-time" })
}

/// The same for times that may be absent.
pub(crate) mod option {
    use super::{Deserialize, Deserializer, OffsetDateTime, Serializer};

    pub(crate) fn serialize<S: Serializer>(time: &Option<OffsetDateTime>, serializer: S) -> Result<S::Ok, S::Error> {
        match time {
            Some(time) => super::serialize(time, serializer),
            None => serializer.serialize_none(),
        }
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<OffsetDateTime>, D::Error> {
        #[derive(Deserialize)]
        struct Present(#[serde(with = "super")] OffsetDateTime);
        Ok(Option::<Present>::deserialize(deserializer)?.map(|Present(time)| time))
    }
}
