//! JSON as it is taken from outside: no key twice, not nested deeply. Pure.
//!
//! serde_json keeps the last of two equal keys, so that whoever looked at the first saw something else than what is saved; and a
//! document nested a hundred deep costs more than it says.

use std::cell::RefCell;
use std::fmt;

use serde::de::{DeserializeSeed, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};
use service::http::Detail;

/// The deepest nesting taken.
const DEEPEST: usize = 16;

/// Reads a document.
///
/// # Errors
/// Everything that is wrong with it: every key that is there twice, or what makes it unreadable.
pub fn parse(text: &[u8]) -> Result<Value, Vec<Detail>> {
    let issues = RefCell::new(Vec::new());
    let mut reader = serde_json::Deserializer::from_slice(text);
    let read = Strict { depth: 0, path: String::new(), issues: &issues }.deserialize(&mut reader);
    let read = read.and_then(|value| reader.end().map(|()| value));
    let mut issues = issues.into_inner();
    match read {
        Ok(value) if issues.is_empty() => Ok(value),
        Ok(_) => Err(issues),
        Err(error) => {
            issues.push(Detail { field: "body".to_owned(), issue: error.to_string() });
            Err(issues)
        }
    }
}

/// The name of a member within what surrounds it, as `details` write it: `syncScope.invoices`.
pub(crate) fn below(path: &str, name: &str) -> String {
    if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") }
}

#[derive(Clone)]
struct Strict<'a> {
    depth: usize,
    path: String,
    issues: &'a RefCell<Vec<Detail>>,
}

impl Strict<'_> {
    fn inside<E: serde::de::Error>(&self, path: String) -> Result<Self, E> {
        if self.depth >= DEEPEST {
            return Err(E::custom(format!("is nested more than {DEEPEST} deep")));
        }
        Ok(Self { depth: self.depth + 1, path, issues: self.issues })
    }
}

impl<'de> DeserializeSeed<'de> for Strict<'_> {
    type Value = Value;

    fn deserialize<D: serde::Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Strict<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(Value::Number(value.into()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(Value::Number(value.into()))
    }

    fn visit_f64<E: serde::de::Error>(self, value: f64) -> Result<Value, E> {
        Number::from_f64(value).map(Value::Number).ok_or_else(|| E::custom("a number out of range"))
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(Value::String(value.to_owned()))
    }

    fn visit_string<E>(self, value: String) -> Result<Value, E> {
        Ok(Value::String(value))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let inside = self.inside(self.path.clone())?;
        let mut list = Vec::new();
        while let Some(item) = items.next_element_seed(inside.clone())? {
            list.push(item);
        }
        Ok(Value::Array(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Value, A::Error> {
        let mut map = Map::new();
        while let Some(name) = members.next_key::<String>()? {
            let path = below(&self.path, &name);
            if map.contains_key(&name) {
                let issue = "is there twice".to_owned();
                self.issues.borrow_mut().push(Detail { field: path.clone(), issue });
            }
            let inside = self.inside(path)?;
            map.insert(name, members.next_value_seed(inside)?);
        }
        Ok(Value::Object(map))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn issues(text: &str) -> Vec<(String, String)> {
        let issues = parse(text.as_bytes()).expect_err("refused");
        issues.into_iter().map(|detail| (detail.field, detail.issue)).collect()
    }

    #[test]
    fn every_key_that_is_there_twice_is_named() {
        let told = issues(r#"{"a": 1, "b": {"c": 1, "c": 2, "d": [{"e": 1, "e": 1}]}, "a": 2}"#);
        let named: Vec<_> = told.iter().map(|(field, _)| field.as_str()).collect();
        assert_eq!(named, ["b.c", "b.d.e", "a"]);
    }

    #[test]
    fn nesting_has_an_end() {
        let nested = |levels: usize| format!("{}1{}", "[".repeat(levels), "]".repeat(levels));
        assert!(parse(nested(DEEPEST).as_bytes()).is_ok());
        for levels in [DEEPEST + 1, 200, 100_000] {
            let told = issues(&nested(levels));
            assert!(told[0].1.contains("nested more than 16 deep"), "{told:?}");
        }
        let members = format!("{}1{}", r#"{"a":"#.repeat(17), "}".repeat(17));
        assert!(issues(&members)[0].1.contains("nested"));
    }

    #[test]
    fn what_is_no_json_is_refused_with_its_place() {
        for text in ["", "{", "{\"a\": 1,}", "nul", "{} {}", "[1e400]", "\u{feff}{}", "{\"a\": \"\\ud800\"}"] {
            assert_eq!(issues(text)[0].0, "body", "{text}");
        }
    }

    fn json() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::Bool),
            any::<i64>().prop_map(|number| Value::Number(number.into())),
            any::<u64>().prop_map(|number| Value::Number(number.into())),
            any::<String>().prop_map(Value::String),
        ];
        leaf.prop_recursive(6, 40, 5, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..5).prop_map(Value::Array),
                prop::collection::hash_map(any::<String>(), inner, 0..5)
                    .prop_map(|members| Value::Object(members.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn what_was_written_is_read_as_it_was(value in json()) {
            prop_assert_eq!(parse(value.to_string().as_bytes()).expect("reads"), value);
        }
    }
}
