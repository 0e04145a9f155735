//! `Idempotency-Key`, honoured and not.

use serde_json::json;
use testkit::sandbox::{Fault, FaultAction};

use crate::support::{Erp, PATIENCE, answer, customer, transaction};

const DAY_MS: i64 = 24 * 60 * 60 * 1000;

#[tokio::test]
async fn a_repeat_with_its_key_is_answered_as_before_and_makes_nothing() {
    let erp = Erp::start().await;
    let first = erp.post_with_key("/customers", "k-1", &customer("u-1")).await;
    assert_eq!(first.headers.get("idempotent-replayed"), None);
    erp.put(&format!("/customers/{}", first.id()), &json!({ "name": "Changed since" })).await;
    let again = erp.post_with_key("/customers", "k-1", &customer("u-1")).await;
    assert_eq!((again.status, &again.text), (201, &first.text));
    assert_eq!(again.headers["idempotent-replayed"], "true");
    let counters = erp.control.counters().await;
    assert_eq!((counters.records_of("customers"), counters.idempotent_replays, counters.idempotency_keys), (1, 1, 1));
}

#[tokio::test]
async fn a_key_with_another_request_is_a_conflict() {
    let erp = Erp::start().await;
    let id = erp.post_with_key("/customers", "k-1", &customer("u-1")).await.id();
    erp.post_with_key("/customers", "k-1", &customer("u-2")).await.is_error(409, "RESOURCE_CONFLICT");
    erp.post_with_key("/transactions", "k-1", &transaction(&id, "t")).await.is_error(409, "RESOURCE_CONFLICT");
    let counters = erp.control.counters().await;
    assert_eq!((counters.records_of("customers"), counters.records_of("transactions")), (1, 0));
}

#[tokio::test]
async fn only_success_is_remembered() {
    let erp = Erp::start().await;
    let body = transaction("fcu_00000000000000ff", "t");
    erp.post_with_key("/transactions", "k-1", &body).await.is_error(400, "VALIDATION_ERROR");
    erp.control.add_fault(&Fault::status(500).on("POST", "/transactions").times(1)).await;
    erp.post_with_key("/transactions", "k-1", &body).await.is_error(500, "SERVER_ERROR");
    let id = erp.customer("u-1").await;
    assert_eq!(erp.post_with_key("/transactions", "k-1", &transaction(&id, "t")).await.status, 201);
}

#[tokio::test]
async fn a_key_is_forgotten_after_24_hours() {
    let erp = Erp::start().await;
    let first = erp.post_with_key("/customers", "k-1", &customer("u-1")).await;
    erp.control.set_clock_ahead(DAY_MS - 60_000).await;
    assert_eq!(erp.post_with_key("/customers", "k-1", &customer("u-1")).await.text, first.text);
    erp.control.set_clock_ahead(DAY_MS).await;
    let new = erp.post_with_key("/customers", "k-1", &customer("u-1")).await;
    assert_eq!((new.status, new.headers.get("idempotent-replayed")), (201, None));
    assert_ne!(new.id(), first.id());
}

#[tokio::test]
async fn without_the_capability_the_key_is_ignored() {
    let erp = Erp::start().await;
    erp.control.set_capabilities(&["updated-since"]).await;
    let first = erp.post_with_key("/customers", "k-1", &customer("u-1")).await;
    let second = erp.post_with_key("/customers", "k-1", &customer("u-1")).await;
    assert_eq!((first.status, second.status), (201, 201));
    assert_ne!(first.id(), second.id());
    assert_eq!(erp.post_with_key("/customers", &"k".repeat(256), &customer("u-1")).await.status, 201);
    assert_eq!(erp.control.counters().await.idempotency_keys, 0);
}

#[tokio::test]
async fn a_key_of_more_than_255_characters_is_refused() {
    let erp = Erp::start().await;
    assert_eq!(erp.post_with_key("/customers", &"k".repeat(255), &customer("u-1")).await.status, 201);
    let refused = erp.post_with_key("/customers", &"k".repeat(256), &customer("u-1")).await;
    assert_eq!(refused.is_error(400, "VALIDATION_ERROR").bad_fields(), ["Idempotency-Key"]);
}

#[tokio::test]
async fn a_late_first_try_and_its_repeat_make_one_record() {
    let erp = Erp::start().await;
    let late = Fault::new(FaultAction::LateWrite { delay_ms: 300 }).on("POST", "/customers").times(1);
    erp.control.add_fault(&late).await;
    let body = customer("u-1").to_string();
    let first = erp.request("POST", "/customers", Some(body)).header("idempotency-key", "k-1");
    assert!(answer(first).await.is_err());
    let repeat = erp.post_with_key("/customers", "k-1", &customer("u-1")).await;
    assert_eq!(repeat.status, 201);
    testkit::eventually(PATIENCE, "the late write takes effect", || async {
        let counters = erp.control.counters().await;
        counters.pending_writes == 0 && counters.idempotent_replays == 1
    })
    .await;
    assert_eq!(erp.records_of("customers").await, 1);
}

#[tokio::test]
async fn many_at_once_with_one_key_make_one_record() {
    let erp = Erp::start().await;
    let body = customer("u-1");
    let all = futures::future::join_all((0..32).map(|_| erp.post_with_key("/customers", "k-1", &body))).await;
    let first = &all.first().unwrap().text;
    assert!(all.iter().all(|answer| answer.status == 201 && answer.text == *first));
    let counters = erp.control.counters().await;
    assert_eq!((counters.records_of("customers"), counters.idempotent_replays), (1, 31));
}
