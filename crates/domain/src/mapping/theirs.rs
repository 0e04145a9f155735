//! What a person in FlashERP may change of a record, and what was changed there.

use super::{Base, Field, Fields, Record, diff::agrees};
use crate::EntityType;

/// The fields that FlashERP's word may change in UpCoach. `by_stripe`: Stripe has made the record, and its money is Stripe's alone.
#[must_use]
pub const fn open_to_flasherp(kind: EntityType, by_stripe: bool) -> &'static [Field] {
    match (kind, by_stripe) {
        (EntityType::Customer, _) => &[Field::Name, Field::Email],
        (EntityType::Invoice, false) => &[Field::Status, Field::Amount, Field::Currency, Field::DueDate, Field::PaidAt],
        (EntityType::Invoice, true) => &[Field::DueDate, Field::PaidAt],
        (EntityType::Transaction | EntityType::Subscription | EntityType::FinancialReport, _) => &[],
    }
}

/// Of these fields, those that `record` holds with a value that is neither what was exchanged last nor what is wanted: nobody of ours has written
/// it, provided that nothing else was wanted since the exchange.
#[must_use]
pub fn changed_there(open: &[Field], wanted: &Fields, base: &Base, record: &Record) -> Vec<Field> {
    let is_theirs = |field: &Field| {
        let is_held = |value| agrees(*field, value, record.get(*field));
        let by_us = match base.get(*field) {
            Some(exchanged) => is_held(Some(&exchanged.sent)) || is_held(Some(&exchanged.answered)),
            None => wanted.contains_key(field),
        };
        !by_us && !is_held(wanted.get(field))
    };
    open.iter().copied().filter(is_theirs).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mapping::FieldValue;

    fn record(name: Option<&str>) -> Record {
        let name = name.map_or("null".to_owned(), |name| format!("{name:?}"));
        let json = format!(
            r#"{{"id":"fcu_1","name":{name},"email":"ada@example.com","createdAt":"2026-11-24T12:00:00Z","updatedAt":"2026-11-24T12:00:00Z"}}"#
        );
        Record::parse(&json).expect("a record")
    }

    fn named(name: &str) -> Fields {
        Fields::from([(Field::Name, FieldValue::text(name))])
    }

    #[test]
    fn what_is_neither_exchanged_nor_wanted_was_changed_there() {
        let open = open_to_flasherp(EntityType::Customer, false);
        let base = Base::default().after_write(&named("Ada"), Some(&record(Some("ada"))));
        for (wanted, held, is_theirs) in [
            // as sent, and as answered, which had another case
            (named("Ada"), Some("Ada"), false),
            (named("Ada"), Some("ada"), false),
            (named("Ada"), Some("Ada King"), true),
            // our own write has arrived, or has not
            (named("Ada Lovelace"), Some("Ada Lovelace"), false),
            (named("Ada Lovelace"), Some("Ada"), false),
            (named("Ada Lovelace"), Some("Ada King"), true),
        ] {
            let expected: &[Field] = if is_theirs { &[Field::Name] } else { &[] };
            let wanted = wanted.into_iter().chain([(Field::Email, FieldValue::text("ada@example.com"))]).collect();
            assert_eq!(changed_there(open, &wanted, &base, &record(held)), expected, "{wanted:?} {held:?}");
        }
    }

    #[test]
    fn of_what_was_never_exchanged_only_what_we_do_not_want_is_theirs() {
        let open = [Field::Name];
        let held = record(Some("Ada"));
        assert_eq!(changed_there(&open, &Fields::new(), &Base::default(), &held), [Field::Name]);
        assert_eq!(changed_there(&open, &named("Ada King"), &Base::default(), &held), []);
        assert_eq!(changed_there(&open, &Fields::new(), &Base::default(), &record(None)), []);
    }

    #[test]
    fn what_is_not_open_is_ours() {
        assert_eq!(open_to_flasherp(EntityType::Transaction, false), []);
        assert!(!open_to_flasherp(EntityType::Invoice, true).contains(&Field::Amount));
    }
}
