//! What a PUT has to carry.
//!
//! Against base, the wanted values are held against those we SENT: FlashERP's own form of a value is no difference. Against a record, all that
//! can be held against is what it holds.

use super::{
    base::Base,
    field::Field,
    metadata,
    record::Record,
    value::{FieldValue, Fields},
};

/// What to do with a value that FlashERP holds and we have none for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Leftover {
    /// It came from an older state of ours: clear it. For a record that we may have written.
    Clear,
    /// Somebody else put it there: leave it. For a record that is taken over.
    Keep,
}

/// The fields whose wanted value is not the one we sent last, nulls for what is gone. Empty: nothing to send.
#[must_use]
pub fn diff(wanted: &Fields, base: &Base) -> Fields {
    difference(wanted, base.iter().map(|(field, _)| field), |field| {
        base.get(field).map(|exchanged| Held { compare: &exchanged.sent, keep: &exchanged.answered })
    })
}

/// The fields whose wanted value is not what the record holds. Empty: nothing to send.
#[must_use]
pub fn diff_against_record(wanted: &Fields, record: &Record, leftover: Leftover) -> Fields {
    let cleared = record.fields.keys().copied().filter(|_| leftover == Leftover::Clear);
    difference(wanted, cleared, |field| record.get(field).map(|value| Held { compare: value, keep: value }))
}

/// What the other side holds of a field: the value to compare with, and the one whose foreign metadata is to be kept.
struct Held<'a> {
    compare: &'a FieldValue,
    keep: &'a FieldValue,
}

fn difference<'a>(
    wanted: &Fields,
    held_fields: impl Iterator<Item = Field>,
    held: impl Fn(Field) -> Option<Held<'a>>,
) -> Fields {
    let gone = held_fields.filter(|field| field.clearable() && !wanted.contains_key(field));
    let different: Fields = wanted
        .keys()
        .copied()
        .chain(gone)
        .filter(|field| !agrees(*field, wanted.get(field), held(*field).map(|held| held.compare)))
        .map(|field| {
            let value = if field == Field::Metadata {
                metadata::overlay(wanted.get(&field), held(field).map(|held| held.keep))
            } else {
                wanted.get(&field).cloned().unwrap_or(FieldValue::Null)
            };
            (field, value)
        })
        .collect();
    // What is never compared goes along with what is, but is not worth a call of its own.
    if different.keys().any(|field| field.compared()) { different } else { Fields::new() }
}

