//! The head of an event, read from its raw body in one pass and without building a tree: which event it is, when it was made, and whether
//! what is in it can be applied at all.
//!
//! This runs once per delivery before anything is answered, so it allocates next to nothing and looks at each byte about once. Three
//! outcomes:
//! * not JSON, or an object without `id` and `type`: [`NotAnEvent`], answered 400;
//! * an event that no part of the system could apply ([`Defect`]): [`Usable::Quarantine`]. It is signed, so it is stored, answered 200 and
//!   shown, and is never in the way of others;
//! * [`Usable::Yes`].
//!
//! Whether the event's object has the shape that its type promises is judged later, by the worker that applies it.

mod keys;
mod rescue;
mod scan;

use std::borrow::Cow;

use sha2::{Digest as _, Sha256};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

/// Objects and arrays may be nested this deep, the event's own object being the first.
pub const MAX_DEPTH: u8 = 64;

/// The longest event id, event type and object id, in characters.
pub const MAX_ID_CHARS: usize = 255;

/// What an event says of itself. Text borrows from the body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Envelope<'a> {
    /// The sender's id of the event, fit to be stored: an id that is too long or holds NUL is replaced by `sha256:<hex of it>`, so that the
    /// same event is still seen to be the same.
    pub id: Cow<'a, str>,
    /// The event's type, fit to be stored: cut at [`MAX_ID_CHARS`], NUL replaced.
    pub event_type: Cow<'a, str>,
    /// When the sender made the event: Stripe's `created` (unix seconds) or FlashERP's `timestamp` (RFC 3339).
    pub occurred_at: Option<OffsetDateTime>,
    /// Stripe's `livemode`.
    pub livemode: Option<bool>,
    /// Stripe's `api_version`.
    pub api_version: Option<Cow<'a, str>>,
    /// Id of what the event is about: Stripe's `data.object.id`, FlashERP's `data.id`.
    pub object_id: Option<Cow<'a, str>>,
    /// Whether the event can be applied.
    pub usable: Usable,
}

/// Whether an event can be applied.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Usable {
    /// Nothing speaks against it.
    Yes,
    /// It is to be stored, shown and left alone, for the reason given.
    Quarantine(Defect),
}

/// What makes a well-formed event unusable. The text is shown to operators.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Defect {
    /// Postgres can't hold it as text.
    #[error("a string in it contains a NUL character")]
    Nul,
    /// An escaped half of a surrogate pair, which is no character.
    #[error("a string in it contains half of a surrogate pair")]
    Surrogate,
    /// Two readers could understand two different things.
    #[error("an object in it has the same key twice")]
    DuplicateKey,
    /// Outside of 64 signed bits, which is what amounts are held in, or of what a double can hold.
    #[error("a number in it is out of range")]
    NumberOutOfRange,
    /// Deeper than [`MAX_DEPTH`].
    #[error("it is nested deeper than {MAX_DEPTH} levels")]
    TooDeep,
    /// The event's id, its type or its object's id is longer than [`MAX_ID_CHARS`].
    #[error("an id in it is longer than {MAX_ID_CHARS} characters")]
    IdTooLong,
    /// `created` or `timestamp` is there and says no time.
    #[error("the time at which it was made can't be read")]
    Time,
}

impl Defect {
    /// A short name of the kind, for metrics.
    #[must_use]
    pub fn kind(self) -> &'static str {
        match self {
            Self::Nul => "nul",
            Self::Surrogate => "surrogate",
            Self::DuplicateKey => "duplicate_key",
            Self::NumberOutOfRange => "number_out_of_range",
            Self::TooDeep => "too_deep",
            Self::IdTooLong => "id_too_long",
            Self::Time => "time",
        }
    }
}

/// The body is no event. Answered 400; the text is what the sender is told.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotAnEvent {
    /// Not JSON in UTF-8.
    #[error("The body is not JSON.")]
    NotJson,
    /// JSON, but no object with an `id` and a `type` that are non-empty strings.
    #[error("The body is no event: it has no {missing}.")]
    NoIdOrType {
        /// `id` or `type`.
        missing: &'static str,
    },
}

/// Reads the head of an event from its raw body.
///
/// # Errors
/// [`NotAnEvent`] when there is no event to speak of.
pub fn read(body: &[u8]) -> Result<Envelope<'_>, NotAnEvent> {
    let text = std::str::from_utf8(body).map_err(|_| NotAnEvent::NotJson)?;
    let head = match scan::scan(text) {
        Ok(head) => head,
        Err(_) => rescue::rescue(text)?,
    };
    head.finish()
}

/// What a pass over the body has gathered, before it is judged.
#[derive(Debug, Default)]
struct Head<'a> {
    id: Option<Cow<'a, str>>,
    event_type: Option<Cow<'a, str>>,
    time: Time<'a>,
    livemode: Option<bool>,
    api_version: Option<Cow<'a, str>>,
    object_id: Option<Cow<'a, str>>,
    /// The first that was met.
    defect: Option<Defect>,
}

/// The sender's time as it stands in the body.
#[derive(Debug, Default)]
enum Time<'a> {
    #[default]
    Absent,
    UnixSeconds(i64),
    Text(Cow<'a, str>),
    Unreadable,
}

impl<'a> Head<'a> {
    fn note(&mut self, defect: Defect) {
        self.defect.get_or_insert(defect);
    }

    fn finish(mut self) -> Result<Envelope<'a>, NotAnEvent> {
        let filled = |text: Option<Cow<'a, str>>, missing| {
            text.filter(|text| !text.is_empty()).ok_or(NotAnEvent::NoIdOrType { missing })
        };
        let id = filled(self.id.take(), "id")?;
        let event_type = filled(self.event_type.take(), "type")?;
        let occurred_at = match std::mem::take(&mut self.time) {
            Time::Absent => None,
            Time::UnixSeconds(seconds) => OffsetDateTime::from_unix_timestamp(seconds).ok().or_else(|| {
                self.note(Defect::Time);
                None
            }),
            Time::Text(text) => OffsetDateTime::parse(&text, &Rfc3339).ok().or_else(|| {
                self.note(Defect::Time);
                None
            }),
            Time::Unreadable => {
                self.note(Defect::Time);
                None
            }
        };
        if too_long(&id) || too_long(&event_type) || self.object_id.as_deref().is_some_and(too_long) {
            self.note(Defect::IdTooLong);
        }
        Ok(Envelope {
            id: storable_id(id),
            event_type: storable_type(event_type),
            occurred_at,
            livemode: self.livemode,
            api_version: self.api_version,
            object_id: self.object_id,
            usable: self.defect.map_or(Usable::Yes, Usable::Quarantine),
        })
    }
}

fn too_long(id: &str) -> bool {
    id.len() > MAX_ID_CHARS && id.chars().nth(MAX_ID_CHARS).is_some()
}

fn storable_id(id: Cow<'_, str>) -> Cow<'_, str> {
    if too_long(&id) || id.contains('\0') {
        Cow::Owned(format!("sha256:{}", hex::encode(Sha256::digest(id.as_bytes()))))
    } else {
        id
    }
}

fn storable_type(event_type: Cow<'_, str>) -> Cow<'_, str> {
    if too_long(&event_type) || event_type.contains('\0') {
        Cow::Owned(
            event_type
                .chars()
                .take(MAX_ID_CHARS)
                .map(|c| if c == '\0' { char::REPLACEMENT_CHARACTER } else { c })
                .collect(),
        )
    } else {
        event_type
    }
}

#[cfg(test)]
mod tests;
