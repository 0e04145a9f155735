//! JSON without binary floating point: numbers stay the text they were. For metadata, whose shape is anybody's, and so bounded in depth.

use std::{collections::BTreeMap, fmt};

use serde::{Deserialize, Serialize, Serializer, ser};
use serde_json::value::RawValue;

use super::decimal::Decimal;

/// Deeper than this nobody nests metadata; it bounds the stack.
const MAX_DEPTH: u32 = 32;

/// A JSON value.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Json {
    /// null
    Null,
    /// true or false
    Bool(bool),
    /// A number, as text.
    Number(Decimal),
    /// A text.
    Text(String),
    /// An array.
    List(Vec<Json>),
    /// An object; of a key given twice the last rules.
    Object(BTreeMap<String, Json>),
}

/// Not JSON, or nothing that this type holds.
#[derive(Debug, thiserror::Error)]
pub enum JsonError {
    /// Not JSON.
    #[error("not JSON")]
    Syntax(#[from] serde_json::Error),
    /// Nested deeper than 32.
    #[error("nested too deep")]
    TooDeep,
    /// A number with an exponent beyond reason.
    #[error("a number out of range")]
    Number,
}

impl Json {
    /// Reads a JSON text.
    ///
    /// # Errors
    /// [`JsonError`].
    pub fn parse(text: &str) -> Result<Self, JsonError> {
        Self::read(serde_json::from_str(text)?)
    }

    fn read(raw: &RawValue) -> Result<Self, JsonError> {
        // Each level below is read once more; a bomb of brackets is to cost one look.
        if depth(raw.get()) > MAX_DEPTH { Err(JsonError::TooDeep) } else { Self::parse_raw(raw, MAX_DEPTH) }
    }

    fn parse_raw(raw: &RawValue, depth: u32) -> Result<Self, JsonError> {
        let deeper = depth.checked_sub(1).ok_or(JsonError::TooDeep)?;
        let text = raw.get();
        match text.as_bytes().first() {
            Some(b'{') => {
                let members: BTreeMap<String, &RawValue> = serde_json::from_str(text)?;
                let read = members.into_iter().map(|(key, raw)| Ok((key, Self::parse_raw(raw, deeper)?)));
                Ok(Self::Object(read.collect::<Result<_, JsonError>>()?))
            }
            Some(b'[') => {
                let items: Vec<&RawValue> = serde_json::from_str(text)?;
                let read = items.into_iter().map(|raw| Self::parse_raw(raw, deeper));
                Ok(Self::List(read.collect::<Result<_, JsonError>>()?))
            }
            Some(b'"') => Ok(Self::Text(serde_json::from_str(text)?)),
            Some(b'n') => Ok(Self::Null),
            Some(b't' | b'f') => Ok(Self::Bool(text == "true")),
            _ => Ok(Self::Number(Decimal::new(text).map_err(|_| JsonError::Number)?)),
        }
    }
}

impl Serialize for Json {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Null => serializer.serialize_unit(),
            Self::Bool(value) => serializer.serialize_bool(*value),
            Self::Number(number) => raw_number(number).map_err(ser::Error::custom)?.serialize(serializer),
            Self::Text(text) => serializer.serialize_str(text),
            Self::List(items) => serializer.collect_seq(items),
            Self::Object(members) => serializer.collect_map(members),
        }
    }
}

/// How deep the brackets of a JSON text go.
fn depth(json: &str) -> u32 {
    let (mut now, mut deepest, mut in_text, mut escaped) = (0_u32, 0, false, false);
    for byte in json.bytes() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if in_text => escaped = true,
            b'"' => in_text = !in_text,
            b'{' | b'[' if !in_text => now += 1,
            b'}' | b']' if !in_text => now = now.saturating_sub(1),
            _ => {}
        }
        deepest = now.max(deepest);
    }
    deepest
}

/// The number's text as JSON that `serde_json` writes unchanged.
pub(super) fn raw_number(number: &Decimal) -> Result<Box<RawValue>, serde_json::Error> {
    RawValue::from_string(number.as_str().to_owned())
}

impl<'de> Deserialize<'de> for Json {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let raw = Box::<RawValue>::deserialize(deserializer)?;
        Self::read(&raw).map_err(serde::de::Error::custom)
    }
}

impl fmt::Display for Json {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = serde_json::to_string(self).map_err(|_| fmt::Error)?;
        f.write_str(&text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn numbers_keep_every_digit_both_ways() {
        let text = r#"{"a":[1.10,123456789012345678901234567890.123,-0,1e3],"b":null,"c":{"d":true,"e":"x\"y"}}"#;
        let json = Json::parse(text).expect("it is JSON");
        assert_eq!(json.to_string(), text);
    }

    #[test]
    fn a_bomb_of_brackets_is_refused_and_does_not_take_the_process_with_it() {
        let nested = |levels: usize| format!("{}{}", "[".repeat(levels), "]".repeat(levels));
        assert!(matches!(Json::parse(&nested(2_000_000)), Err(JsonError::TooDeep)));
        assert!(matches!(Json::parse(&nested(33)), Err(JsonError::TooDeep)));
        assert!(Json::parse(&nested(31)).is_ok());
        let brackets_in_texts = format!("[{:?}]", format!("\"{}\\", "[".repeat(100)));
        assert!(Json::parse(&brackets_in_texts).is_ok());
    }

    #[test]
    fn what_is_not_json_is_refused() {
        for text in ["", "{", "{\"a\":}", "[1,]", "nul", "1 2", "{\"a\":1e9999999}"] {
            assert!(Json::parse(text).is_err(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic(text in ".{0,200}") {
            if let Ok(json) = Json::parse(&text) {
                prop_assert_eq!(Json::parse(&json.to_string()).expect("its own text"), json);
            }
        }
    }
}