/// Whether a field holds what is wanted. Null is absent; of metadata only our own keys count.
#[must_use]
pub fn agrees(field: Field, wanted: Option<&FieldValue>, held: Option<&FieldValue>) -> bool {
    if field == Field::Metadata {
        return metadata::ours(wanted) == metadata::ours(held);
    }
    let something = |value: Option<&'_ FieldValue>| value.is_some_and(|value| !value.is_null());
    match (something(wanted), something(held)) {
        (true, true) => wanted == held,
        (wanted, held) => wanted == held,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        mapping::{Decimal, body, subscription, transaction},
        upcoach::{SubscriptionStatus, Transaction, TransactionStatus, samples},
    };
    use rstest::rstest;
    use time::macros::datetime;

    const HEAD: &str = r#""id":"txn_1","createdAt":"2026-11-24T09:30:00Z","updatedAt":"2026-11-24T09:30:00Z""#;

    fn record(members: &str) -> Record {
        Record::parse(&format!("{{{HEAD}{members}}}")).expect("a record")
    }

    /// FlashERP's answer that holds just what was sent.
    fn echo(fields: &Fields) -> Record {
        let json = String::from_utf8(body(fields)).expect("JSON is UTF-8");
        record(&format!(",{}", &json[1..json.len() - 1]))
    }

    fn wanted(change: impl FnOnce(&mut Transaction)) -> Fields {
        let mut sample = samples::transaction();
        change(&mut sample);
        transaction(&sample, &samples::flasherp_customer()).expect("it maps")
    }

    fn json(fields: &Fields) -> String {
        String::from_utf8(body(fields)).expect("JSON is UTF-8")
    }

    #[test]
    fn what_was_sent_is_no_difference_however_flasherp_writes_it() {
        let fields = wanted(|t| t.description = Some("Pro  PLAN".to_owned()));
        let answer = record(r#","amount":10.990,"currency":"USD","description":"pro plan","status":"completed""#);
        let base = Base::default().after_write(&fields, Some(&answer));
        assert_eq!(diff(&fields, &base), Fields::new());
        let answered = base.get(Field::Description).expect("it was sent");
        assert_eq!(
            (&answered.sent, &answered.answered),
            (&FieldValue::text("Pro  PLAN"), &FieldValue::text("pro plan"))
        );
    }

    #[test]
    fn only_what_differs_is_sent_and_what_is_gone_is_cleared() {
        let before = wanted(|_| {});
        let base = Base::default().after_write(&before, Some(&echo(&before)));
        let after = wanted(|t| (t.amount, t.description) = (1200, None));
        assert_eq!(json(&diff(&after, &base)), r#"{"amount":12.00,"description":null}"#);
        let difference = diff(&after, &base);
        let base = base.after_write(&difference, Some(&echo(&after)));
        assert_eq!(diff(&after, &base), Fields::new());
        assert_eq!(json(&diff(&before, &base)), r#"{"amount":10.99,"description":"Pro, November"}"#);
    }

    #[test]
    fn with_an_empty_base_everything_is_sent() {
        assert_eq!(diff(&wanted(|_| {}), &Base::default()), wanted(|_| {}));
    }

    #[test]
    fn metadata_is_sent_whole_and_keeps_what_finance_wrote_there() {
        let before = wanted(|t| (t.status, t.refunded_amount) = (TransactionStatus::PartiallyRefunded, Some(100)));
        let answer = record(r#","metadata":{"refundedAmount":1.0,"costCentre":"K-7"}"#);
        let base = Base::default().after_write(&before, Some(&answer));
        assert_eq!(diff(&before, &base), Fields::new());
        let more = wanted(|t| (t.status, t.refunded_amount) = (TransactionStatus::PartiallyRefunded, Some(200)));
        assert_eq!(json(&diff(&more, &base)), r#"{"metadata":{"costCentre":"K-7","refundedAmount":2.00}}"#);
        let none = wanted(|t| t.status = TransactionStatus::Refunded);
        assert_eq!(json(&diff(&none, &base)), r#"{"status":"refunded","metadata":{"costCentre":"K-7"}}"#);
    }

    #[test]
    fn metadata_that_only_held_our_keys_is_cleared() {
        let before = wanted(|t| (t.status, t.refunded_amount) = (TransactionStatus::PartiallyRefunded, Some(100)));
        let base = Base::default().after_write(&before, Some(&echo(&before)));
        let none = wanted(|t| t.status = TransactionStatus::Refunded);
        assert_eq!(json(&diff(&none, &base)), r#"{"status":"refunded","metadata":null}"#);
    }

    #[test]
    fn a_cancellations_time_goes_along_but_is_no_reason_to_write() {
        let customer = samples::flasherp_customer();
        let mut sample = samples::subscription();
        let before = subscription(&sample, &customer).expect("it maps");
        let base = Base::default().after_write(&before, None);
        sample.canceled_at = Some(datetime!(2026-11-20 00:00 UTC));
        assert_eq!(diff(&subscription(&sample, &customer).expect("it maps"), &base), Fields::new());
        sample.status = SubscriptionStatus::Canceled;
        let difference = diff(&subscription(&sample, &customer).expect("it maps"), &base);
        assert_eq!(json(&difference), r#"{"status":"canceled","canceledAt":"2026-11-20T00:00:00.000Z"}"#);
    }

    #[test]
    fn a_record_that_we_may_have_written_is_brought_to_the_newest_state() {
        let older = wanted(|t| (t.amount, t.payment_method) = (500, Some("cash".to_owned())));
        let newest = wanted(|t| t.description = None);
        let found = echo(&older);
        let difference = diff_against_record(&newest, &found, Leftover::Clear);
        assert_eq!(json(&difference), r#"{"amount":10.99,"paymentMethod":"card","description":null}"#);
        let base = Base::found(&newest, &found, Leftover::Clear).after_write(&difference, Some(&echo(&newest)));
        assert_eq!(diff(&newest, &base), Fields::new());
    }

    #[test]
    fn a_record_that_is_taken_over_keeps_what_others_wrote_and_that_never_enters_base() {
        let fields = wanted(|t| (t.description, t.payment_method) = (None, None));
        let mut found = echo(&fields);
        found.fields.insert(Field::Description, FieldValue::text("checked by finance"));
        assert_eq!(diff_against_record(&fields, &found, Leftover::Keep), Fields::new());
        let base = Base::found(&fields, &found, Leftover::Keep);
        assert_eq!(base.get(Field::Description), None);
        assert_eq!(diff(&fields, &base), Fields::new());
    }

    #[test]
    fn a_failed_write_after_a_look_up_leaves_the_difference_that_the_look_up_found() {
        // An update to 500 took effect unseen; meanwhile 10.99 is wanted again, which is what was sent before that update.
        let wanted_again = wanted(|t| t.description = None);
        let found = echo(&wanted(|t| t.amount = 500));
        let base = Base::found(&wanted_again, &found, Leftover::Clear);
        assert_eq!(
            json(&diff(&wanted_again, &base)),
            json(&diff_against_record(&wanted_again, &found, Leftover::Clear))
        );
        assert_eq!(json(&diff(&wanted_again, &base)), r#"{"amount":10.99,"description":null}"#);
    }

    #[test]
    fn what_a_found_record_lacks_is_still_to_be_sent() {
        let fields = wanted(|_| {});
        let base = Base::found(&fields, &record(r#","amount":10.98,"currency":"USD""#), Leftover::Clear);
        let difference = diff(&fields, &base);
        assert!(difference.contains_key(&Field::Amount) && difference.contains_key(&Field::Status));
        assert!(!difference.contains_key(&Field::Currency));
    }

    #[test]
    fn base_keeps_every_digit_in_jsonb_and_skips_what_a_newer_version_wrote() {
        let fields = wanted(|t| (t.status, t.refunded_amount) = (TransactionStatus::PartiallyRefunded, Some(10)));
        let base = Base::default().after_write(&fields, Some(&echo(&fields)));
        // What jsonb columns do: through a Value, whose numbers are floats.
        let mut value = serde_json::to_value(&base).expect("a base serialises");
        assert_eq!(value["amount"]["sent"], serde_json::json!({ "decimal": "10.99" }));
        assert_eq!(value["metadata"]["sent"], serde_json::json!({ "object": "{\"refundedAmount\":0.10}" }));
        assert_eq!(serde_json::from_value::<Base>(value.clone()).expect("and comes back"), base);
        value["fieldOfTomorrow"] = serde_json::json!({ "sent": "null", "answered": "null" });
        assert_eq!(serde_json::from_value::<Base>(value).expect("and comes back"), base);
    }

    #[rstest]
    #[case(FieldValue::Null, None, true)]
    #[case(FieldValue::text("x"), None, false)]
    #[case(FieldValue::Decimal(Decimal::new("10.990").expect("a number")), Some(FieldValue::Decimal(Decimal::new("10.99").expect("a number"))), true)]
    #[case(FieldValue::Decimal(Decimal::new("10.99").expect("a number")), Some(FieldValue::text("10.99")), false)]
    #[case(FieldValue::time(datetime!(2026-11-24 10:30 +1)), Some(FieldValue::time(datetime!(2026-11-24 09:30 UTC))), true)]
    fn values_agree_by_type_and_value(
        #[case] wanted: FieldValue,
        #[case] held: Option<FieldValue>,
        #[case] agree: bool,
    ) {
        assert_eq!(agrees(Field::Amount, Some(&wanted), held.as_ref()), agree);
    }
}
