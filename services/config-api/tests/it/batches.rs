//! Full syncs, and the batches that they are.

use reqwest::Method;
use serde_json::json;
use uuid::Uuid;

use crate::api::{Answer, DEADLINE};
use crate::world::World;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_sync_is_counted_started_once_for_a_key_and_followed_to_its_end() {
    let mut world = World::new().await;
    for _ in 0..3 {
        let user = world.user().await;
        world.payment(user, 500, "jpy").await;
    }
    let counted = world.api.post("/api/erp/sync/full", &json!({"dryRun": true, "entityTypes": ["customer"]})).await;
    assert_eq!(
        (counted.status, &counted.json()["matched"], &counted.json()["batchId"]),
        (200, &json!(3), &json!(null))
    );

    let start = async |key: &str, body: serde_json::Value| {
        Answer::of(world.api.request(Method::POST, "/api/erp/sync/full").header("idempotency-key", key).json(&body))
            .await
    };
    let body = json!({"entityTypes": ["customer", "transaction"]});
    let started = start("of-today", body.clone()).await;
    assert_eq!((started.status, &started.json()["status"]), (202, &json!("processing")), "{started:?}");
    assert_eq!(start("of-today", body).await.json()["batchId"], started.json()["batchId"]);
    let other = start("of-today", json!({"entityTypes": ["invoice"]})).await;
    assert_eq!((other.status, &other.json()["code"]), (409, &json!("RESOURCE_CONFLICT")));
    for key in ["k".repeat(256), String::new(), "a\tb".to_owned()] {
        assert_eq!(start(&key, json!({})).await.wrong_fields(), ["Idempotency-Key"], "{key:?}");
    }

    world.start_worker().await;
    let path = format!("/api/erp/batches/{}", started.json()["batchId"].as_str().expect("an id"));
    testkit::eventually(DEADLINE, "the batch is over", || async {
        world.api.get(&path).await.json()["status"] == "completed"
    })
    .await;
    let batch = world.api.get(&path).await.json();
    assert_eq!((&batch["total"], &batch["done"], &batch["failed"]), (&json!(6), &json!(6), &json!(0)), "{batch}");
    let listed = world.api.get("/api/erp/batches?kind=full_sync&status=completed").await.json();
    assert_eq!((&listed["data"][0]["id"], &listed["pagination"]["total"]), (&batch["id"], &json!(1)));
    assert_eq!(world.api.delete(&path).await.status, 409, "it is over");
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cancelled_batch_asks_for_nothing_more() {
    let world = World::new().await;
    world.user().await;
    let started = world.post("/api/erp/sync/full").await.json();
    let id = started["batchId"].as_str().expect("an id").to_owned();
    let path = format!("/api/erp/batches/{id}");
    assert_eq!(world.api.delete(&path).await.status, 200);
    assert_eq!(world.api.get(&path).await.json()["status"], "cancelled");
    let operations: Vec<_> = world.audited(&id).await.into_iter().map(|(_, operation, _)| operation).collect();
    assert_eq!(operations, [json!("batch.created"), json!("batch.cancelled")]);
    let unknown = format!("/api/erp/batches/{}", Uuid::new_v4());
    assert_eq!((world.api.get(&unknown).await.status, world.api.delete(&unknown).await.status), (404, 404));
    world.stop().await;
}
