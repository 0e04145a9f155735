//! Nothing secret or personal stays in a redacted payload, and everything else does.

use proptest::prelude::*;
use secrets::redact::{REDACTED, redact, redact_text};
use serde_json::{Value, json};

#[test]
fn secrets_and_personal_fields_go_and_the_rest_stays() {
    let payload = json!({
        "id": "5e0c", "amount": 10.99, "currency": "usd", "status": "completed", "upcoachReference": "0191",
        "email": "ada@example.com", "receipt_email": "ada@example.com", "name": "Ada", "phone": null,
        "address": {"line1": "1 Street", "city": "Bath"}, "billing_details": {"name": "Ada"},
        "headers": {"Authorization": "Bearer abc", "X-Api-Key": "k", "X-Api-Secret": "s", "Content-Type": "application/json"},
        "webhookSecret": "w", "client_secret": "c", "metadata": {"upcoachUserId": "7"},
        "lines": [{"customerName": "Ada", "quantity": 1}]
    });
    assert_eq!(
        redact(&payload),
        json!({
            "id": "5e0c", "amount": 10.99, "currency": "usd", "status": "completed", "upcoachReference": "0191",
            "email": REDACTED, "receipt_email": REDACTED, "name": REDACTED, "phone": null,
            "address": REDACTED, "billing_details": REDACTED,
            "headers": {"Authorization": REDACTED, "X-Api-Key": REDACTED, "X-Api-Secret": REDACTED, "Content-Type": "application/json"},
            "webhookSecret": REDACTED, "client_secret": REDACTED, "metadata": {"upcoachUserId": "7"},
            "lines": [{"customerName": REDACTED, "quantity": 1}]
        })
    );
}

#[test]
fn addresses_and_credentials_inside_of_text_go() {
    assert_eq!(redact_text("customer ada@example.com: not found"), "customer [redacted]: not found");
    assert_eq!(redact_text("to <ada.b+c@mail.example.org>."), "to <[redacted]>.");
    assert_eq!(redact_text("Bearer abc.def"), REDACTED);
    assert_eq!(redact_text("key sk_live_123 refused"), "key [redacted] refused");
    assert_eq!(redact_text("amount must be at least 0.01 @ 10:00"), "amount must be at least 0.01 @ 10:00");
    assert_eq!(redact(&json!(["pi_123", "ada@example.com"])), json!(["pi_123", REDACTED]));
}

fn json_value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        "[a-z0-9 ]{0,12}".prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 40, 5, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
            prop::collection::btree_map("[a-d]{1,3}|id|amount", inner, 0..5).prop_map(|map| map.into_iter().collect()),
        ]
    })
}

proptest! {
    #[test]
    fn a_payload_without_anything_sensitive_stays_as_it_is(payload in json_value()) {
        prop_assert_eq!(redact(&payload), payload);
    }

    #[test]
    fn a_secret_is_gone_however_deep_it_lies(payload in json_value(), depth in 0..6_usize) {
        let mut around = json!({"apiKey": "needle-4711", "customer": {"e-mail": "x", "email": "needle-4711"}, "rest": payload});
        for _ in 0..depth {
            around = json!({"data": [around]});
        }
        prop_assert!(!redact(&around).to_string().contains("needle"));
    }
}
