//! Subscriptions: created, changed, and cancelled by FlashERP's own call.

use domain::{EntityType, SourceSystem, SyncId};
use testkit::eventually;
use testkit::sandbox::{Fault, FaultAction};
use uuid::Uuid;

use crate::kit::{SOON, World};

async fn subscription(world: &World, status: &str) -> SyncId {
    let user = world.insert_user(Some("ada@example.com")).await;
    let id = Uuid::new_v4();
    sqlx::query(
        "INSERT INTO upcoach.subscriptions (id, user_id, plan, status, billing_interval, amount, currency, current_period_start,
            current_period_end, canceled_at)
         VALUES ($1, $2, 'pro', $3, 'monthly', 4900, 'eur', '2026-11-01', '2026-12-01', CASE WHEN $3 = 'canceled' THEN now() END)",
    )
    .bind(id)
    .bind(user)
    .bind(status)
    .execute(&world.pool)
    .await
    .expect("a subscription");
    SyncId::of(SourceSystem::Upcoach, EntityType::Subscription, id)
}

const CANCEL: &str = "UPDATE upcoach.subscriptions SET status = 'canceled', canceled_at = now(), updated_at = now()";

async fn is_cancelled(world: &World) -> bool {
    world
        .sandbox
        .records("subscriptions")
        .await
        .iter()
        .all(|record| record.text("status").as_deref() == Some("canceled"))
}

#[tokio::test]
async fn a_cancellation_is_flasherps_own_call_and_made_once() {
    let world = World::new().await;
    let _worker = world.worker().await;
    let sync = subscription(&world, "active").await;
    world.sync_becomes(sync, "synced").await;
    world.run(CANCEL).await;
    eventually(SOON, "it is cancelled", || is_cancelled(&world)).await;
    world.all_synced().await;
    let calls = world.sandbox.counters().await;
    assert_eq!(calls.calls_of("DELETE /v1/subscriptions/{id}"), 1);
    assert_eq!(calls.calls_of("PUT /v1/subscriptions/{id}"), 0, "there was nothing else to tell");
    // Asked for again, it is as it should be.
    world
        .run("SELECT sync.request('subscription', array_agg(id), 'manual', true, NULL) FROM upcoach.subscriptions")
        .await;
    eventually(SOON, "it was looked at", || async {
        world.sandbox.counters().await.calls_of("GET /v1/subscriptions/{id}") == 1
    })
    .await;
    world.all_synced().await;
    assert_eq!(world.sandbox.counters().await.calls_of("DELETE /v1/subscriptions/{id}"), 1);
}

#[tokio::test]
async fn its_last_fields_are_told_before_a_subscription_is_cancelled() {
    let world = World::new().await;
    let _worker = world.worker().await;
    let sync = subscription(&world, "active").await;
    world.sync_becomes(sync, "synced").await;
    world
        .run("UPDATE upcoach.subscriptions SET amount = 9900, status = 'canceled', canceled_at = now(), updated_at = now()")
        .await;
    eventually(SOON, "it is cancelled", || is_cancelled(&world)).await;
    world.all_synced().await;
    assert_eq!(world.sandbox.records("subscriptions").await[0].json("amount"), Some("99.00"));
    let calls = world.sandbox.counters().await;
    assert_eq!((calls.calls_of("PUT /v1/subscriptions/{id}"), calls.calls_of("DELETE /v1/subscriptions/{id}")), (1, 1));
    let operations = "SELECT count(*) FROM audit.erp_audit_logs WHERE metadata->>'operation' IN ('update', 'cancel') AND status = 'success'";
    assert_eq!(world.count(operations).await, 2);
}

#[tokio::test]
async fn a_subscription_that_somebody_cancelled_in_flasherp_is_only_told_the_rest() {
    let world = World::new().await;
    let _worker = world.worker().await;
    let sync = subscription(&world, "active").await;
    let row = world.sync_becomes(sync, "synced").await;
    let id = row.target_id.expect("a target");
    world.sandbox.edit_record("subscriptions", &id, serde_json::json!({"status": "canceled"})).await;
    world.run("UPDATE upcoach.subscriptions SET amount = 100, status = 'canceled', updated_at = now()").await;
    eventually(SOON, "its amount is told", || async {
        world.sandbox.records("subscriptions").await[0].json("amount") == Some("1.00")
    })
    .await;
    world.all_synced().await;
    assert_eq!(world.sandbox.counters().await.calls_of("DELETE /v1/subscriptions/{id}"), 0);
}

#[tokio::test]
async fn a_cancelled_subscription_that_flasherp_never_had_is_created_as_such() {
    let world = World::new().await;
    let _worker = world.worker().await;
    let sync = subscription(&world, "canceled").await;
    world.sync_becomes(sync, "synced").await;
    assert!(is_cancelled(&world).await);
    assert_eq!(world.sandbox.counters().await.calls_of("DELETE /v1/subscriptions/{id}"), 0);
}

#[tokio::test]
async fn a_lost_answer_to_a_cancellation_is_looked_up() {
    let world = World::new().await;
    let _worker = world.worker().await;
    let sync = subscription(&world, "active").await;
    world.sync_becomes(sync, "synced").await;
    let cut = || Fault::new(FaultAction::CutAfterWrite).on("DELETE", "/subscriptions/{id}");
    world.sandbox.add_fault(&cut().times(4)).await;
    world.run(CANCEL).await;
    eventually(SOON, "it is unknown", || async { world.sync(sync).await.is_some_and(|row| row.outcome == "unknown") })
        .await;
    world.all_synced().await;
    assert!(is_cancelled(&world).await);
}
