//! Where a record of FlashERP's is not what it ought to be, as reconciliation sees it.

use super::{Base, Field, FieldKind, Fields, Marks, mark};

/// The fields in which what FlashERP holds is not what is wanted.
///
/// FlashERP's own form of a value that we sent (trimmed, in another case) is none, except where money is counted or records are told apart by it. Nor
/// is a value that we have none for and never sent: somebody in FlashERP keeps it there. Whose a record is is always wanted; where it isn't, the
/// customer has no id in FlashERP that it could be held against.
#[must_use]
pub fn unlike(wanted: &Fields, held: &Marks, base: &Base) -> Vec<Field> {
    let is_unlike = |field: &Field| {
        let value = wanted.get(field);
        let (ours, theirs) = (value.and_then(|value| mark(*field, value)), held.get(*field));
        if ours == theirs || (*field == Field::CustomerId && value.is_none()) {
            return false;
        }
        match base.get(*field) {
            None => value.is_some(),
            Some(exchanged) => {
                let is_their_form =
                    mark(*field, &exchanged.sent) == ours && mark(*field, &exchanged.answered) == theirs;
                !(is_their_form && may_have_another_form(*field))
            }
        }
    };
    Field::ALL.iter().copied().filter(|field| field.compared()).filter(is_unlike).collect()
}

/// Whether FlashERP may say the same of it in another way.
const fn may_have_another_form(field: Field) -> bool {
    match field {
        Field::CustomerId | Field::UpcoachReference | Field::Currency | Field::Status | Field::Type => false,
        _ => matches!(field.kind(), FieldKind::Text | FieldKind::Time),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mapping::{Decimal, FieldValue, Record};

    fn record(fields: &str) -> Record {
        let json =
            format!(r#"{{"id":"1","createdAt":"2026-11-24T09:30:00Z","updatedAt":"2026-11-24T09:30:00Z",{fields}}}"#);
        Record::parse(&json).expect("a record")
    }

    fn held(fields: &str) -> Marks {
        Marks::of(&record(fields).fields)
    }

    #[test]
    fn flasherps_own_form_of_what_we_sent_is_no_difference_but_another_value_is() {
        let sent = Fields::from([(Field::Email, FieldValue::text("Ada@Example.com"))]);
        let base = Base::default().after_write(&sent, Some(&record(r#""email":"ada@example.com""#)));
        assert_eq!(unlike(&sent, &held(r#""email":"ada@example.com""#), &base), []);
        assert_eq!(unlike(&sent, &held(r#""email":"Ada@Example.com""#), &base), []);
        assert_eq!(unlike(&sent, &held(r#""email":"ada@example.org""#), &base), [Field::Email]);
        let changed = Fields::from([(Field::Email, FieldValue::text("ada@example.org"))]);
        assert_eq!(unlike(&changed, &held(r#""email":"ada@example.com""#), &base), [Field::Email]);
        assert_eq!(unlike(&sent, &held(r#""name":"x""#), &Base::default()), [Field::Email]);
    }

    #[test]
    fn while_nobody_knows_the_customer_nothing_is_said_of_whose_a_record_is() {
        let sent = Fields::from([(Field::CustomerId, FieldValue::text("fcu_1"))]);
        let base = Base::default().after_write(&sent, None);
        let theirs = held(r#""customerId":"fcu_1""#);
        assert_eq!(unlike(&Fields::new(), &theirs, &base), []);
        let known = Fields::from([(Field::CustomerId, FieldValue::text("fcu_2"))]);
        assert_eq!(unlike(&known, &theirs, &base), [Field::CustomerId]);
    }

    #[test]
    fn an_amount_has_no_other_form() {
        let amount =
            |text: &str| Fields::from([(Field::Amount, FieldValue::Decimal(Decimal::new(text).expect("a number")))]);
        let base = Base::default().after_write(&amount("10.99"), Some(&record(r#""amount":11.00"#)));
        assert_eq!(unlike(&amount("10.99"), &held(r#""amount":11.00"#), &base), [Field::Amount]);
        assert_eq!(unlike(&amount("10.99"), &held(r#""amount":10.990"#), &base), []);
    }

    #[test]
    fn what_somebody_keeps_there_is_theirs_and_what_we_sent_once_is_ours_to_clear() {
        let theirs = held(r#""description":"see file 7""#);
        assert_eq!(unlike(&Fields::new(), &theirs, &Base::default()), []);
        let sent = Fields::from([(Field::Description, FieldValue::text("see file 7"))]);
        let base = Base::default().after_write(&sent, None);
        assert_eq!(unlike(&Fields::new(), &theirs, &base), [Field::Description]);
        let missing = held(r#""name":"x""#);
        assert_eq!(unlike(&sent, &missing, &base), [Field::Description]);
    }
}
