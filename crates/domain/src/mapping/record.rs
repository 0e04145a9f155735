//! A record as FlashERP answers it: its id, its times, and the fields we know of, amounts exact. What we don't know is left alone.

use std::collections::BTreeMap;

use serde_json::value::RawValue;
use time::OffsetDateTime;

use super::{
    field::Field,
    value::{FieldValue, Fields},
};
use crate::{
    ids::FlashErpId,
    instant,
    money::{Money, MoneyError},
};

/// A record of FlashERP's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// FlashERP's id.
    pub id: FlashErpId,
    /// By FlashERP's clock.
    pub created_at: OffsetDateTime,
    /// By FlashERP's clock; orders what FlashERP tells of this record.
    pub updated_at: OffsetDateTime,
    /// What it holds; null and absent fields are absent.
    pub fields: Fields,
}

/// An answer that is no record.
#[derive(Debug, thiserror::Error)]
pub enum RecordError {
    /// Not a JSON object.
    #[error("not a JSON object")]
    NotAnObject(#[source] serde_json::Error),
    /// `id`, `createdAt` or `updatedAt` is missing or unusable.
    #[error("{0} is missing or unusable")]
    Member(&'static str),
}

impl Record {
    /// Reads a record.
    ///
    /// # Errors
    /// Not a JSON object, or without a usable `id`, `createdAt` and `updatedAt`. An odd value in any other field is kept
    /// ([`FieldValue::Raw`]): the record exists all the same.
    pub fn parse(json: &str) -> Result<Self, RecordError> {
        let members: BTreeMap<String, &RawValue> = serde_json::from_str(json).map_err(RecordError::NotAnObject)?;
        let text = |name: &'static str| {
            let raw = members.get(name).ok_or(RecordError::Member(name))?;
            serde_json::from_str::<String>(raw.get()).map_err(|_| RecordError::Member(name))
        };
        let time = |name: &'static str| instant::parse(&text(name)?).ok_or(RecordError::Member(name));
        let fields = Field::ALL.iter().filter_map(|field| {
            let value = FieldValue::read(*field, members.get(field.as_str())?.get());
            (!value.is_null()).then_some((*field, value))
        });
        Ok(Self {
            id: FlashErpId::new(text("id")?).map_err(|_| RecordError::Member("id"))?,
            created_at: time("createdAt")?,
            updated_at: time("updatedAt")?,
            fields: fields.collect(),
        })
    }

    /// A field's value; none when it is null or absent.
    #[must_use]
    pub fn get(&self, field: Field) -> Option<&FieldValue> {
        self.fields.get(&field)
    }

    /// The text of a text field.
    #[must_use]
    pub fn text(&self, field: Field) -> Option<&str> {
        self.get(field)?.as_text()
    }

    /// Our id of the record.
    #[must_use]
    pub fn reference(&self) -> Option<&str> {
        self.text(Field::UpcoachReference)
    }

    /// Amount and currency; none when either is absent.
    ///
    /// # Errors
    /// An amount that is none in this currency ([`MoneyError`]).
    pub fn money(&self) -> Option<Result<Money, MoneyError>> {
        let currency = self.text(Field::Currency)?;
        match self.get(Field::Amount)? {
            FieldValue::Decimal(number) => Some(Money::from_decimal(number.as_str(), currency)),
            FieldValue::Raw(text) => Some(Err(MoneyError::NotANumber(text.clone()))),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;
    use time::macros::datetime;

    #[test]
    fn a_record_is_read_with_exact_amounts_and_unknown_members_left_alone() {
        let record = Record::parse(
            r#"{"id":"txn_1","createdAt":"2026-11-24T09:30:00.123Z","updatedAt":"2026-11-24T10:30:00+01:00","amount":10.90,
                "currency":"USD","description":null,"customField":{"x":[1]},"metadata":{"n":1.10},"status":"completed",
                "upcoachReference":"0189d7c2-0f4b-7a31-9c55-6d2f6f0f7d11"}"#,
        )
        .expect("a record");
        assert_eq!(record.id.as_str(), "txn_1");
        assert_eq!(record.created_at, datetime!(2026-11-24 09:30:00.123 UTC));
        assert_eq!(record.updated_at, datetime!(2026-11-24 09:30 UTC));
        assert_eq!(record.money().expect("both there").map(Money::minor), Ok(1090));
        assert_eq!(record.get(Field::Description), None);
        assert_eq!(record.reference(), Some("0189d7c2-0f4b-7a31-9c55-6d2f6f0f7d11"));
        let known: Vec<&str> = record.fields.keys().map(|field| field.as_str()).collect();
        assert_eq!(known, ["upcoachReference", "amount", "currency", "status", "metadata"]);
    }

    #[test]
    fn an_odd_field_does_not_make_the_record_disappear() {
        let record = Record::parse(
            r#"{"id":"1","createdAt":"2026-11-24T09:30:00Z","updatedAt":"2026-11-24T09:30:00Z","amount":"10.90","currency":"USD","paidAt":7}"#,
        )
        .expect("a record");
        assert_eq!(record.get(Field::Amount), Some(&FieldValue::Raw("\"10.90\"".to_owned())));
        assert_eq!(record.get(Field::PaidAt), Some(&FieldValue::Raw("7".to_owned())));
        assert!(record.money().expect("both there").is_err());
    }

    #[rstest]
    #[case("<html>", "not a JSON object")]
    #[case("[]", "not a JSON object")]
    #[case("", "not a JSON object")]
    #[case("{}", "id is missing or unusable")]
    #[case(r#"{"id":7}"#, "id is missing or unusable")]
    #[case(r#"{"id":""}"#, "id is missing or unusable")]
    #[case(r#"{"id":"1"}"#, "createdAt is missing or unusable")]
    #[case(r#"{"id":"1","createdAt":"yesterday"}"#, "createdAt is missing or unusable")]
    #[case(r#"{"id":"1","createdAt":"2026-11-24T09:30:00Z"}"#, "updatedAt is missing or unusable")]
    fn what_is_no_record_is_refused(#[case] json: &str, #[case] message: &str) {
        assert_eq!(Record::parse(json).map_err(|error| error.to_string()), Err(message.to_owned()));
    }
}
