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
            StripeEvent::Charge(event) => assert_eq!(event.event_type, expected),
            StripeEvent::Invoice(event) => assert_eq!(event.event_type, "invoice.paid"),
            StripeEvent::Refund(event) => assert_eq!(event.event_type, "refund.created"),
            StripeEvent::Subscription(event) => assert_eq!(event.event_type, expected),
            other => panic!("{expected}: {other:?}"),
        }
    }
}

#[test]
fn a_charge_is_read_with_what_it_lists() {
    let Ok(StripeEvent::Charge(event)) = parse(fixture!("legacy/charge_refunded")) else { panic!("no charge") };
    let charge = event.object;
    assert_eq!(charge.payment_intent_id().map(PaymentIntentId::as_str), Some("pi_3Kl36gJDPojXS6LN02fQVtKR"));
    assert_eq!(charge.customer_id().map(CustomerId::as_str), Some("cus_J7Mkgr8mvbl1eK"));
    assert_eq!(charge.invoice_id().map(InvoiceId::as_str), Some("in_1KJdKkJDPojXS6LNSwSWkZSN"));
    assert_eq!((charge.status, charge.captured, charge.amount_captured), (ChargeStatus::Succeeded, true, Some(2500)));
    assert_eq!(charge.payment_method_details.as_ref().map(|details| details.kind.as_str()), Some("card"));
    let refunds: Vec<_> = charge.refunds().map(|refund| (refund.id.as_str(), refund.amount, refund.status)).collect();
    assert_eq!(refunds, [("re_3Kl36gJDPojXS6LN0eP4yPDz", 2500, Some(RefundStatus::Succeeded))]);
}

#[test]
fn an_invoice_names_subscription_and_payment_in_either_generations_places() {
    let head = r#""id":"in_1","object":"invoice","status":"paid","total":500,"amount_paid":500,"currency":"jpy","customer":"cus_1","created":1764000000,"status_transitions":{"paid_at":1764000001}"#;
    let read = |rest: &str| match parse(event("invoice.paid", &format!("{{{head},{rest}}}")).as_bytes()) {
        Ok(StripeEvent::Invoice(event)) => event.object,
        other => panic!("no invoice: {other:?}"),
    };
    let legacy = read(r#""subscription":"sub_1","payment_intent":"pi_1","charge":"ch_1""#);
    let current = read(
        r#""parent":{"type":"subscription_details","subscription_details":{"subscription":"sub_1","metadata":{}}},
           "payments":{"object":"list","data":[{"id":"inpay_1","object":"invoice_payment","invoice":"in_1","amount_paid":500,"currency":"jpy",
           "status":"paid","created":1,"payment":{"type":"payment_intent","payment_intent":"pi_1"}}]}"#,
    );
    for invoice in [&legacy, &current] {
        assert_eq!(invoice.subscription_id().map(SubscriptionId::as_str), Some("sub_1"));
        assert_eq!(invoice.payment_intent_id().map(PaymentIntentId::as_str), Some("pi_1"));
        assert_eq!(invoice.paid_at().map(time::OffsetDateTime::unix_timestamp), Some(1_764_000_001));
    }
    assert_eq!(legacy.charge_id().map(ChargeId::as_str), Some("ch_1"));
    let bare = read(r#""parent":null,"payments":null,"subscription":null,"payment_intent":null,"charge":null"#);
    assert_eq!((bare.subscription_id(), bare.payment_intent_id(), bare.charge_id()), (None, None, None));
}

#[test]
fn an_invoice_payment_says_what_paid_which_invoice() {
    let object = r#"{"id":"inpay_1","object":"invoice_payment","invoice":"in_1","amount_paid":500,"amount_requested":500,"currency":"usd","is_default":true,
        "status":"paid","created":1,"livemode":false,"payment":{"type":"payment_intent","payment_intent":"pi_1"},"status_transitions":{"canceled_at":null,"paid_at":1}}"#;
    let Ok(StripeEvent::InvoicePayment(event)) = parse(event("invoice_payment.paid", object).as_bytes()) else {
        panic!("no payment of an invoice")
    };
    assert_eq!(event.object.invoice.id().as_str(), "in_1");
    assert_eq!(event.object.payment.payment_intent_id().map(PaymentIntentId::as_str), Some("pi_1"));
    assert_eq!((event.object.payment.charge_id(), event.object.amount_paid), (None, Some(500)));
}

#[test]
fn a_subscription_of_either_generation_has_its_period_and_prices() {
    let of = |body: &[u8]| match parse(body) {
        Ok(StripeEvent::Subscription(event)) => event.object,
        other => panic!("no subscription: {other:?}"),
    };
    let current = of(fixture!("current/subscription_updated"));
    let unix = |at: Option<time::OffsetDateTime>| at.map(time::OffsetDateTime::unix_timestamp);
    assert_eq!(unix(current.period_start()), Some(1_896_570_518));
    assert_eq!(unix(current.period_end()), Some(976_287_773));
    assert_eq!(current.items.data[0].price.unit_amount, Some(2000));
    assert_eq!(
        current.items.data[0].price.recurring.as_ref().map(|recurring| recurring.interval.as_str()),
        Some("month")
    );
    let legacy = of(fixture!("legacy/subscription_created"));
    assert_eq!((unix(legacy.period_start()), unix(legacy.period_end())), (Some(1_623_148_918), Some(1_625_740_918)));
    assert_eq!(legacy.customer_id().as_str(), "cus_IhGfebO16cMIGN");
}

#[test]
fn a_dispute_is_read_whichever_status_stripe_has_added_since() {
    let read = |status: &str| {
        let object = format!(
            r#"{{"id":"dp_1","object":"dispute","amount":500,"currency":"usd","status":"{status}","charge":"ch_1","payment_intent":"pi_1","reason":"fraudulent","created":1}}"#
        );
        match parse(event("charge.dispute.created", &object).as_bytes()) {
            Ok(StripeEvent::Dispute(event)) => event.object.status,
            other => panic!("no dispute: {other:?}"),
        }
    };
    assert_eq!(read("warning_needs_response"), DisputeStatus::WarningNeedsResponse);
    assert_eq!(read("lost"), DisputeStatus::Lost);
    assert_eq!(read("pondered"), DisputeStatus::Other);
}

#[test]
fn what_an_update_replaced_is_told_as_far_as_it_is_text() {
    let before = customer(fixture!("legacy/customer_updated")).before;
    assert_eq!(
        before,
        std::collections::BTreeMap::from([("email".to_owned(), Some("billing@supabase.io".to_owned()))])
    );
    let Ok(StripeEvent::Charge(event)) = parse(fixture!("legacy/charge_refunded")) else { panic!("no charge") };
    assert!(event.before.is_empty(), "numbers and lists are left out: {:?}", event.before);
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
        payment_intent(event("payment_intent.succeeded", object).as_bytes()).object.status,
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
