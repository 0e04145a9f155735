//! What is refused, and that everything wrong is told at once.

use serde_json::{Value, json};

use crate::support::{Erp, answer, customer, invoice, subscription, transaction};

fn with(mut record: Value, changes: Value) -> Value {
    for (name, value) in changes.as_object().unwrap() {
        record[name] = value.clone();
    }
    record
}

#[tokio::test]
async fn every_bad_field_is_listed() {
    let erp = Erp::start().await;
    let body = json!({
        "customerId": "fcu_0000000000000001", "amount": "10.99", "currency": "usdx", "status": "done", "type": "payment",
        "description": "x".repeat(501), "upcoachReference": 7, "colour": "red", "metadata": [],
    });
    let refused = erp.post("/transactions", &body).await;
    let mut fields = refused.is_error(400, "VALIDATION_ERROR").bad_fields();
    fields.sort();
    assert_eq!(
        fields,
        ["amount", "colour", "currency", "customerId", "description", "metadata", "status", "upcoachReference"]
    );
    assert_eq!(erp.records_of("transactions").await, 0);
}

#[tokio::test]
async fn missing_fields_are_told_as_missing() {
    let erp = Erp::start().await;
    let refused = erp.post("/customers", &json!({ "email": "ada@example.com" })).await;
    assert_eq!(refused.is_error(400, "MISSING_REQUIRED_FIELD").bad_fields(), ["name", "upcoachReference"]);
    let refused = erp.post("/customers", &json!({ "email": "nobody" })).await;
    assert_eq!(refused.is_error(400, "VALIDATION_ERROR").bad_fields(), ["email", "name", "upcoachReference"]);
}

#[tokio::test]
async fn an_unknown_customer_is_a_validation_error_on_customer_id() {
    let erp = Erp::start().await;
    let known = erp.customer("u-1").await;
    for (path, body) in [
        ("/transactions", transaction("fcu_00000000000000ff", "r")),
        ("/subscriptions", subscription("nobody", "r")),
        ("/invoices", invoice("", "r")),
    ] {
        let refused = erp.post(path, &body).await;
        assert_eq!(refused.is_error(400, "VALIDATION_ERROR").bad_fields(), ["customerId"], "{path}");
    }
    let id = erp.post("/transactions", &transaction(&known, "r")).await.id();
    let refused = erp.put(&format!("/transactions/{id}"), &json!({ "customerId": "nobody" })).await;
    assert_eq!(refused.is_error(400, "VALIDATION_ERROR").bad_fields(), ["customerId"]);
}

#[tokio::test]
async fn amounts_keep_exactly_the_digits_of_their_currency() {
    let erp = Erp::start().await;
    let id = erp.customer("u-1").await;
    let post = async |amount: &str, currency: &str| {
        let body = transaction(&id, "r").to_string().replace("10.99", amount).replace("usd", currency);
        erp.post_text("/transactions", &body).await
    };
    for (amount, currency, kept) in [
        ("19.99", "USD", "19.99"),
        ("0.10", "eur", "0.10"),
        ("500", "jpy", "500"),
        ("1.234", "KWD", "1.234"),
        ("1.230", "KWD", "1.230"),
        ("92233720368547758.07", "usd", "92233720368547758.07"),
    ] {
        let answer = post(amount, currency).await;
        assert_eq!(answer.status, 201, "{amount} {currency}: {}", answer.text);
        assert!(answer.text.contains(&format!("\"amount\":{kept},")), "{amount} {currency}: {}", answer.text);
        assert_eq!(answer.json()["currency"], currency.to_uppercase());
    }
    for (amount, currency) in [
        ("19.999", "USD"),
        ("19.990000000000002", "USD"),
        ("500.5", "JPY"),
        ("1.2345", "KWD"),
        ("1e2", "USD"),
        ("\"19.99\"", "USD"),
        ("null", "USD"),
    ] {
        let refused = post(amount, currency).await;
        assert_eq!(refused.is_error(400, "VALIDATION_ERROR").bad_fields(), ["amount"], "{amount} {currency}");
    }
}

