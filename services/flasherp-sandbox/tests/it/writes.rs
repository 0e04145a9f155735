//! Records: created, read, changed, cancelled.

use serde_json::json;

use crate::support::{Erp, customer, invoice, subscription, transaction};

#[tokio::test]
async fn a_created_record_is_answered_and_read_back_as_it_was_answered() {
    let erp = Erp::start().await;
    let id = erp.customer("u-1").await;
    for (path, body) in [
        ("/customers", customer("u-2")),
        ("/transactions", transaction(&id, "t-1")),
        ("/subscriptions", subscription(&id, "s-1")),
        ("/invoices", invoice(&id, "i-1")),
    ] {
        let created = erp.post(path, &body).await;
        assert_eq!(created.status, 201, "{path}: {}", created.text);
        assert!(created.id().len() <= 64);
        let read = erp.get(&format!("{path}/{}", created.id())).await;
        assert_eq!((read.status, &read.text), (200, &created.text));
        assert_eq!(created.json()["createdAt"], created.json()["updatedAt"]);
    }
}

#[tokio::test]
async fn times_are_utc_with_milliseconds() {
    let erp = Erp::start().await;
    let id = erp.customer("u-1").await;
    let invoice = erp.post("/invoices", &invoice(&id, "i-1")).await.json();
    assert_eq!(invoice["dueDate"], "2026-01-31T11:00:00.000Z");
    for field in ["createdAt", "updatedAt"] {
        let text = invoice[field].as_str().unwrap();
        assert_eq!((text.len(), text.ends_with('Z')), ("2026-01-31T11:00:00.000Z".len(), true), "{text}");
    }
    assert_eq!(invoice["status"], "draft");
}

#[tokio::test]
async fn a_put_changes_what_is_given_clears_nulls_and_replaces_metadata_whole() {
    let erp = Erp::start().await;
    let mut body = customer("u-1");
    body["stripeCustomerId"] = json!("cus_1");
    body["metadata"] = json!({ "a": 1, "b": 2 });
    let created = erp.post("/customers", &body).await;
    let path = format!("/customers/{}", created.id());
    let changed = erp.put(&path, &json!({ "name": "Grace", "stripeCustomerId": null, "metadata": { "c": 3 } })).await;
    assert_eq!(changed.status, 200, "{}", changed.text);
    let changed = changed.json();
    assert_eq!(changed["name"], "Grace");
    assert_eq!(changed["email"], "ada@example.com");
    assert_eq!(changed.get("stripeCustomerId"), None);
    assert_eq!(changed["metadata"], json!({ "c": 3 }));
    assert_eq!(changed["createdAt"], created.json()["createdAt"]);
    assert_eq!(erp.get(&path).await.json(), changed);
}

#[tokio::test]
async fn a_put_cannot_clear_what_is_required_nor_touch_what_is_flasherps() {
    let erp = Erp::start().await;
    let created = erp.post("/customers", &customer("u-1")).await;
    let path = format!("/customers/{}", created.id());
    let refused = erp.put(&path, &json!({ "name": null, "id": "x", "createdAt": "2026-01-01T00:00:00Z" })).await;
    let mut fields = refused.is_error(400, "VALIDATION_ERROR").bad_fields();
    fields.sort();
    assert_eq!(fields, ["createdAt", "id", "name"]);
    assert_eq!(erp.get(&path).await.text, created.text);
}

#[tokio::test]
async fn a_cleared_invoice_status_is_draft_again() {
    let erp = Erp::start().await;
    let id = erp.customer("u-1").await;
    let mut body = invoice(&id, "i-1");
    body["status"] = json!("open");
    let created = erp.post("/invoices", &body).await;
    assert_eq!(created.json()["status"], "open");
    assert_eq!(
        erp.put(&format!("/invoices/{}", created.id()), &json!({ "status": null })).await.json()["status"],
        "draft"
    );
}

