//! Inbound: stored events become users and transactions, each exactly once.

use domain::stripe_uuid;

use crate::kit::{SOON, World, customer_created, customer_event, payment, payment_event};
use testkit::{Service, eventually};

async fn transaction_status(world: &World, n: u32) -> Option<(String, i64)> {
    sqlx::query_as("SELECT status, amount FROM upcoach.transactions WHERE id = $1")
        .bind(payment(n))
        .fetch_optional(&world.pool)
        .await
        .expect("transactions can be read")
}

#[tokio::test]
async fn a_stripe_payment_arrives_in_flasherp_with_its_customer() {
    let world = World::new().await;
    let _worker = world.worker().await;
    world.store(&[customer_created(1, 100), payment_event("succeeded", 1, 1, 101, 1099)]).await;
    world.all_settled().await;
    world.all_synced().await;

    let transactions = world.sandbox.records("transactions").await;
    let customers = world.sandbox.records("customers").await;
    assert_eq!((transactions.len(), customers.len()), (1, 1));
    assert_eq!(transactions[0].json("amount"), Some("10.99"));
    assert_eq!(transactions[0].text("currency").as_deref(), Some("USD"));
    assert_eq!(transactions[0].text("status").as_deref(), Some("completed"));
    assert_eq!(transactions[0].text("customerId"), Some(customers[0].id()));
    assert_eq!(transactions[0].reference(), payment(1).to_string());
    assert_eq!(customers[0].reference(), stripe_uuid("cus_1").to_string());
    assert_eq!(
        world.count("SELECT count(*) FROM audit.erp_audit_logs WHERE action = 'sync' AND status = 'success'").await,
        2
    );
    assert_eq!(world.count("SELECT count(*) FROM audit.erp_audit_logs WHERE action = 'webhook_received'").await, 2);
}

#[tokio::test]
async fn a_payment_that_comes_before_its_customer_is_parked_and_applied_when_the_customer_appears() {
    let world = World::new().await;
    let _worker = world.worker().await;
    world.store(&[payment_event("succeeded", 1, 1, 101, 500)]).await;
    eventually(SOON, "the payment is parked", || async {
        world.count("SELECT count(*) FROM ingress.webhook_events WHERE wait_key = 'stripe_customer:cus_1'").await == 1
    })
    .await;
    assert_eq!(transaction_status(&world, 1).await, None);

    world.store(&[customer_created(1, 100)]).await;
    eventually(SOON, "the payment is applied", || async {
        world.count("SELECT count(*) FROM ingress.webhook_events WHERE status = 'applied'").await == 2
    })
    .await;
    assert_eq!(transaction_status(&world, 1).await, Some(("completed".to_owned(), 500)));
}

#[tokio::test]
async fn older_state_that_comes_later_changes_nothing() {
    let world = World::new().await;
    let worker = world.worker().await;
    world
        .store(&[
            customer_event("updated", 1, 200, "new@example.com"),
            payment_event("succeeded", 1, 1, 200, 1000),
            // of the same second: a success is final
            payment_event("payment_failed", 1, 1, 200, 1000),
        ])
        .await;
    world.all_settled().await;
    world
        .store(&[customer_event("updated", 1, 199, "old@example.com"), payment_event("payment_failed", 1, 1, 199, 900)])
        .await;
    world.all_settled().await;
    drop(worker);

    assert_eq!(transaction_status(&world, 1).await, Some(("completed".to_owned(), 1000)));
    let email: String =
        sqlx::query_scalar("SELECT email FROM upcoach.users").fetch_one(&world.pool).await.expect("one user");
    assert_eq!(email, "new@example.com");
}

#[tokio::test]
async fn an_event_that_cannot_be_applied_stops_no_other_and_waits_for_a_replay() {
    let world = World::new().await;
    let too_long = format!("{}@example.com", "x".repeat(400));
    world
        .store(&[customer_created(1, 100), customer_event("created", 2, 100, &too_long), customer_created(3, 100)])
        .await;
    let _worker = world.worker().await;
    eventually(SOON, "the good ones are applied", || async {
        world.count("SELECT count(*) FROM ingress.webhook_events WHERE status = 'applied'").await == 2
    })
    .await;
    eventually(SOON, "the poison one has been tried", || async {
        world
            .count("SELECT count(*) FROM ingress.webhook_events WHERE attempts > 0 AND error_code = 'INTERNAL_ERROR'")
            .await
            == 1
    })
    .await;
    assert_eq!(world.count("SELECT count(*) FROM upcoach.users").await, 2);
}

#[tokio::test]
async fn what_cannot_be_read_is_quarantined_with_the_reason_and_other_types_are_kept() {
    let world = World::new().await;
    let mut unreadable = payment_event("succeeded", 1, 1, 100, 100);
    unreadable["data"]["object"]["amount"] = "a lot".into();
    let mut other = customer_created(1, 100);
    other["type"] = "charge.captured".into();
    other["id"] = "evt_other".into();
    world.store(&[unreadable, other]).await;
    let _worker = world.worker().await;
    world.all_settled().await;

    let rows: Vec<(String, Option<String>)> =
        sqlx::query_as("SELECT status::text, error FROM ingress.webhook_events ORDER BY id")
            .fetch_all(&world.pool)
            .await
            .expect("rows");
    assert_eq!(rows[0].0, "quarantined");
    let reason = rows[0].1.as_deref().expect("a reason");
    assert!(reason.contains("payment_intent") && !reason.contains("a lot"), "{reason}");
    assert_eq!(rows[1], ("ignored".to_owned(), None));
}

#[tokio::test]
async fn two_workers_apply_each_of_many_shuffled_events_once() {
    let world = World::new().await;
    let mut events = Vec::new();
    for n in 0..60 {
        // payments first for odd ones, so that they are parked and woken under contention
        let pair = [customer_created(n, 100), payment_event("succeeded", n, n, 101, 100 + i64::from(n))];
        if n % 2 == 0 { events.extend(pair) } else { events.extend(pair.into_iter().rev()) }
    }
    world.store(&events).await;
    let one = Service::start(world.worker_options("one").env("SYNC_APPLY_BATCH", "7")).await.expect("a worker");
    let two = Service::start(world.worker_options("two").env("SYNC_APPLY_BATCH", "7")).await.expect("a worker");
    eventually(SOON, "all are applied", || async {
        world.count("SELECT count(*) FROM ingress.webhook_events WHERE status = 'applied'").await == 120
    })
    .await;
    world.all_synced().await;
    drop((one, two));

    assert_eq!(world.count("SELECT count(*) FROM upcoach.transactions").await, 60);
    assert_eq!(
        world.count("SELECT count(*) FROM audit.erp_audit_logs WHERE metadata ->> 'status' = 'applied'").await,
        120
    );
    world.flasherp_has_each_once(60).await;
    assert_eq!(world.sandbox.counters().await.records_of("customers"), 60);
}
