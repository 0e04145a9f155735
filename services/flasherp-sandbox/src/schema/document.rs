//! A JSON object whose values stay text, so that amounts keep the digits they were written with. A name given twice is refused, since
//! readers disagree on which one counts.

use std::{borrow::Cow, fmt};

use serde::de::{Deserialize, Deserializer, Error as _, MapAccess, Visitor};
use serde_json::value::RawValue;

use super::text::Text;

/// An object's members in the order in which they came.
#[derive(Debug)]
pub struct Document<'a>(Vec<(Cow<'a, str>, &'a RawValue)>);

/// The bytes are no JSON object.
#[derive(Debug, thiserror::Error)]
#[error("not a JSON object: {0}")]
pub struct Malformed(#[from] serde_json::Error);

/// More members than any record has: what comes with more is refused before it costs anything.
const MAX_MEMBERS: usize = 1_000;

impl<'a> Document<'a> {
    /// Reads `bytes` as one object.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, Malformed> {
        Ok(serde_json::from_slice(bytes)?)
    }

    /// Its members.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &'a RawValue)> {
        self.0.iter().map(|(name, value)| (name.as_ref(), *value))
    }

    /// How many members it has.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether it is `{}`.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl<'de> Deserialize<'de> for Document<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Members;
        impl<'de> Visitor<'de> for Members {
            type Value = Document<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut members: Vec<(Cow<'de, str>, &'de RawValue)> = Vec::with_capacity(16);
                while let Some((Text(name), value)) = map.next_entry::<Text<'de>, &'de RawValue>()? {
                    if members.iter().any(|(known, _)| *known == name) {
                        return Err(A::Error::custom(format_args!("{name:?} is given twice")));
                    }
                    if members.len() == MAX_MEMBERS {
                        return Err(A::Error::custom(format_args!("more than {MAX_MEMBERS} members")));
                    }
                    members.push((name, value));
                }
                Ok(Document(members))
            }
        }
        deserializer.deserialize_map(Members)
    }
}
