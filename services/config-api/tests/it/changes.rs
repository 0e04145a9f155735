//! Syncs queued again or taken out of the way, one by one and by filter.

use serde_json::json;
use uuid::Uuid;

use crate::api::DEADLINE;
use crate::world::World;

const STATUS: &str = "SELECT sync_status::text FROM sync.erp_syncs WHERE id = $1";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn only_a_failed_sync_is_retried_and_only_one_that_is_not_done_is_skipped() {
    let world = World::new().await;
    for (status, retried, skipped) in [
        ("failed", 200, 200),
        ("pending", 409, 200),
        ("synced", 409, 409),
        ("syncing", 409, 409),
        ("skipped", 409, 200),
    ] {
        let sync = world.sync("customer", status, Some("TIMEOUT")).await;
        let answer = world.post(&format!("/api/erp/retry/{sync}")).await;
        assert_eq!(answer.status, retried, "retry of {status}: {answer:?}");
        let sync = world.sync("customer", status, Some("TIMEOUT")).await;
        let answer = world.api.post(&format!("/api/erp/skip/{sync}"), &json!({"reason": "test data"})).await;
        assert_eq!(answer.status, skipped, "skip of {status}: {answer:?}");
        if skipped == 200 {
            assert_eq!(answer.json()["sync"]["syncStatus"], "skipped");
        } else {
            assert_eq!(
                (&answer.json()["code"], answer.wrong_fields()),
                (&json!("RESOURCE_CONFLICT"), vec!["syncStatus".to_owned()])
            );
        }
    }
    let unknown = Uuid::new_v4();
    assert_eq!(world.post(&format!("/api/erp/retry/{unknown}")).await.status, 404);
    assert_eq!(world.post(&format!("/api/erp/skip/{unknown}")).await.status, 404);
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_retried_sync_goes_at_once_with_its_retries_back_and_is_audited() {
    let mut world = World::new().await;
    let user = world.user().await;
    // It has used up its retries.
    let sync = domain::SyncId::of(domain::SourceSystem::Upcoach, domain::EntityType::Customer, user).as_uuid();
    sqlx::query("DELETE FROM sync.requests").execute(&world.pool).await.expect("nothing is asked");
    sqlx::query(
        "INSERT INTO sync.erp_syncs (id, source_type, source_id, sync_status, error_code, retry_count, last_sync_attempt)
         VALUES ($1, 'customer', $2, 'failed', 'SERVER_ERROR', 5, now())",
    )
    .bind(sync)
    .bind(user)
    .execute(&world.pool)
    .await
    .expect("a failed sync");
    let answer = world.post(&format!("/api/erp/retry/{sync}")).await;
    let shown = &answer.json()["sync"];
    assert_eq!(
        (answer.status, &shown["syncStatus"], &shown["retryCount"]),
        (200, &json!("pending"), &json!(0)),
        "{shown}"
    );
    let audited = world.audited(&user.to_string()).await;
    assert_eq!((audited[0].0.as_str(), &audited[0].1), ("manual_sync", &json!("sync.retried")));
    world.start_worker().await;
    testkit::eventually(DEADLINE, "it is synced", || async { world.value::<String>(STATUS, sync).await == "synced" })
        .await;
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_bulk_action_counts_first_and_changes_just_what_matches() {
    let world = World::new().await;
    sqlx::query(
        "INSERT INTO sync.erp_syncs (id, source_type, source_id, sync_status, error_code, last_sync_attempt)
         SELECT gen_random_uuid(), CASE WHEN n % 2 = 0 THEN 'customer' ELSE 'invoice' END::sync.entity_type, gen_random_uuid(), 'failed',
            'TIMEOUT', '2026-11-01'
         FROM generate_series(1, 5000) AS n",
    )
    .execute(&world.pool)
    .await
    .expect("syncs");
    let synced = world.sync("customer", "synced", None).await;
    let other = world.sync("customer", "failed", Some("SERVER_ERROR")).await;
    let body = json!({"sourceType": "customer", "errorCode": "TIMEOUT", "to": "2026-11-02T00:00:00Z", "dryRun": true});
    let counted = world.api.post("/api/erp/syncs/retry", &body).await.json();
    assert_eq!(counted, json!({"matched": 2500, "changed": 0, "batchId": null}));

    let body = json!({"sourceType": "customer", "errorCode": "TIMEOUT"});
    let done = world.api.post("/api/erp/syncs/retry", &body).await.json();
    assert_eq!((&done["matched"], &done["changed"]), (&json!(2500), &json!(2500)));
    let audited = world.audited(done["batchId"].as_str().expect("an id")).await;
    assert_eq!((audited[0].0.as_str(), &audited[0].1), ("manual_sync", &json!("batch.created")));
    let pending: i64 = sqlx::query_scalar("SELECT count(*) FROM sync.erp_syncs WHERE sync_status = 'pending'")
        .fetch_one(&world.pool)
        .await
        .expect("a count");
    assert_eq!(pending, 2500);

    let body = json!({"ids": [other, synced], "reason": "test data"});
    let skipped = world.api.post("/api/erp/syncs/skip", &body).await.json();
    assert_eq!((&skipped["matched"], &skipped["changed"]), (&json!(1), &json!(1)));
    assert_eq!(world.value::<String>(STATUS, other).await, "skipped");
    assert_eq!(world.value::<String>("SELECT skip_reason FROM sync.erp_syncs WHERE id = $1", other).await, "test data");
    world.stop().await;
}
