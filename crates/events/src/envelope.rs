//! The CloudEvents 1.0 envelope (JSON format) around every message, and what an event type must say of itself.
//!
//! Promises: an envelope that decodes is CloudEvents 1.0, is of exactly the type asked for, and encodes to what it was
//! decoded from. The id identifies the event across repeats: a relay that dies after publishing publishes again with the
//! same id.

use domain::instant;
use schemars::JsonSchema;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use uuid::Uuid;

use crate::timestamp;
use crate::traffic::Party;

/// The only version of CloudEvents spoken here.
const SPEC_VERSION: &str = "1.0";
/// The only content type of `data`.
const CONTENT_TYPE: &str = "application/json";

/// What each event type says of itself. The data is what `data` of the envelope holds.
pub trait EventType:
    Serialize + DeserializeOwned + JsonSchema + Clone + std::fmt::Debug + Send + Sync + 'static
{
    /// The CloudEvents type with its version, e.g. `upcoach.erp.sync.requested.v1`.
    const TYPE: &'static str;
    /// The subjects it is published on, as a NATS pattern without prefix, e.g. `sync.requested.*`.
    const SUBJECTS: &'static str;
    /// One sentence for readers of the schema and of asyncapi.yaml.
    const SUMMARY: &'static str;

    /// The subject this one is published on, without prefix, e.g. `sync.requested.transaction`.
    fn subject(&self) -> String;

    /// What the event is about (the envelope's `subject`), as `<kind>/<id>`; `None` where it is about many or nothing.
    fn about(&self) -> Option<String>;

    /// Examples for the documentation; each is checked against the schema.
    fn examples() -> Vec<Self>;
}

/// A message that may be lost: it hurries work that a timer would find anyway.
pub trait Hint: EventType {
    /// The same hint in pieces of at most `max` ids each; nothing for no ids.
    fn split(self, max: usize) -> Vec<Self>;
}

/// A message that says what became true; goes through the outbox of the transaction that made it true.
pub trait Fact: EventType {}

/// A CloudEvents 1.0 event.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub struct Event<T> {
    /// Identifies the event; repeats of the same event have the same id (also the `Nats-Msg-Id` of a fact).
    pub id: Uuid,
    /// Who says it, as a URI reference: `/erp/<service>`.
    #[schemars(extend("format" = "uri-reference"))]
    pub source: String,
    /// The event type with its version.
    #[serde(rename = "type")]
    pub kind: String,
    /// The version of CloudEvents: `1.0`.
    pub specversion: String,
    /// When it happened by the publisher's clock: RFC 3339, UTC, milliseconds.
    #[serde(with = "timestamp")]
    #[schemars(schema_with = "timestamp::schema")]
    pub time: OffsetDateTime,
    /// What it is about, as `<kind>/<id>`; absent where it is about many things.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subject: Option<String>,
    /// The format of `data`: `application/json`.
    pub datacontenttype: String,
    /// What the event says.
    pub data: T,
}

impl<T: EventType> Event<T> {
    /// An event that happens now, with a new id (UUID v7).
    pub fn now(source: Party, data: T) -> Self {
        Self::new(Uuid::now_v7(), source, OffsetDateTime::now_utc(), data)
    }

    /// An event of the given id and time. The time is cut to the milliseconds that the wire carries.
    pub fn new(id: Uuid, source: Party, time: OffsetDateTime, data: T) -> Self {
        Self {
            id,
            source: source.uri(),
            kind: T::TYPE.to_owned(),
            specversion: SPEC_VERSION.to_owned(),
            time: instant::to_millis(time),
            subject: data.about(),
            datacontenttype: CONTENT_TYPE.to_owned(),
            data,
        }
    }

    /// The event as JSON.
    pub fn to_json(&self) -> Vec<u8> {
        serde_json::to_vec(self).expect("event types hold only strings, numbers, lists and maps with string keys")
    }
}

/// Why a message is not an event of the wanted type. Shows neither payload nor field values.
#[derive(Debug, thiserror::Error)]
pub enum DecodeError {
    /// Not JSON, or not shaped as the envelope and data must be.
    #[error("not an event: {category} at line {line}, column {column}")]
    Malformed {
        /// Which kind of mistake: syntax, data (a wrong shape), or an unexpected end.
        category: &'static str,
        /// The line of the mistake, from 1.
        line: usize,
        /// The column of the mistake.
        column: usize,
    },
    /// A CloudEvents version other than 1.0.
    #[error("unsupported CloudEvents version")]
    SpecVersion,
    /// Another event type than the one wanted.
    #[error("unexpected event type, wanted {wanted}")]
    Type {
        /// The type that was wanted, or `any` where several would do.
        wanted: &'static str,
    },
}

impl From<serde_json::Error> for DecodeError {
    fn from(error: serde_json::Error) -> Self {
        let category = match error.classify() {
            serde_json::error::Category::Syntax => "bad syntax",
            serde_json::error::Category::Data => "wrong shape",
            serde_json::error::Category::Eof => "unexpected end",
            serde_json::error::Category::Io => "unreadable",
        };
        Self::Malformed { category, line: error.line(), column: error.column() }
    }
}

/// What can be read from the body of a message.
pub trait Decode: Sized + Send + 'static {
    /// Reads a message's body.
    fn decode(body: &[u8]) -> Result<Self, DecodeError>;

    /// The event's id.
    fn event_id(&self) -> Uuid;
}

/// The parts of an envelope that are looked at before `data` is.
#[derive(Deserialize)]
pub(crate) struct Head {
    #[serde(rename = "type")]
    pub(crate) kind: String,
    pub(crate) specversion: String,
}

impl Head {
    /// Reads and checks the head of an envelope.
    pub(crate) fn read(body: &[u8]) -> Result<Self, DecodeError> {
        let head: Self = serde_json::from_slice(body)?;
        if head.specversion == SPEC_VERSION { Ok(head) } else { Err(DecodeError::SpecVersion) }
    }
}

impl<T: EventType> Decode for Event<T> {
    fn decode(body: &[u8]) -> Result<Self, DecodeError> {
        // The head first, so that a message of another type is told from a broken one of this type.
        let head = Head::read(body)?;
        if head.kind != T::TYPE {
            return Err(DecodeError::Type { wanted: T::TYPE });
        }
        Ok(serde_json::from_slice(body)?)
    }

    fn event_id(&self) -> Uuid {
        self.id
    }
}
