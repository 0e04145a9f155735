//! What the control API tells, and what it changes.

use std::time::Duration;

use serde_json::json;
use testkit::sandbox::Fault;

use crate::support::{Erp, PATIENCE, answer, customer, transaction};

#[tokio::test]
async fn counters_tell_calls_answers_and_duplicates() {
    let erp = Erp::start().await;
    let id = erp.customer("u-1").await;
    erp.customer("u-2").await;
    for reference in ["t-1", "t-2", "t-2", "t-3", "t-3", "t-3"] {
        assert_eq!(erp.post("/transactions", &transaction(&id, reference)).await.status, 201);
    }
    erp.get(&format!("/customers/{id}")).await;
    erp.get("/customers/nobody").await;
    let counters = erp.control.counters().await;
    assert_eq!(counters.calls_of("POST /v1/transactions"), 6);
    assert_eq!(counters.calls_of("GET /v1/customers/{id}"), 2);
    assert_eq!((counters.answers.get(&201), counters.answers.get(&404)), (Some(&8), Some(&1)));
    assert_eq!((counters.records_of("customers"), counters.records_of("transactions")), (2, 6));
    assert_eq!(counters.duplicates["transactions"], 2);
    assert_eq!(counters.doubled(), 2);
    assert_eq!(counters.in_flight.now, 0);

    let duplicates = erp.control.duplicates().await;
    let told: Vec<_> = duplicates["transactions"].iter().map(|d| (d.upcoach_reference.as_str(), d.ids.len())).collect();
    assert_eq!(told, [("t-2", 2), ("t-3", 3)]);
    assert!(duplicates["customers"].is_empty());
}

#[tokio::test]
async fn duplicates_end_when_one_is_changed_or_removed() {
    let erp = Erp::start().await;
    let (first, second, third) = (erp.customer("u-1").await, erp.customer("u-1").await, erp.customer("u-1").await);
    assert_eq!(erp.control.counters().await.doubled(), 1);
    erp.put(&format!("/customers/{first}"), &json!({ "upcoachReference": "u-2" })).await;
    assert_eq!(erp.control.duplicates().await["customers"].first().unwrap().ids, [second.clone(), third.clone()]);
    erp.control.remove_record("customers", &second).await;
    assert_eq!(erp.control.counters().await.doubled(), 0);
    erp.get(&format!("/customers/{second}")).await.is_error(404, "RESOURCE_NOT_FOUND");
}

#[tokio::test]
async fn calls_in_flight_are_counted_with_their_most() {
    let erp = Erp::start().await;
    erp.control.set_latency(Duration::from_millis(400), Duration::from_millis(400)).await;
    let calls = futures::future::join_all((0..5).map(|_| erp.get("/health")));
    let watch = testkit::eventually(PATIENCE, "five calls are in flight", || async {
        erp.control.counters().await.in_flight.now == 5
    });
    tokio::join!(calls, watch);
    let in_flight = erp.control.counters().await.in_flight;
    assert_eq!((in_flight.now, in_flight.max), (0, 5));
}

#[tokio::test]
async fn a_dump_has_every_record_with_its_amount_as_written() {
    let erp = Erp::start().await;
    let id = erp.customer("u-1").await;
    let body = transaction(&id, "t-1").to_string().replace("10.99", "10.90");
    erp.post_text("/transactions", &body).await;
    let records = erp.control.records("transactions").await;
    let record = records.first().unwrap();
    assert_eq!((records.len(), record.reference().as_str(), record.json("amount")), (1, "t-1", Some("10.90")));
    assert_eq!(erp.get(&format!("/transactions/{}", record.id())).await.status, 200);
}

#[tokio::test]
async fn an_edit_behind_our_back_shows_in_flasherp_and_counts_as_no_call() {
    let erp = Erp::start().await;
    let id = erp.customer("u-1").await;
    let edited = erp.control.edit_record("customers", &id, json!({ "name": "By hand" })).await;
    let read = erp.get(&format!("/customers/{id}")).await.json();
    assert_eq!(read["name"], "By hand");
    assert_eq!(edited.text("updatedAt").as_deref(), read["updatedAt"].as_str());
    assert!(read["updatedAt"].as_str() > read["createdAt"].as_str());
    assert_eq!(erp.control.counters().await.calls_of("PUT /v1/customers/{id}"), 0);
    let url = format!("{}/control/records/customers/{id}", erp.control.base);
    let refused = answer(erp.http.put(url).json(&json!({ "name": 7 }))).await.unwrap();
    assert_eq!(refused.is_error(400, "VALIDATION_ERROR").bad_fields(), ["name"]);
}

#[tokio::test]
async fn a_reset_forgets_everything_and_gives_no_id_out_again() {
    let erp = Erp::start().await;
    let before = erp.post_with_key("/customers", "k-1", &customer("u-1")).await.id();
    erp.control.add_fault(&Fault::status(500).on("GET", "/health")).await;
    erp.control.set_capabilities(&[]).await;
    erp.control.set_clock_ahead(1_000_000).await;
    erp.control.reset().await;
    let counters = erp.control.counters().await;
    assert!(counters.calls.is_empty() && counters.answers.is_empty());
    assert_eq!((counters.records_of("customers"), counters.idempotency_keys), (0, 0));
    let health = erp.get("/health").await;
    assert_eq!((health.status, &health.json()["capabilities"]), (200, &json!(["idempotency-key", "updated-since"])));
    let after = erp.post_with_key("/customers", "k-1", &customer("u-1")).await.id();
    assert!(after > before, "{after} after {before}");
}

#[tokio::test]
async fn what_the_control_api_does_not_know_is_refused() {
    let erp = Erp::start().await;
    let get = async |path: &str| answer(erp.http.get(format!("{}{path}", erp.control.base))).await.unwrap();
    for path in [
        "/nowhere",
        "/control/nowhere",
        "/control/records/cheques",
        "/control/stripe/sends/1",
        "/control/stripe/sends/x",
    ] {
        let refused = get(path).await;
        assert_eq!((refused.status, &refused.json()["code"]), (404, &json!("RESOURCE_NOT_FOUND")), "{path}");
    }
}