#[tokio::test]
async fn a_refund_is_positive() {
    let erp = Erp::start().await;
    let id = erp.customer("u-1").await;
    let refund = |amount: i64| with(transaction(&id, "r"), json!({ "type": "refund", "amount": amount }));
    assert_eq!(erp.post("/transactions", &refund(5)).await.status, 201);
    for amount in [0, -5] {
        let refused = erp.post("/transactions", &refund(amount)).await;
        assert_eq!(refused.is_error(400, "VALIDATION_ERROR").bad_fields(), ["amount"]);
    }
    let adjustment = with(transaction(&id, "r"), json!({ "type": "adjustment", "amount": -5 }));
    assert!(erp.post("/transactions", &adjustment).await.text.contains("\"amount\":-5.00,"));
}

#[tokio::test]
async fn limits_are_counted_in_characters_and_properties() {
    let erp = Erp::start().await;
    let id = erp.customer("u-1").await;
    let longest = with(customer("u-2"), json!({ "name": "é".repeat(255) }));
    assert_eq!(erp.post("/customers", &longest).await.status, 201);
    for name in [json!(""), json!("é".repeat(256)), json!(null)] {
        let refused = erp.post("/customers", &with(customer("u-2"), json!({ "name": name }))).await;
        assert_eq!(refused.is_error(400, "VALIDATION_ERROR").bad_fields(), ["name"]);
    }
    let metadata = |n: usize| (0..n).map(|n| (format!("k{n}"), json!(n))).collect::<serde_json::Map<_, _>>();
    let most = with(transaction(&id, "r"), json!({ "metadata": metadata(50) }));
    assert_eq!(erp.post("/transactions", &most).await.status, 201);
    let refused = erp.post("/transactions", &with(transaction(&id, "r"), json!({ "metadata": metadata(51) }))).await;
    assert_eq!(refused.is_error(400, "VALIDATION_ERROR").bad_fields(), ["metadata"]);
    assert_eq!(erp.post("/customers", &with(customer("u-3"), json!({ "metadata": metadata(200) }))).await.status, 201);
}

#[tokio::test]
async fn what_is_no_json_object_is_refused() {
    let erp = Erp::start().await;
    for body in ["", "[]", "null", "{", "{\"name\": 1e999x}", "{\"name\":\"a\",\"name\":\"b\"}"] {
        erp.post_text("/customers", body).await.is_error(400, "VALIDATION_ERROR");
    }
    let not_utf8 =
        erp.request("POST", "/customers", Some(String::new())).body(vec![b'{', b'"', 0xff, b'"', b':', b'1', b'}']);
    answer(not_utf8).await.unwrap().is_error(400, "VALIDATION_ERROR");
    let form =
        erp.request("POST", "/customers", None).header("content-type", "text/plain").body(customer("u-1").to_string());
    let refused = answer(form).await.unwrap();
    assert_eq!(refused.is_error(400, "VALIDATION_ERROR").bad_fields(), ["Content-Type"]);
    let large = with(customer("u-1"), json!({ "metadata": { "x": "y".repeat(1024 * 1024) } }));
    erp.post("/customers", &large).await.is_error(413, "VALIDATION_ERROR");
    assert_eq!(erp.records_of("customers").await, 0);
}

#[tokio::test]
async fn e_mail_addresses_and_times_are_checked() {
    let erp = Erp::start().await;
    let id = erp.customer("u-1").await;
    for email in ["ada", "ada@", "@example.com", "a da@example.com", "a@b@c", "ada@example..com"] {
        let refused = erp.post("/customers", &with(customer("u-2"), json!({ "email": email }))).await;
        assert_eq!(refused.is_error(400, "VALIDATION_ERROR").bad_fields(), ["email"], "{email}");
    }
    for due in [json!("2026-01-31"), json!("soon"), json!(1_700_000_000)] {
        let refused = erp.post("/invoices", &with(invoice(&id, "r"), json!({ "dueDate": due }))).await;
        assert_eq!(refused.is_error(400, "VALIDATION_ERROR").bad_fields(), ["dueDate"], "{due}");
    }
}
