//! The pass that all events take: serde visitors that keep nothing but the head, and notice duplicate keys, depth, NUL and numbers out of
//! range on the way.
//!
//! It fails on what serde_json can't read: what is no JSON at all, and what is well-formed but beyond it (`1e400`, half a surrogate pair).
//! [`super::rescue`] tells these apart.

use std::borrow::Cow;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

use super::keys::Keys;
use super::{Defect, Head, MAX_DEPTH, Time};

pub(super) fn scan(text: &str) -> serde_json::Result<Head<'_>> {
    let mut json = serde_json::Deserializer::from_str(text);
    let mut scan = Scan { head: Head::default(), keys: Keys::default() };
    Value { scan: &mut scan, depth: 0, place: Place::Root }.deserialize(&mut json)?;
    json.end()?;
    Ok(scan.head)
}

struct Scan<'a> {
    head: Head<'a>,
    keys: Keys<'a>,
}

/// Where a value stands, as far as that matters.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    Root,
    Id,
    Type,
    Time,
    Livemode,
    ApiVersion,
    Data,
    DataId,
    DataObject,
    DataObjectId,
    Elsewhere,
}

impl Place {
    fn inside(self, key: &str) -> Self {
        match (self, key) {
            (Self::Root, "id") => Self::Id,
            (Self::Root, "type") => Self::Type,
            (Self::Root, "created" | "timestamp") => Self::Time,
            (Self::Root, "livemode") => Self::Livemode,
            (Self::Root, "api_version") => Self::ApiVersion,
            (Self::Root, "data") => Self::Data,
            (Self::Data, "id") => Self::DataId,
            (Self::Data, "object") => Self::DataObject,
            (Self::DataObject, "id") => Self::DataObjectId,
            _ => Self::Elsewhere,
        }
    }
}

/// Reads one value and everything in it.
struct Value<'s, 'a> {
    scan: &'s mut Scan<'a>,
    /// How many objects and arrays are open around it.
    depth: u8,
    place: Place,
}

impl<'a> Value<'_, 'a> {
    fn text(self, text: Cow<'a, str>) {
        let head = &mut self.scan.head;
        // The first of two equal keys is kept; the event is quarantined anyway.
        match self.place {
            Place::Id => drop(head.id.get_or_insert(text)),
            Place::Type => drop(head.event_type.get_or_insert(text)),
            Place::Time => head.time = Time::Text(text),
            Place::ApiVersion => head.api_version = Some(text),
            Place::DataObjectId => head.object_id = Some(text),
            Place::DataId => drop(head.object_id.get_or_insert(text)),
            _ => {}
        }
    }

    fn other_than_text(self) {
        if self.place == Place::Time {
            self.scan.head.time = Time::Unreadable;
        }
    }
}

impl<'a> DeserializeSeed<'a> for Value<'_, 'a> {
    type Value = ();

    fn deserialize<D: Deserializer<'a>>(self, deserializer: D) -> Result<(), D::Error> {
        if self.depth > MAX_DEPTH {
            // Skipped without recursion, so that serde_json's own limit is never met.
            return deserializer.deserialize_ignored_any(IgnoredAny).map(drop);
        }
        deserializer.deserialize_any(self)
    }
}

impl<'a> Visitor<'a> for Value<'_, 'a> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any JSON value")
    }

    fn visit_borrowed_str<E>(self, text: &'a str) -> Result<(), E> {
        // Borrowed means that it has no escapes, and a bare NUL is no JSON.
        self.text(Cow::Borrowed(text));
        Ok(())
    }

    fn visit_str<E>(self, text: &str) -> Result<(), E> {
        if text.contains('\0') {
            self.scan.head.note(Defect::Nul);
        }
        if self.place != Place::Elsewhere {
            self.text(Cow::Owned(text.to_owned()));
        }
        Ok(())
    }

    fn visit_i64<E>(self, number: i64) -> Result<(), E> {
        if self.place == Place::Time {
            self.scan.head.time = Time::UnixSeconds(number);
        }
        Ok(())
    }

    fn visit_u64<E: serde::de::Error>(self, number: u64) -> Result<(), E> {
        match i64::try_from(number) {
            Ok(number) => self.visit_i64(number),
            Err(_) => {
                self.scan.head.note(Defect::NumberOutOfRange);
                Ok(())
            }
        }
    }

    fn visit_f64<E>(self, number: f64) -> Result<(), E> {
        // Integers beyond 64 bits arrive here as well.
        if number.abs() >= 9_223_372_036_854_775_808.0 {
            self.scan.head.note(Defect::NumberOutOfRange);
        }
        self.other_than_text();
        Ok(())
    }

    fn visit_bool<E>(self, value: bool) -> Result<(), E> {
        if self.place == Place::Livemode {
            self.scan.head.livemode = Some(value);
        }
        self.other_than_text();
        Ok(())
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'a>>(self, mut seq: A) -> Result<(), A::Error> {
        let depth = self.depth + 1;
        if depth > MAX_DEPTH {
            self.scan.head.note(Defect::TooDeep);
        }
        while seq.next_element_seed(Value { scan: self.scan, depth, place: Place::Elsewhere })?.is_some() {}
        self.other_than_text();
        Ok(())
    }

    fn visit_map<A: MapAccess<'a>>(self, mut map: A) -> Result<(), A::Error> {
        let depth = self.depth + 1;
        if depth > MAX_DEPTH {
            self.scan.head.note(Defect::TooDeep);
        }
        let mut frame = self.scan.keys.open();
        while let Some(key) = map.next_key_seed(Key)? {
            let place = self.place.inside(&key);
            if matches!(key, Cow::Owned(_)) && key.contains('\0') {
                self.scan.head.note(Defect::Nul);
            }
            if self.scan.keys.repeats(&mut frame, key) {
                self.scan.head.note(Defect::DuplicateKey);
            }
            map.next_value_seed(Value { scan: self.scan, depth, place })?;
        }
        self.scan.keys.close(&frame);
        self.other_than_text();
        Ok(())
    }
}

/// Reads a key, borrowed where it has no escapes.
struct Key;

impl<'a> DeserializeSeed<'a> for Key {
    type Value = Cow<'a, str>;

    fn deserialize<D: Deserializer<'a>>(self, deserializer: D) -> Result<Cow<'a, str>, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl<'a> Visitor<'a> for Key {
    type Value = Cow<'a, str>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a key")
    }

    fn visit_borrowed_str<E>(self, key: &'a str) -> Result<Cow<'a, str>, E> {
        Ok(Cow::Borrowed(key))
    }

    fn visit_str<E: serde::de::Error>(self, key: &str) -> Result<Cow<'a, str>, E> {
        Ok(Cow::Owned(key.to_owned()))
    }
}