#[tokio::test]
async fn a_new_currency_must_fit_the_amount_that_stays() {
    let erp = Erp::start().await;
    let id = erp.customer("u-1").await;
    let created = erp.post("/transactions", &transaction(&id, "t-1")).await;
    let path = format!("/transactions/{}", created.id());
    let refused = erp.put(&path, &json!({ "currency": "JPY" })).await;
    assert_eq!(refused.is_error(400, "VALIDATION_ERROR").bad_fields(), ["amount"]);
    assert!(
        erp.put(&path, &json!({ "currency": "kwd" })).await.text.contains("\"amount\":10.990,\"currency\":\"KWD\"")
    );
}

#[tokio::test]
async fn updated_at_grows_with_every_change() {
    let erp = Erp::start().await;
    let created = erp.post("/customers", &customer("u-1")).await;
    let path = format!("/customers/{}", created.id());
    let mut last = created.json()["updatedAt"].as_str().unwrap().to_owned();
    for _ in 0..20 {
        let updated = erp.put(&path, &json!({ "name": "Same" })).await.json()["updatedAt"].as_str().unwrap().to_owned();
        assert!(updated > last, "{updated} after {last}");
        last = updated;
    }
}

#[tokio::test]
async fn cancelling_sets_flasherps_own_time_and_twice_is_no_error() {
    let erp = Erp::start().await;
    let id = erp.customer("u-1").await;
    let path = format!("/subscriptions/{}", erp.post("/subscriptions", &subscription(&id, "s-1")).await.id());
    let cancelled = erp.delete(&path).await;
    assert_eq!((cancelled.status, &cancelled.json()["status"]), (200, &json!("canceled")));
    assert_eq!(cancelled.json()["canceledAt"], cancelled.json()["updatedAt"]);
    let again = erp.delete(&path).await;
    assert_eq!((again.status, again.text), (200, cancelled.text));
    erp.delete("/subscriptions/fsu_00000000000000ff").await.is_error(404, "RESOURCE_NOT_FOUND");
}

#[tokio::test]
async fn what_is_not_there_is_not_found() {
    let erp = Erp::start().await;
    let customer = erp.customer("u-1").await;
    for path in
        ["/customers/fcu_00000000000000ff", "/customers/x", &format!("/transactions/{customer}"), "/invoices/%00"]
    {
        erp.get(path).await.is_error(404, "RESOURCE_NOT_FOUND");
        erp.put(path, &json!({ "metadata": {} })).await.is_error(404, "RESOURCE_NOT_FOUND");
    }
}

#[tokio::test]
async fn metrics_are_one_record_per_period_and_currency() {
    let erp = Erp::start().await;
    let report = |revenue: i64, currency: &str| {
        json!({
            "revenue": revenue, "costs": 1, "profit": revenue - 1, "mrr": 2, "arr": 24, "currency": currency, "period": "daily",
            "periodStart": "2026-01-01T00:00:00Z", "periodEnd": "2026-01-02T00:00:00Z",
        })
    };
    for (revenue, currency) in [(10, "USD"), (10, "EUR"), (11, "usd")] {
        let answer = erp.post("/metrics", &report(revenue, currency)).await;
        assert_eq!(answer.status, 201, "{}", answer.text);
        assert!(answer.text.contains(&format!("\"revenue\":{revenue}.00,")));
    }
    let kept = erp.control.records("metrics").await;
    let kept: Vec<_> =
        kept.iter().map(|record| (record.json("revenue").unwrap(), record.text("currency").unwrap())).collect();
    assert_eq!(kept, [("11.00", "USD".to_owned()), ("10.00", "EUR".to_owned())]);
}

#[tokio::test]
async fn a_reference_is_not_unique() {
    let erp = Erp::start().await;
    let first = erp.customer("u-1").await;
    let second = erp.customer("u-1").await;
    assert_ne!(first, second);
    let found = erp.get("/customers?upcoachReference=u-1").await.json();
    let ids: Vec<&str> =
        found["data"].as_array().unwrap().iter().map(|record| record["id"].as_str().unwrap()).collect();
    assert_eq!(ids, [first, second]);
}
