//! The shapes against recorded events of both API generations, and against events that lack what they promise.

use super::*;

macro_rules! fixture {
    ($name:literal) => {
        include_bytes!(concat!("../../fixtures/stripe/", $name, ".json")).as_slice()
    };
}

const FIXTURES: [(&str, &[u8]); 10] = [
    ("payment_intent.succeeded", fixture!("current/payment_intent_succeeded")),
    ("customer.subscription.updated", fixture!("current/subscription_updated")),
    ("charge.refunded", fixture!("legacy/charge_refunded")),
    ("charge.succeeded", fixture!("legacy/charge_succeeded")),
    ("customer.updated", fixture!("legacy/customer_updated")),
    ("invoice.paid", fixture!("legacy/invoice_paid")),
    ("payment_intent.succeeded", fixture!("legacy/payment_intent_succeeded")),
    ("refund.created", fixture!("legacy/refund_created")),
    ("customer.subscription.created", fixture!("legacy/subscription_created")),
    ("customer.subscription.updated", fixture!("legacy/subscription_updated")),
];

fn payment_intent(body: &[u8]) -> Event<PaymentIntent> {
    match parse(body) {
        Ok(StripeEvent::PaymentIntent(event)) => event,
        other => panic!("no payment intent: {other:?}"),
    }
}

fn customer(body: &[u8]) -> Event<Customer> {
    match parse(body) {
        Ok(StripeEvent::Customer(event)) => event,
        other => panic!("no customer: {other:?}"),
    }
}

/// An event of `event_type` around `object`.
fn event(event_type: &str, object: &str) -> String {
    format!(
        r#"{{"id":"evt_1","object":"event","type":"{event_type}","created":1764000000,"livemode":true,"data":{{"object":{object}}}}}"#
    )
}

fn reason(event_type: &str, object: &str) -> String {
    parse(event(event_type, object).as_bytes()).expect_err("unusable").reason
}

#[test]
fn every_fixture_is_read_by_its_envelope_and_by_its_type() {
    for (expected, body) in FIXTURES {
        let envelope = crate::envelope::read(body).expect("an event");
        assert_eq!((&*envelope.event_type, envelope.usable), (expected, crate::envelope::Usable::Yes));
        match parse(body).unwrap_or_else(|error| panic!("{expected}: {error}")) {
            StripeEvent::Customer(event) => assert_eq!(event.event_type, "customer.updated"),
            StripeEvent::PaymentIntent(event) => assert_eq!(event.event_type, "payment_intent.succeeded"),
            StripeEvent::Other { event_type } => assert_eq!(event_type, expected),
        }
    }
}

#[test]
fn a_charge_has_its_shape() {
    for (_, body) in FIXTURES.iter().filter(|(event_type, _)| event_type.starts_with("charge.")) {
        let event: serde_json::Value = serde_json::from_slice(body).expect("JSON");
        let charge: Charge = serde_json::from_value(event["data"]["object"].clone()).expect("a charge");
        assert_eq!(
            charge.payment_intent.as_ref().map(|reference| reference.id().as_str()),
            event["data"]["object"]["payment_intent"].as_str()
        );
        assert_eq!(charge.payment_method_details.map(|details| details.kind).as_deref(), Some("card"));
    }
}

#[test]
fn a_payment_intent_of_either_generation_is_read() {
    let current = payment_intent(fixture!("current/payment_intent_succeeded"));
    assert_eq!(current.api_version.as_deref(), Some("2025-09-30.clover"));
    assert_eq!((current.object.amount, current.object.currency.as_str()), (1099, "usd"));
    assert_eq!(current.object.canceled_at.map(time::OffsetDateTime::unix_timestamp), Some(1_234_567_890));
    assert!(!current.livemode);

    let legacy = payment_intent(fixture!("legacy/payment_intent_succeeded"));
    assert_eq!(legacy.object.id.as_str(), "pi_1IqxJOJDPojXS6LN9uOebAea");
    assert_eq!(legacy.object.status, PaymentIntentStatus::RequiresPaymentMethod);
    assert_eq!(legacy.object.description.as_deref(), Some("Created by stripe.com/docs demo"));
    assert_eq!(legacy.object.payment_method_types, ["card"]);
}

