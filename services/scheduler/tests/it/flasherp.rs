//! What changed in FlashERP and no webhook told of.

use serde_json::json;
use testkit::Service;
use uuid::Uuid;

use crate::kit::{PULL, World};

/// A user in step with FlashERP, and its record there.
async fn customer(world: &World) -> (Uuid, String) {
    let user = Uuid::new_v4();
    sqlx::query("INSERT INTO upcoach.users (id, email, name) VALUES ($1, 'ada@example.com', 'Ada')")
        .bind(user)
        .execute(&world.pool)
        .await
        .expect("a user");
    // Customers alone are sent when something of theirs is.
    sqlx::query(
        "INSERT INTO upcoach.transactions (id, user_id, type, status, amount, currency)
         VALUES (gen_random_uuid(), $1, 'payment', 'pending', 1099, 'usd')",
    )
    .bind(user)
    .execute(&world.pool)
    .await
    .expect("a transaction");
    world.all_synced().await;
    let target: String =
        sqlx::query_scalar("SELECT target_id FROM sync.erp_syncs WHERE source_type = 'customer' AND source_id = $1")
            .bind(user)
            .fetch_one(&world.pool)
            .await
            .expect("it is in FlashERP");
    (user, target)
}

async fn started(world: &World) -> [Service; 2] {
    [world.worker().await, world.scheduler().await]
}

#[tokio::test]
async fn a_change_that_no_webhook_told_of_is_found_and_merged_once_and_our_own_writes_are_not_news() {
    let world = World::new().await;
    let _services = started(&world).await;
    let (_, target) = customer(&world).await;
    let run = world.run_job(PULL).await;
    assert_eq!((run.status.as_str(), run.number("flasherp", "found")), ("succeeded", 0), "{run:?}");
    assert!(run.number("flasherp", "read") >= 2, "{run:?}");

    world.sandbox.edit_record("customers", &target, json!({"name": "Ada Lovelace"})).await;
    let run = world.run_job(PULL).await;
    assert_eq!(run.number("flasherp", "found"), 1);
    world.all_settled().await;
    assert_eq!(world.text("SELECT name FROM upcoach.users").await.as_deref(), Some("Ada Lovelace"));
    assert_eq!(world.run_job(PULL).await.number("flasherp", "found"), 0);
    let events =
        "SELECT count(*) FROM ingress.webhook_events WHERE source = 'flasherp' AND event_id LIKE 'pull:customer:%'";
    assert_eq!(world.count(events).await, 1);
}

#[tokio::test]
async fn a_change_that_our_own_write_overtook_is_found() {
    let world = World::new().await;
    let _services = started(&world).await;
    let (_, target) = customer(&world).await;
    world.sandbox.edit_record("customers", &target, json!({"email": "new@example.com"})).await;
    world.run("UPDATE upcoach.users SET name = 'Countess'").await;
    world.all_synced().await;
    world.run_job(PULL).await;
    world.all_settled().await;
    assert_eq!(world.text("SELECT email FROM upcoach.users").await.as_deref(), Some("new@example.com"));
    assert_eq!(world.text("SELECT name FROM upcoach.users").await.as_deref(), Some("Countess"));
}

#[tokio::test]
async fn an_invoice_that_finance_made_and_that_was_paid_completes_the_transaction_it_names() {
    let world = World::new().await;
    let _services = started(&world).await;
    let (_, customer) = customer(&world).await;
    let transaction = world.text("SELECT id::text FROM upcoach.transactions").await.expect("one");
    let invoice = world
        .sandbox
        .create_record(
            "invoices",
            json!({"upcoachReference": "F-1", "customerId": customer, "amount": 10.99, "currency": "USD", "status": "open",
                "dueDate": "2026-12-24T00:00:00Z", "metadata": {"upcoachTransactionId": transaction}}),
        )
        .await;
    world.run_job(PULL).await;
    world.all_settled().await;
    assert_eq!(
        world.text("SELECT origin || ' ' || status FROM upcoach.invoices").await.as_deref(),
        Some("flasherp open")
    );
    world.sandbox.edit_record("invoices", &invoice.id(), json!({"status": "paid"})).await;
    world.run_job(PULL).await;
    world.all_settled().await;
    assert_eq!(world.text("SELECT status::text FROM upcoach.invoices").await.as_deref(), Some("paid"));
    assert_eq!(world.text("SELECT status::text FROM upcoach.transactions").await.as_deref(), Some("completed"));
}

#[tokio::test]
async fn a_payment_that_failed_in_flasherp_is_found() {
    let world = World::new().await;
    let _services = started(&world).await;
    customer(&world).await;
    let target =
        world.text("SELECT target_id FROM sync.erp_syncs WHERE source_type = 'transaction'").await.expect("one");
    world.sandbox.edit_record("transactions", &target, json!({"status": "failed"})).await;
    let run = world.run_job(PULL).await;
    assert_eq!(run.number("flasherp", "found"), 1, "{run:?}");
    world.all_settled().await;
    assert_eq!(world.text("SELECT status::text FROM upcoach.transactions").await.as_deref(), Some("failed"));
}

#[tokio::test]
async fn all_pages_are_read_and_flasherps_own_customers_are_not_ours() {
    let world = World::new().await;
    let _services = started(&world).await;
    for n in 0..450 {
        world
            .sandbox
            .create_record("customers", json!({"upcoachReference": format!("theirs-{n}"), "name": format!("C {n}"), "email": format!("c{n}@example.com")}))
            .await;
    }
    let run = world.run_job(PULL).await;
    assert_eq!((run.number("flasherp", "read"), run.number("flasherp", "found")), (450, 0), "{run:?}");
    assert_eq!(world.sandbox.counters().await.calls_of("GET /v1/customers"), 3);
}

#[tokio::test]
async fn a_flasherp_without_updated_since_or_switched_off_is_not_asked() {
    let world = World::new().await;
    let _services = started(&world).await;
    let skipped = async || {
        let run = world.run_job(PULL).await;
        assert_eq!(run.status, "succeeded");
        run.result.expect("a result")["flasherp"]["skipped"].as_str().map(str::to_owned)
    };
    world.sandbox.set_capabilities(&[]).await;
    assert_eq!(skipped().await.as_deref(), Some("this FlashERP has no updatedSince"));
    world.run("UPDATE config.erp_configurations SET is_enabled = false").await;
    testkit::eventually(crate::kit::SOON, "the scheduler has heard of it", async || {
        skipped().await.as_deref() == Some("the integration is not switched on")
    })
    .await;
}

#[tokio::test]
async fn another_flasherp_is_read_from_where_it_was_adopted() {
    let world = World::new().await;
    let _services = started(&world).await;
    world.run_job(PULL).await;
    let cursor = world.cursor("flasherp").await.expect("a cursor");
    assert_eq!(cursor["baseUrl"], world.sandbox.api_url());
    let elsewhere = "UPDATE scheduling.jobs SET resume_after = jsonb_set(resume_after, '{flasherp,baseUrl}', '\"https://other.example.com/v1\"')";
    world.run(elsewhere).await;
    let (_, target) = customer(&world).await;
    world.sandbox.edit_record("customers", &target, json!({"name": "Grace"})).await;
    // A cursor far ahead, but another FlashERP's.
    world.run("UPDATE scheduling.jobs SET resume_after = jsonb_set(resume_after, '{flasherp,until,customer}', to_jsonb(now() + interval '1 day'))").await;
    assert_eq!(world.run_job(PULL).await.number("flasherp", "found"), 1);
    assert_eq!(world.cursor("flasherp").await.expect("a cursor")["baseUrl"], world.sandbox.api_url());
}
