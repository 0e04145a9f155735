//! A subscription for FlashERP's books.

use time::OffsetDateTime;

use super::{
    Field, FieldValue, Fields, Json, MappingError, Record, metadata,
    shared::{amount, put_amount, put_text},
};
use crate::{
    ids::FlashErpId,
    instant,
    upcoach::{Subscription, SubscriptionStatus},
};

const CANCELED: &str = "canceled";

/// All fields of the subscription of a customer that FlashERP knows.
///
/// A trial is active with `metadata.trialEndsAt`, a paused one incomplete with `metadata.paused`. `canceledAt` is sent and never compared.
///
/// # Errors
/// An unknown currency, an amount that is none in it, a period that ends before it begins: VALIDATION_ERROR. No period:
/// MISSING_REQUIRED_FIELD.
pub fn subscription(subscription: &Subscription, customer: &FlashErpId) -> Result<Fields, MappingError> {
    let money = amount(subscription.amount, &subscription.currency)?;
    let start = required(Field::CurrentPeriodStart, subscription.current_period_start)?;
    let end = required(Field::CurrentPeriodEnd, subscription.current_period_end)?;
    if end < start {
        return Err(MappingError::invalid(Field::CurrentPeriodEnd, "the period ends before it begins"));
    }
    let trial_end = || subscription.trial_end.map(|at| Json::Text(instant::text(at)));
    let (status, trial_ends_at, paused) = match subscription.status {
        SubscriptionStatus::Active => ("active", None, None),
        SubscriptionStatus::PastDue => ("past_due", None, None),
        SubscriptionStatus::Canceled | SubscriptionStatus::IncompleteExpired => (CANCELED, None, None),
        SubscriptionStatus::Incomplete => ("incomplete", None, None),
        SubscriptionStatus::Trialing => ("active", trial_end(), None),
        SubscriptionStatus::Paused => ("incomplete", None, Some(Json::Bool(true))),
    };

    let mut fields = Fields::from([
        (Field::CustomerId, FieldValue::text(customer.as_str())),
        (Field::Plan, FieldValue::text(subscription.plan.as_str())),
        (Field::Status, FieldValue::text(status)),
        (Field::BillingInterval, FieldValue::text(subscription.billing_interval.as_str())),
        (Field::CurrentPeriodStart, FieldValue::time(start)),
        (Field::CurrentPeriodEnd, FieldValue::time(end)),
        (Field::UpcoachReference, FieldValue::text(subscription.id.to_string())),
    ]);
    put_amount(&mut fields, money);
    if let Some(at) = subscription.canceled_at {
        fields.insert(Field::CanceledAt, FieldValue::time(at));
    }
    put_text(&mut fields, Field::StripeSubscriptionId, subscription.stripe_subscription_id.as_deref());
    metadata::put(
        &mut fields,
        [trial_ends_at.map(|at| (metadata::TRIAL_ENDS_AT, at)), paused.map(|paused| (metadata::PAUSED, paused))],
    );
    Ok(fields)
}

/// If a difference cancels the subscription: what is to be told of it before, which is all but the status. Nothing but `canceledAt` is not worth
/// telling, since FlashERP cancels by its own clock.
#[must_use]
pub fn before_cancelling(difference: &Fields) -> Option<Fields> {
    let cancels = difference.get(&Field::Status).and_then(FieldValue::as_text) == Some(CANCELED);
    let mut rest = difference.clone();
    rest.remove(&Field::Status);
    if !rest.keys().any(|field| field.compared()) {
        rest.clear();
    }
    cancels.then_some(rest)
}

/// Whether FlashERP holds it as cancelled.
#[must_use]
pub fn is_cancelled(record: &Record) -> bool {
    record.text(Field::Status) == Some(CANCELED)
}

