//! Values as findings show them: JSON in the very digits, of a kind that PostgreSQL's jsonb can hold whatever FlashERP or UpCoach hold.
//!
//! jsonb knows no U+0000, no half of a surrogate pair, and no number beyond numeric's range: one such value must not keep a run from being written.
//! What it can't hold is shown so that it can still be told: U+0000 as its picture, the rest as text.

use std::borrow::Cow;

use domain::mapping::{Decimal, Field, FieldValue, Fields, Json, value_json};

/// Digits and powers of ten up to which a number is shown as one. jsonb holds many more, and nobody has such money.
const DIGITS: usize = 1_000;

/// A value; null for none.
pub(crate) fn value(value: Option<&FieldValue>) -> String {
    match value {
        None | Some(FieldValue::Null) => value_json(&FieldValue::Null),
        Some(FieldValue::Text(held)) => text(held),
        Some(FieldValue::Decimal(number)) if !is_in_range(number) => text(number.as_str()),
        Some(FieldValue::Object(members)) => json(&Json::Object(members.clone())),
        Some(FieldValue::Raw(raw)) => Json::parse(raw).map_or_else(|_| text(raw), |parsed| json(&parsed)),
        Some(known @ (FieldValue::Decimal(_) | FieldValue::Time(_))) => value_json(known),
    }
}

/// A text.
pub(crate) fn text(text: &str) -> String {
    value_json(&FieldValue::text(plain(text)))
}

/// The fields that are to be shown.
pub(crate) fn object(fields: &Fields, shown: impl Fn(&Field) -> bool) -> String {
    let members: Vec<String> = fields
        .iter()
        .filter(|(field, _)| shown(field))
        .map(|(field, held)| format!("\"{field}\":{}", value(Some(held))))
        .collect();
    format!("{{{}}}", members.join(","))
}

/// A text of which PostgreSQL holds every character.
pub(crate) fn plain(text: &str) -> Cow<'_, str> {
    if text.contains('\0') { Cow::Owned(text.replace('\0', "\u{2400}")) } else { Cow::Borrowed(text) }
}

fn json(held: &Json) -> String {
    storable(held).to_string()
}

fn storable(held: &Json) -> Json {
    match held {
        Json::Null | Json::Bool(_) => held.clone(),
        Json::Number(number) if is_in_range(number) => held.clone(),
        Json::Number(number) => Json::Text(number.as_str().to_owned()),
        Json::Text(text) => Json::Text(plain(text).into_owned()),
        Json::List(items) => Json::List(items.iter().map(storable).collect()),
        Json::Object(members) => {
            Json::Object(members.iter().map(|(key, held)| (plain(key).into_owned(), storable(held))).collect())
        }
    }
}

fn is_in_range(number: &Decimal) -> bool {
    let text = number.as_str();
    let (digits, exponent) = text.split_once(['e', 'E']).unwrap_or((text, "0"));
    let exponent = exponent.parse::<i64>().map_or(usize::MAX, |exponent| exponent.unsigned_abs() as usize);
    digits.len() <= DIGITS && exponent <= DIGITS
}

#[cfg(test)]
mod tests {
    use domain::mapping::Record;

    use super::*;

    fn shown(field: Field, member: &str) -> String {
        let json = format!(
            r#"{{"id":"1","createdAt":"2026-11-24T09:30:00Z","updatedAt":"2026-11-24T09:30:00Z","{field}":{member}}}"#
        );
        value(Record::parse(&json).expect("a record").get(field))
    }

    #[test]
    fn what_jsonb_holds_is_shown_as_it_is() {
        for (field, member) in [
            (Field::Amount, "10.90"),
            (Field::Amount, "\"10.90\""),
            (Field::Amount, "-0.1e-5"),
            (Field::Description, r#""a\\u0000 \u0001""#),
            (Field::Metadata, r#"{"a":[1.10,null,{"b":"c"}]}"#),
        ] {
            assert_eq!(shown(field, member), member);
        }
        assert_eq!(value(None), "null");
    }

    #[test]
    fn what_jsonb_refuses_is_shown_so_that_it_can_be_told() {
        for (field, member, expected) in [
            (Field::Description, r#""a\u0000b""#, "\"a\u{2400}b\""),
            (Field::Metadata, r#"{"k\u0000":["\u0000",1e200000]}"#, "{\"k\u{2400}\":[\"\u{2400}\",\"1e200000\"]}"),
            (Field::Amount, "1e200000", "\"1e200000\""),
            (Field::Amount, "1E-20000", "\"1E-20000\""),
            (Field::Amount, "1e20000000", "\"1e20000000\""),
            // Half of a surrogate pair.
            (Field::Description, r#""\ud800""#, r#""\"\\ud800\"""#),
        ] {
            assert_eq!(shown(field, member), expected);
        }
    }
}
