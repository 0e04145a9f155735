//! Marks: of each field that is compared a number of 64 bits, so that a million records can be held against each other without being kept. Equal
//! marks are equal values in the sense of [`agrees`](super::agrees); that different values have the same mark is as likely as a number guessed in 2^64.
//!
//! Marks are made and compared by one build. Those of another may differ, which costs a look at the record itself and says nothing wrong.

use std::hash::{DefaultHasher, Hash, Hasher};

use super::{Field, FieldValue, Fields, metadata};

/// Bytes of one field's mark: its place in [`Field::ALL`], and the hash.
const BYTES: usize = 9;

/// The marks of a record's fields, in the order of the fields.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Marks(Vec<u8>);

impl Marks {
    /// Of these fields. What is nothing, or is never compared, has no mark.
    #[must_use]
    pub fn of(fields: &Fields) -> Self {
        let mut bytes = Vec::with_capacity(fields.len() * BYTES);
        for (field, value) in fields {
            if let Some(mark) = mark(*field, value) {
                bytes.push(place(*field));
                bytes.extend_from_slice(&mark.to_be_bytes());
            }
        }
        Self(bytes)
    }

    /// As they were stored.
    #[must_use]
    pub fn from_bytes(bytes: Vec<u8>) -> Self {
        Self(bytes)
    }

    /// For storage.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// The mark of a field; none when it holds nothing.
    #[must_use]
    pub fn get(&self, field: Field) -> Option<u64> {
        let place = place(field);
        let found = self.0.chunks_exact(BYTES).find(|mark| mark[0] == place)?;
        found[1..].try_into().ok().map(u64::from_be_bytes)
    }
}

/// The mark of a field's value; none of nothing, and of what is never compared.
#[must_use]
pub fn mark(field: Field, value: &FieldValue) -> Option<u64> {
    if !field.compared() {
        return None;
    }
    let mut hasher = DefaultHasher::new();
    match (field, value) {
        (_, FieldValue::Null) => return None,
        (Field::Metadata, _) => {
            let ours = metadata::ours(Some(value));
            if ours.is_empty() {
                return None;
            }
            ours.hash(&mut hasher);
        }
        (_, FieldValue::Text(text)) => (0_u8, text).hash(&mut hasher),
        (_, FieldValue::Decimal(number)) => (1_u8, number).hash(&mut hasher),
        (_, FieldValue::Time(at)) => (2_u8, at.unix_timestamp_nanos()).hash(&mut hasher),
        (_, FieldValue::Object(members)) => (3_u8, members).hash(&mut hasher),
        (_, FieldValue::Raw(text)) => (4_u8, text).hash(&mut hasher),
    }
    Some(hasher.finish())
}

/// Where a field stands in [`Field::ALL`]; there are far fewer than 256.
fn place(field: Field) -> u8 {
    field as u8
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mapping::{Decimal, Json, agrees};
    use proptest::prelude::*;
    use std::collections::BTreeMap;
    use time::OffsetDateTime;

    fn value() -> impl Strategy<Value = FieldValue> {
        let decimal = prop_oneof!["[0-9]{1,3}\\.[0-9]{1,3}", "-?[1-9][0-9]{0,2}", Just("1.10".to_owned())];
        let json = prop_oneof![
            Just(Json::Null),
            any::<bool>().prop_map(Json::Bool),
            "[ab]{0,2}".prop_map(Json::Text),
            Just(Json::Number(Decimal::new("1.0").expect("a number"))),
            Just(Json::Number(Decimal::new("1").expect("a number"))),
        ];
        let key = prop_oneof![Just("upcoachType"), Just("refundedAmount"), Just("note")].prop_map(str::to_owned);
        prop_oneof![
            "[ab]{0,2}".prop_map(FieldValue::Text),
            decimal.prop_filter_map("no number", |text| Decimal::new(text).ok().map(FieldValue::Decimal)),
            (0_i64..3).prop_map(|at| FieldValue::Time(OffsetDateTime::from_unix_timestamp(at).expect("a time"))),
            proptest::collection::btree_map(key, json, 0..3)
                .prop_map(|members: BTreeMap<String, Json>| FieldValue::Object(members)),
            "[ab]{0,2}".prop_map(FieldValue::Raw),
            Just(FieldValue::Null),
        ]
    }

    proptest! {
        #[test]
        fn marks_are_equal_just_when_the_values_agree(a in value(), b in value(), nth in 0..Field::ALL.len()) {
            let field = Field::ALL[nth];
            prop_assume!(field.compared());
            prop_assert_eq!(agrees(field, Some(&a), Some(&b)), mark(field, &a) == mark(field, &b), "{:?} {:?} {:?}", field, a, b);
            let marks = Marks::of(&Fields::from([(field, a.clone())]));
            prop_assert_eq!(Marks::from_bytes(marks.as_bytes().to_vec()).get(field), mark(field, &a));
        }
    }

    #[test]
    fn when_a_subscription_was_cancelled_has_no_mark() {
        let at = FieldValue::time(OffsetDateTime::UNIX_EPOCH);
        let fields = Fields::from([(Field::CanceledAt, at.clone()), (Field::PaidAt, at)]);
        let marks = Marks::of(&fields);
        assert_eq!((marks.get(Field::CanceledAt), marks.get(Field::PaidAt).is_some()), (None, true));
    }
}
