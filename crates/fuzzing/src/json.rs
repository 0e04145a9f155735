//! JSON that stays JSON, and says something else.

use proptest::prelude::*;
use proptest::sample::Index;
use serde_json::{Value, json};

#[derive(Debug, Clone)]
pub(crate) struct Mutation {
    /// Which of all values, from the root down.
    at: Index,
    change: Change,
}

#[derive(Debug, Clone)]
enum Change {
    Replace(Value),
    Remove,
    /// Puts another value of the same document there.
    Move(Index),
    /// Wraps it, so deep.
    Wrap(u8),
    /// Makes a number or text out of the one or the other.
    Retype,
}

fn odd_value() -> impl Strategy<Value = Value> {
    prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        prop::sample::select(vec![
            json!(0),
            json!(-1),
            json!(1),
            json!(i64::MAX),
            json!(i64::MIN),
            json!(u64::MAX),
            json!(0.5),
            json!(1e300),
            json!(-1e-300),
            json!(253_402_300_800_i64),
            json!(-62_167_219_201_i64),
            json!({}),
            json!([]),
            json!([[]]),
            json!([null]),
            json!({"": null}),
            json!(""),
            json!(" "),
            json!("\0"),
            json!("\u{feff}"),
            json!("usd"),
            json!("XAU"),
            json!("jpy"),
            json!("\u{1f4a9}"),
            json!("-0"),
            json!("1e9"),
            json!("2026-11-24T09:30:00Z"),
            json!("9999-12-31T23:59:59.999999999+23:59"),
            json!("pi_1"),
            json!("succeeded"),
            json!({"id": null}),
            json!({"data": [], "has_more": true}),
            json!("x".repeat(300)),
            json!("x".repeat(70_000)),
        ]),
        any::<String>().prop_map(Value::from),
    ]
}

pub(crate) fn mutation() -> impl Strategy<Value = Mutation> {
    let change = prop_oneof![
        5 => odd_value().prop_map(Change::Replace),
        2 => Just(Change::Remove),
        2 => any::<Index>().prop_map(Change::Move),
        1 => (1..140_u8).prop_map(Change::Wrap),
        2 => Just(Change::Retype),
    ];
    (any::<Index>(), change).prop_map(|(at, change)| Mutation { at, change })
}

/// The example with its values changed; one that is no JSON stays as it is.
pub(crate) fn apply(example: &[u8], mutations: &[Mutation]) -> Vec<u8> {
    let Ok(mut document) = serde_json::from_slice::<Value>(example) else { return example.to_vec() };
    for mutation in mutations {
        let at = mutation.at.index(count(&document));
        let change = match &mutation.change {
            Change::Move(from) => {
                let mut left = from.index(count(&document));
                Change::Replace(nth(&mut document, &mut left).cloned().unwrap_or_default())
            }
            other => other.clone(),
        };
        if matches!(change, Change::Remove) && remove(&mut document, &mut at.clone()) {
            continue;
        }
        let mut left = at;
        if let Some(place) = nth(&mut document, &mut left) {
            let was = std::mem::take(place);
            *place = match change {
                Change::Replace(value) => value,
                Change::Wrap(depth) => (0..depth)
                    .fold(was, |inner, level| if level % 2 == 0 { json!([inner]) } else { json!({"a": inner}) }),
                Change::Retype => match was {
                    Value::String(text) => text.len().into(),
                    Value::Object(members) => members.into_iter().map(|(_, value)| value).collect(),
                    other => other.to_string().into(),
                },
                Change::Remove | Change::Move(_) => Value::Null,
            };
        }
    }
    serde_json::to_vec(&document).unwrap_or_default()
}

fn children(value: &mut Value) -> Box<dyn Iterator<Item = &mut Value> + '_> {
    match value {
        Value::Array(items) => Box::new(items.iter_mut()),
        Value::Object(members) => Box::new(members.iter_mut().map(|(_, value)| value)),
        _ => Box::new(std::iter::empty()),
    }
}

/// How many values there are, the root among them.
fn count(value: &Value) -> usize {
    1 + match value {
        Value::Array(items) => items.iter().map(count).sum(),
        Value::Object(members) => members.values().map(count).sum(),
        _ => 0,
    }
}

fn nth<'v>(value: &'v mut Value, left: &mut usize) -> Option<&'v mut Value> {
    if *left == 0 {
        return Some(value);
    }
    *left -= 1;
    children(value).find_map(|child| nth(child, left))
}

/// Takes the value out of what holds it; no if it is the root.
fn remove(value: &mut Value, left: &mut usize) -> bool {
    if *left == 0 {
        return false;
    }
    *left -= 1;
    let mut sizes: Vec<usize> = Vec::new();
    match value {
        Value::Array(items) => sizes.extend(items.iter().map(count)),
        Value::Object(members) => sizes.extend(members.values().map(count)),
        _ => {}
    }
    for (index, size) in sizes.into_iter().enumerate() {
        if *left == 0 {
            match value {
                Value::Array(items) => drop(items.remove(index)),
                Value::Object(members) => {
                    if let Some(name) = members.keys().nth(index).cloned() {
                        members.remove(&name);
                    }
                }
                _ => {}
            }
            return true;
        }
        if *left < size {
            return children(value).nth(index).is_some_and(|child| remove(child, left));
        }
        *left -= size;
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_value_of_a_document_can_be_reached_and_taken_out() {
        let document = json!({"a": [1, {"b": 2}], "c": 3});
        assert_eq!(count(&document), 6);
        let reached: Vec<String> =
            (0..6).map(|at| nth(&mut document.clone(), &mut at.clone()).expect("a value").to_string()).collect();
        assert_eq!(reached, [r#"{"a":[1,{"b":2}],"c":3}"#, r#"[1,{"b":2}]"#, "1", r#"{"b":2}"#, "2", "3"]);
        let left: Vec<String> = (1..6)
            .map(|at| {
                let mut document = document.clone();
                assert!(remove(&mut document, &mut at.clone()));
                document.to_string()
            })
            .collect();
        assert_eq!(
            left,
            [
                r#"{"c":3}"#,
                r#"{"a":[{"b":2}],"c":3}"#,
                r#"{"a":[1],"c":3}"#,
                r#"{"a":[1,{}],"c":3}"#,
                r#"{"a":[1,{"b":2}]}"#
            ]
        );
    }
}
