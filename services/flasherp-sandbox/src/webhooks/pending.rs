//! An event that has yet to arrive, as the queue and the snapshot keep it.

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::{EventId, EventType};

/// An event that has yet to arrive.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Pending {
    /// The event.
    pub id: EventId,
    /// Its type.
    #[serde(rename = "type")]
    pub event_type: EventType,
    /// Its text.
    #[serde(with = "text")]
    pub body: Bytes,
    /// Tries so far.
    pub tries: u32,
    /// When the first try was, on the sandbox's clock.
    pub first_ms: Option<i64>,
    /// When the next try is.
    pub due_ms: i64,
}

/// An event's body is JSON text.
mod text {
    use bytes::Bytes;
    use serde::{Deserialize, Deserializer, Serializer};

    pub(super) fn serialize<S: Serializer>(body: &Bytes, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&String::from_utf8_lossy(body))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Bytes, D::Error> {
        String::deserialize(deserializer).map(Bytes::from)
    }
}