fn required(field: Field, at: Option<OffsetDateTime>) -> Result<OffsetDateTime, MappingError> {
    at.ok_or_else(|| MappingError::missing(field, "the subscription has no current period"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{mapping::body, upcoach::samples};
    use rstest::rstest;
    use time::{Duration, macros::datetime};

    fn map(change: impl FnOnce(&mut Subscription)) -> Result<Fields, MappingError> {
        let mut sample = samples::subscription();
        change(&mut sample);
        subscription(&sample, &samples::flasherp_customer())
    }

    fn json(fields: &Fields) -> String {
        String::from_utf8(body(fields)).expect("JSON is UTF-8")
    }

    #[test]
    fn an_active_subscription_is_told_without_its_past_trial() {
        insta::assert_snapshot!(json(&map(|_| {}).expect("it maps")), @r#"{"customerId":"cust_1","upcoachReference":"0189d7c2-0f4b-7a31-9c55-6d2f6f0f7d33","amount":49.00,"currency":"EUR","status":"active","plan":"pro","billingInterval":"monthly","currentPeriodStart":"2026-11-01T00:00:00.000Z","currentPeriodEnd":"2026-12-01T00:00:00.000Z","stripeSubscriptionId":"sub_1"}"#);
    }

    #[rstest]
    #[case(SubscriptionStatus::Active, "active", None)]
    #[case(SubscriptionStatus::PastDue, "past_due", None)]
    #[case(SubscriptionStatus::Canceled, "canceled", None)]
    #[case(SubscriptionStatus::IncompleteExpired, "canceled", None)]
    #[case(SubscriptionStatus::Incomplete, "incomplete", None)]
    #[case(SubscriptionStatus::Trialing, "active", Some(r#"{"metadata":{"trialEndsAt":"2026-12-01T00:00:00.000Z"}}"#))]
    #[case(SubscriptionStatus::Paused, "incomplete", Some(r#"{"metadata":{"paused":true}}"#))]
    fn every_status_has_its_word(#[case] status: SubscriptionStatus, #[case] word: &str, #[case] note: Option<&str>) {
        let mut fields = map(|s| s.status = status).expect("it maps");
        assert_eq!(fields.get(&Field::Status), Some(&FieldValue::text(word)));
        fields.retain(|field, _| *field == Field::Metadata);
        assert_eq!((!fields.is_empty()).then(|| json(&fields)).as_deref(), note);
    }

    #[test]
    fn a_cancelled_one_says_when() {
        let fields = map(|s| s.canceled_at = Some(datetime!(2026-11-20 01:02:03.456_789 UTC))).expect("it maps");
        assert_eq!(fields.get(&Field::CanceledAt), Some(&FieldValue::Time(datetime!(2026-11-20 01:02:03.456 UTC))));
    }

    #[test]
    fn a_cancellation_tells_all_else_before_and_the_time_of_it_alone_not_at_all() {
        let of = |fields: &[Field]| {
            let mut wanted = map(|s| {
                (s.status, s.canceled_at) = (SubscriptionStatus::Canceled, Some(datetime!(2026-11-20 01:02 UTC)));
            })
            .expect("it maps");
            wanted.retain(|field, _| fields.contains(field));
            before_cancelling(&wanted).map(|rest| rest.into_keys().collect::<Vec<_>>())
        };
        assert_eq!(of(&[Field::Amount, Field::CanceledAt]), None);
        assert_eq!(of(&[Field::Status, Field::CanceledAt]), Some(vec![]));
        assert_eq!(
            of(&[Field::Status, Field::Amount, Field::CanceledAt]),
            Some(vec![Field::Amount, Field::CanceledAt])
        );
        let active = map(|_| {}).expect("it maps");
        assert_eq!(before_cancelling(&active), None);
    }

    #[test]
    fn a_subscription_without_a_sound_period_is_not_sent() {
        let missing = map(|s| s.current_period_end = None).expect_err("it must not map");
        assert_eq!((missing.code.as_str(), missing.field), ("MISSING_REQUIRED_FIELD", Field::CurrentPeriodEnd));
        let backwards = map(|s| s.current_period_end = s.current_period_start.map(|at| at - Duration::SECOND));
        let backwards = backwards.expect_err("it must not map");
        assert_eq!((backwards.code.as_str(), backwards.field), ("VALIDATION_ERROR", Field::CurrentPeriodEnd));
    }
}
