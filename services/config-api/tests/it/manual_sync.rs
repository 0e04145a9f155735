//! Syncs asked for by hand: waited for, or followed.

use serde_json::{Value, json};
use testkit::sandbox::Fault;
use uuid::Uuid;

use crate::api::{Api, DEADLINE};
use crate::world::World;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_manual_sync_answers_when_it_is_done() {
    let mut world = World::new().await;
    world.start_worker().await;
    let user = world.user().await;
    let payment = world.payment(user, 1099, "usd").await;
    let answer = world.post(&format!("/api/erp/sync/transaction/{payment}?wait=30")).await;
    let result = answer.json();
    assert_eq!(
        (answer.status, &result["success"], &result["status"]),
        (200, &json!(true), &json!("synced")),
        "{result}"
    );
    let held = world.sandbox.records("transactions").await;
    assert_eq!(held.len(), 1);
    assert_eq!((held[0].reference(), result["targetId"].as_str()), (payment.to_string(), Some(held[0].id().as_str())));
    assert_eq!(world.sandbox.records("customers").await.len(), 1, "its customer went first");

    let audited = world.audited(&payment.to_string()).await;
    assert_eq!((audited[0].0.as_str(), &audited[0].1), ("manual_sync", &json!("sync.requested")), "{audited:?}");

    // In step already: FlashERP is asked all the same.
    let customer = world.post(&format!("/api/erp/sync/customer/{user}?wait=30")).await.json();
    assert_eq!((&customer["success"], customer["skipped"].as_bool()), (&json!(true), Some(false)), "{customer}");
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sync_is_shown_with_its_attempts_and_its_record_on_both_sides() {
    let mut world = World::new().await;
    let user = world.user().await;
    let path = format!("/api/erp/preview/customer/{user}");
    let before = world.api.get(&path).await.json();
    assert_eq!((&before["action"], &before["flasherp"]), (&json!("create"), &json!(null)), "{before}");
    assert_eq!(world.sandbox.records("customers").await.len(), 0, "nothing was sent");
    world.start_worker().await;
    let result = world.post(&format!("/api/erp/sync/customer/{user}?wait=30")).await.json();
    let held = world.sandbox.records("customers").await.remove(0);
    world.sandbox.edit_record("customers", &held.id(), json!({"name": "Eve"})).await;

    let details = world.api.get(&format!("/api/erp/syncs/{}", result["syncId"].as_str().expect("an id"))).await.json();
    assert_eq!(details["sync"]["targetId"], json!(held.id()));
    let attempts = details["attempts"].as_array().expect("a list");
    assert!(attempts.iter().any(|attempt| attempt["metadata"]["operation"] == "create"), "{attempts:?}");
    let record = &details["record"];
    assert_eq!((&record["payload"]["name"], &record["flasherp"]["name"]), (&json!("Ada"), &json!("Eve")), "{details}");
    assert_eq!((&record["differences"][0]["field"], &details["recordError"]), (&json!("name"), &json!(null)));

    world.sandbox.set_outage(testkit::sandbox::Outage::Cut).await;
    let details = world.api.get(&format!("/api/erp/syncs/{}", result["syncId"].as_str().expect("an id"))).await.json();
    assert_eq!((&details["record"], details["sync"]["targetId"].as_str()), (&json!(null), Some(held.id().as_str())));
    assert!(details["recordError"]["code"].is_string(), "{details}");
    assert!([502, 503].contains(&world.api.get(&path).await.status));
    assert_eq!(world.api.get(&format!("/api/erp/preview/customer/{}", Uuid::new_v4())).await.status, 404);
    assert_eq!(world.api.get(&format!("/api/erp/preview/coach/{user}")).await.status, 400);
    assert_eq!(world.api.get(&format!("/api/erp/syncs/{}", Uuid::new_v4())).await.status, 404);
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sync_that_fails_is_answered_with_its_error() {
    let mut world = World::new().await;
    world.start_worker().await;
    world.sandbox.add_fault(&Fault::status(422).on("POST", "/customers")).await;
    let user = world.user().await;
    let answer = world.post(&format!("/api/erp/sync/customer/{user}?wait=30")).await;
    let result = answer.json();
    assert_eq!((answer.status, &result["success"], &result["status"]), (200, &json!(false), &json!("failed")));
    assert_eq!(result["error"]["code"], "VALIDATION_ERROR", "{result}");
    assert!(result["error"]["message"].as_str().is_some_and(|message| !message.is_empty()));
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_takes_longer_than_the_caller_waits_can_be_followed() {
    let world = World::new().await;
    let user = world.user().await;
    let answer = world.post(&format!("/api/erp/sync/customer/{user}?wait=0")).await;
    let result = answer.json();
    assert_eq!((answer.status, &result["status"]), (202, &json!("syncing")), "{result}");
    assert_eq!(answer.header("location"), format!("/api/erp/syncs/{}", result["syncId"].as_str().expect("an id")));
    let listed = world.api.get(&format!("/api/erp/sync-history?sourceId={user}")).await.json();
    assert_eq!((&listed["data"][0]["id"], &listed["data"][0]["syncStatus"]), (&result["syncId"], &json!("pending")));
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn while_work_is_held_back_it_is_accepted_at_once() {
    let mut world = World::new().await;
    let user = world.user().await;
    let (paused, resumed) = ("SELECT sync.gate_pause('ada', $1::text)", "SELECT sync.gate_resume() OR $1 IS NULL");
    assert!(world.value::<bool>(paused, user).await);
    let answer = world.post(&format!("/api/erp/sync/customer/{user}?wait=30")).await;
    assert_eq!(answer.status, 202, "{answer:?}");
    // It is done when work goes on.
    assert!(world.value::<bool>(resumed, user).await);
    world.start_worker().await;
    testkit::eventually(DEADLINE, "the sync goes on", || async {
        let synced = "SELECT EXISTS (SELECT FROM sync.erp_syncs WHERE source_id = $1 AND sync_status = 'synced')";
        world.value::<bool>(synced, user).await
    })
    .await;
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_the_broker_it_is_done_and_answered_by_the_timer() {
    let mut world = World::with_api(|options| options.env("NATS_URL", "nats://nobody:nothing@127.0.0.1:9")).await;
    world.start_worker().await;
    let user = world.user().await;
    let answer = world.post(&format!("/api/erp/sync/customer/{user}?wait=30")).await;
    assert_eq!((answer.status, &answer.json()["success"]), (200, &json!(true)), "{answer:?}");
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_who_wait_for_one_record_are_all_answered() {
    let mut world = World::new().await;
    world.start_worker().await;
    let user = world.user().await;
    let path = format!("/api/erp/sync/customer/{user}?wait=30");
    let answers = futures::future::join_all((0..8).map(|_| world.post(&path))).await;
    for answer in answers {
        assert_eq!((answer.status, &answer.json()["success"]), (200, &json!(true)), "{answer:?}");
    }
    assert_eq!(world.sandbox.records("customers").await.len(), 1);
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_record_whose_sync_somebody_else_is_making_right_now_is_asked_for_all_the_same() {
    let world = World::new().await;
    let user = world.user().await;
    let sync = domain::SyncId::of(domain::SourceSystem::Upcoach, domain::EntityType::Customer, user);
    let mut other = world.pool.begin().await.expect("a transaction");
    sqlx::query("INSERT INTO sync.erp_syncs (id, source_type, source_id) VALUES ($1, 'customer', $2)")
        .bind(sync.as_uuid())
        .bind(user)
        .execute(&mut *other)
        .await
        .expect("it is being made");
    let path = format!("/api/erp/sync/customer/{user}?wait=0");
    let (answer, ()) = tokio::join!(world.post(&path), async {
        let waiting = "SELECT count(*) FROM pg_stat_activity
            WHERE datname = current_database() AND wait_event_type = 'Lock' AND $1::uuid IS NOT NULL";
        testkit::eventually(DEADLINE, "the request waits for it", || async {
            world.value::<i64>(waiting, user).await == 1
        })
        .await;
        other.commit().await.expect("it is made");
    });
    assert_eq!(answer.status, 202, "{answer:?}");
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn unknown_records_and_an_integration_that_is_off_are_told_apart() {
    let api = Api::start().await;
    let id = Uuid::new_v4();
    let asked = async |path: String| {
        let answer = api.post(&path, &json!({})).await;
        (answer.status, answer.json()["code"].as_str().expect("a code").to_owned(), answer.wrong_fields())
    };
    let path = format!("/api/erp/sync/subscription/{id}");
    assert_eq!(asked(path.clone()).await, (503, "CONFIG_NOT_FOUND".to_owned(), vec![]));
    let pool = crate::rows::superuser(&api.database).await;
    testkit::configure(&pool, "http://127.0.0.1:9").await;
    assert_eq!(asked(path.clone()).await, (404, "RESOURCE_NOT_FOUND".to_owned(), vec![]));
    sqlx::query("UPDATE config.erp_configurations SET is_enabled = false").execute(&pool).await.expect("off");
    assert_eq!(asked(path).await, (503, "CONFIG_DISABLED".to_owned(), vec!["disabledBy".to_owned()]));
    assert_eq!(asked(format!("/api/erp/sync/customer/{id}?wait=31")).await.0, 400);
    assert_eq!(asked("/api/erp/sync/customer/me".to_owned()).await.0, 400);
    let asked_for: Value =
        sqlx::query_scalar("SELECT to_jsonb(count(*)) FROM sync.requests").fetch_one(&pool).await.expect("a count");
    assert_eq!(asked_for, json!(0));
    api.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn while_the_breaker_is_open_it_is_accepted_at_once() {
    let mut world = World::new().await;
    world.sandbox.set_outage(testkit::sandbox::Outage::Cut).await;
    world.start_worker().await;
    for _ in 0..10 {
        world.user().await;
    }
    testkit::eventually(DEADLINE, "the breaker opens", || async {
        world.api.get("/api/erp/status").await.json()["circuitBreaker"]["state"] == "open"
    })
    .await;
    let user = world.user().await;
    let answer = world.post(&format!("/api/erp/sync/customer/{user}?wait=30")).await;
    let result = answer.json();
    assert_eq!(
        (answer.status, &result["success"], &result["status"]),
        (202, &json!(false), &json!("syncing")),
        "{result}"
    );
    assert_eq!(answer.header("location"), format!("/api/erp/syncs/{}", result["syncId"].as_str().expect("an id")));
    world.stop().await;
}
