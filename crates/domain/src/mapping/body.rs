//! The JSON of a POST or PUT. The same fields are always the same bytes, which is what makes a repeat under one idempotency key a repeat.

use serde::{Serialize, Serializer, ser};

use super::{
    json::raw_number,
    value::{FieldValue, Fields},
};
use crate::instant;

/// The body: amounts as numbers with exactly their text, times in RFC 3339, null where a field is to be cleared.
#[must_use]
pub fn body(fields: &Fields) -> Vec<u8> {
    let members: Vec<String> =
        fields.iter().map(|(field, value)| format!("\"{field}\":{}", value_json(value))).collect();
    format!("{{{}}}", members.join(",")).into_bytes()
}

/// One value as the body has it.
#[must_use]
pub fn value_json(value: &FieldValue) -> String {
    serde_json::to_string(&AsJson(value)).expect("texts, numbers and objects of them always serialise")
}

struct AsJson<'a>(&'a FieldValue);

impl Serialize for AsJson<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            FieldValue::Text(text) => serializer.serialize_str(text),
            FieldValue::Decimal(number) => raw_number(number).map_err(ser::Error::custom)?.serialize(serializer),
            FieldValue::Time(at) => serializer.serialize_str(&instant::text(*at)),
            FieldValue::Object(members) => members.serialize(serializer),
            // Not valid JSON in its place is sent as the text it is, for FlashERP to refuse.
            FieldValue::Raw(text) => match serde_json::value::RawValue::from_string(text.clone()) {
                Ok(raw) => raw.serialize(serializer),
                Err(_) => serializer.serialize_str(text),
            },
            FieldValue::Null => serializer.serialize_unit(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mapping::{Decimal, Field, Json};
    use std::collections::BTreeMap;
    use time::macros::datetime;

    #[test]
    fn amounts_are_numbers_with_their_very_digits_and_null_clears() {
        let decimal = |text: &str| Decimal::new(text).expect("a number");
        let fields = Fields::from([
            (Field::Amount, FieldValue::Decimal(decimal("10.90"))),
            (Field::Description, FieldValue::Null),
            (Field::Name, FieldValue::text("Zoë \"Z\" \u{1}")),
            (Field::DueDate, FieldValue::time(datetime!(2026-11-24 10:30:00.123_456 +1))),
            (
                Field::Metadata,
                FieldValue::Object(BTreeMap::from([
                    ("refundedAmount".to_owned(), Json::Number(decimal("123456789012345678.90"))),
                    ("paused".to_owned(), Json::Bool(true)),
                ])),
            ),
        ]);
        let text = String::from_utf8(body(&fields)).expect("JSON is UTF-8");
        insta::assert_snapshot!(text, @r#"{"name":"Zoë \"Z\" \u0001","amount":10.90,"description":null,"dueDate":"2026-11-24T09:30:00.123Z","metadata":{"paused":true,"refundedAmount":123456789012345678.90}}"#);
        assert_eq!(body(&fields), body(&fields.clone()));
    }
}