#[test]
fn references_may_be_ids_or_objects() {
    let charge = r#"{"id":"ch_1","object":"charge","amount":500,"currency":"jpy","status":"succeeded","created":1764000000,"payment_intent":"pi_1"}"#;
    let with = |customer: &str, latest_charge: &str, invoice: &str| {
        event(
            "payment_intent.succeeded",
            &format!(
                r#"{{"id":"pi_1","object":"payment_intent","amount":500,"amount_received":500,"currency":"jpy","status":"succeeded","created":1764000000,"customer":{customer},"latest_charge":{latest_charge},"invoice":{invoice}}}"#
            ),
        )
    };
    let ids = payment_intent(with(r#""cus_1""#, r#""ch_1""#, r#""in_1""#).as_bytes()).object;
    let objects = payment_intent(
        with(r#"{"id":"cus_1","object":"customer","deleted":true}"#, charge, r#"{"id":"in_1","object":"invoice"}"#)
            .as_bytes(),
    )
    .object;
    for intent in [&ids, &objects] {
        assert_eq!(intent.customer_id().map(CustomerId::as_str), Some("cus_1"));
        assert_eq!(intent.charge_id().map(ChargeId::as_str), Some("ch_1"));
        assert_eq!(intent.invoice_id().map(InvoiceId::as_str), Some("in_1"));
    }
    assert_eq!(objects.latest_charge.as_ref().and_then(Expandable::object).map(|charge| charge.amount), Some(500));

    let before_2022 = r#"{"id":"pi_1","object":"payment_intent","amount":500,"currency":"jpy","status":"succeeded","created":1764000000,"charges":{"object":"list","data":[CHARGE]}}"#;
    let intent =
        payment_intent(event("payment_intent.succeeded", &before_2022.replace("CHARGE", charge)).as_bytes()).object;
    assert_eq!(intent.charge_id().map(ChargeId::as_str), Some("ch_1"));
}

#[test]
fn a_customer_is_read_whole_or_deleted() {
    let updated = customer(fixture!("legacy/customer_updated"));
    assert_eq!(
        (updated.object.email.as_deref(), updated.object.name.as_deref()),
        (Some("billz@supabase.io"), Some("Copple"))
    );
    assert_eq!(updated.object.metadata["supabase_org_id"], "35");
    assert_eq!(updated.object.created.map(time::OffsetDateTime::unix_timestamp), Some(1_609_763_141));

    let deleted =
        customer(event("customer.deleted", r#"{"id":"cus_1","object":"customer","deleted":true}"#).as_bytes());
    assert!(deleted.object.deleted);

    let bare = customer(
        event(
            "customer.created",
            r#"{"id":"cus_1","object":"customer","email":null,"name":"","metadata":null,"created":1}"#,
        )
        .as_bytes(),
    );
    assert_eq!((bare.object.email, bare.object.name, bare.object.metadata.len()), (None, None, 0));
}

#[test]
fn a_status_that_stripe_has_added_is_no_error() {
    let object =
        r#"{"id":"pi_1","object":"payment_intent","amount":1,"currency":"usd","status":"dreaming","created":1}"#;
    assert_eq!(
        payment_intent(event("payment_intent.created", object).as_bytes()).object.status,
        PaymentIntentStatus::Other
    );
}

#[test]
fn what_is_used_must_be_there_and_of_its_type() {
    let whole =
        r#"{"id":"pi_1","object":"payment_intent","amount":1,"currency":"usd","status":"succeeded","created":1}"#;
    let with = |from: &str, to: &str| reason("payment_intent.succeeded", &whole.replace(from, to));
    assert!(with(r#""amount":1,"#, "").contains("missing field `amount`"));
    assert!(with(r#""amount":1,"#, r#""amount":1.5,"#).contains("expected i64"));
    assert!(with(r#""amount":1,"#, r#""amount":"1","#).contains("expected i64"));
    assert!(with("usd", "USD").contains("a currency is three lower-case letters"));
    assert!(with("pi_1", "").contains("an id is empty"));
    assert!(with("pi_1", &"x".repeat(256)).contains("longer than 255"));
    assert!(with(r#""object":"payment_intent","#, r#""object":"charge","#).contains("is not about a payment_intent"));
    assert!(with(r#""created":1"#, r#""created":1,"customer":7"#).contains("neither an id nor the object"));
    assert!(parse(b"[]").is_err());
    assert!(parse(b"not json").is_err());
}

#[test]
fn a_reason_holds_none_of_the_values() {
    let object =
        r#"{"id":"cus_1","object":"customer","email":["secret@example.com"],"metadata":{"note":5},"created":"secret"}"#;
    assert!(!reason("customer.created", object).contains("secret"));
    let object = r#"{"id":"cus_1","object":"customer","created":"secret"}"#;
    assert!(!reason("customer.created", object).contains("secret"));
}
