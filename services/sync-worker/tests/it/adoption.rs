//! A FlashERP that knows more than we do, on day one or after a restore from backup: nothing is made a second time.

use serde_json::json;
use testkit::sandbox::Record;
use uuid::Uuid;

use crate::kit::{World, customer_created, customer_sync, payment, payment_event, transaction_sync};

/// What FlashERP holds of UpCoach's records from before there was this system: a customer, and every second payment, the amount of each fourth wrong.
async fn half_of(world: &World, user: Uuid, payments: &[Uuid]) -> u64 {
    let customer = world
        .sandbox
        .create_record(
            "customers",
            json!({"email": "ada@example.com", "name": "Ada", "upcoachReference": user.to_string()}),
        )
        .await;
    let mut made = 0;
    for (index, payment) in payments.iter().enumerate().step_by(2) {
        let amount = if index % 4 == 0 { 1 } else { 10 };
        let fields = json!({
            "customerId": customer.id(), "amount": amount, "currency": "USD", "type": "payment", "status": "completed",
            "description": "kept by finance", "upcoachReference": payment.to_string(),
        });
        world.sandbox.create_record("transactions", fields).await;
        made += 1;
    }
    made
}

async fn payments(world: &World, count: usize) -> (Uuid, Vec<Uuid>) {
    let user = world.insert_user(Some("ada@example.com")).await;
    let mut payments = Vec::new();
    for _ in 0..count {
        payments.push(world.insert_payment(user, 1000).await);
    }
    (user, payments)
}

async fn is_in_step(world: &World, payments: &[Uuid]) {
    world.all_synced().await;
    world.flasherp_has_each_once(payments.len() as u64).await;
    assert_eq!(world.sandbox.counters().await.records_of("customers"), 1);
    let records = world.sandbox.records("transactions").await;
    assert!(records.iter().all(|record| record.json("amount").is_some_and(|amount| amount.starts_with("10"))));
    let kept = records.iter().filter(|record| record.text("description").as_deref() == Some("kept by finance")).count();
    assert_eq!(kept, payments.len() / 2, "what somebody else put there stays");
}

#[tokio::test]
async fn a_flasherp_that_holds_half_of_the_records_is_adopted_without_a_double() {
    let world = World::new().await;
    let (user, payments) = payments(&world, 40).await;
    let held = half_of(&world, user, &payments).await;
    world
        .sandbox
        .create_record("customers", json!({"email": "x@example.com", "name": "X", "upcoachReference": "theirs"}))
        .await;
    world.sandbox.remove_record("customers", &last_id(&world.sandbox.records("customers").await)).await;

    let told = world.erpctl(&["adopt"]);
    assert!(told.contains("customer: 1 read, 1 adopted"), "{told}");
    assert!(told.contains(&format!("transaction: {held} read, {held} adopted, 0 known before")), "{told}");
    let before = world.sandbox.counters().await;
    let again = world.erpctl(&["adopt", "--type", "transaction"]);
    assert!(again.contains(&format!("transaction: {held} read, 0 adopted, {held} known before")), "{again}");

    let _worker = world.worker().await;
    is_in_step(&world, &payments).await;
    let after = world.sandbox.counters().await;
    let puts = after.calls_of("PUT /v1/transactions/{id}") - before.calls_of("PUT /v1/transactions/{id}");
    assert_eq!(puts, held / 2, "only what differs is written");
    assert_eq!(after.calls_of("GET /v1/transactions/{id}"), 0, "nothing adopted is looked up");
}

#[tokio::test]
async fn without_erpctl_each_record_of_before_the_enabling_is_looked_up_and_none_doubled() {
    let world = World::new().await;
    world.run("UPDATE config.erp_configurations SET adopted_at = now() + interval '1 minute'").await;
    let (user, payments) = payments(&world, 40).await;
    half_of(&world, user, &payments).await;
    let _worker = world.worker().await;
    is_in_step(&world, &payments).await;
}

#[tokio::test]
async fn adopting_beside_a_worker_doubles_nothing_and_doubles_of_before_are_told_of() {
    let world = World::new().await;
    world.run("UPDATE config.erp_configurations SET adopted_at = now() + interval '1 minute'").await;
    let (user, payments) = payments(&world, 60).await;
    half_of(&world, user, &payments).await;
    let second = json!({
        "customerId": last_id(&world.sandbox.records("customers").await), "amount": 10, "currency": "USD", "type": "payment",
        "status": "completed", "description": "a double of before", "upcoachReference": payments[0].to_string(),
    });
    world.sandbox.create_record("transactions", second).await;
    let _worker = world.worker().await;
    world.erpctl(&["adopt"]);
    world.all_synced().await;
    let told = world.erpctl(&["adopt"]);
    assert!(told.contains("transaction: 61 read, 0 adopted, 60 known before, 0 left to workers, 1 doubles"), "{told}");
    let oldest = world.sync(transaction_sync(payments[0])).await.and_then(|row| row.target_id).expect("a target");
    let records = world.sandbox.records("transactions").await;
    let first = records.iter().find(|record| record.reference() == payments[0].to_string()).map(Record::id);
    assert_eq!(first, Some(oldest));
    assert_eq!(records.len(), payments.len() + 1);
    let double =
        "SELECT count(*) FROM reconciliation.findings WHERE class = 'duplicate_in_flasherp' AND decision = 'open'";
    assert_eq!(world.count(double).await, 1, "one finding, however often it is met");
}

#[tokio::test]
async fn a_restore_to_an_hour_ago_doubles_nothing_and_what_came_since_comes_to_its_newest_state() {
    let mut world = World::new().await;
    // A FlashERP that honours keys would answer a repeated create with the record of before.
    world.sandbox.set_capabilities(&[]).await;
    // As the first enabling would have set it: all that follows is born later.
    world.run("UPDATE config.erp_configurations SET adopted_at = now() - interval '1 day'").await;
    let now = time::OffsetDateTime::now_utc().unix_timestamp();
    let born = |event: &mut serde_json::Value, at: i64| event["data"]["object"]["created"] = json!(at);
    let story = |from: u32, until: u32, at: i64, cents: i64| -> Vec<serde_json::Value> {
        let mut events: Vec<_> = (from..until).map(|n| payment_event("succeeded", n, 1, at, cents)).collect();
        for event in &mut events {
            born(event, at);
        }
        events
    };
    let mut events = vec![customer_created(1, now - 7200)];
    events.extend(story(1, 20, now - 7200, 1000));
    world.store(&events).await;
    let mut worker = world.worker().await;
    world.all_settled().await;
    world.all_synced().await;
    world.flasherp_has_each_once(19).await;
    worker.stop().await.expect("stopped");
    let backup = world.backup().await;

    // What the backup does not know.
    let mut worker = world.worker().await;
    let mut since = vec![customer_created(2, now - 1800)];
    since.extend(story(20, 40, now - 1800, 2000));
    world.store(&since).await;
    world.all_settled().await;
    world.all_synced().await;
    world.flasherp_has_each_once(39).await;
    worker.stop().await.expect("stopped");

    world.restore(backup).await;
    assert_eq!(world.count("SELECT count(*) FROM sync.erp_syncs WHERE source_type = 'transaction'").await, 19);
    let told = world.erpctl(&["restored", "--note", "backup of an hour ago", "--by", "grace"]);
    assert!(told.contains("epoch 2 of the audit log"), "{told}");
    let _worker = world.worker().await;
    // Fetched again, as missed events are; and meanwhile one has gone on.
    since.extend(story(25, 26, now, 2500));
    world.store(&since).await;
    world.all_settled().await;
    world.all_synced().await;
    world.flasherp_has_each_once(39).await;
    assert_eq!(world.sandbox.counters().await.records_of("customers"), 2);
    let records = world.sandbox.records("transactions").await;
    let amount = |n: u32| {
        let record = records.iter().find(|record| record.reference() == payment(n).to_string()).expect("it is there");
        record.json("amount").map(str::to_owned)
    };
    assert_eq!(amount(25).as_deref(), Some("25.00"));
    assert_eq!(amount(30).as_deref(), Some("20.00"));
    assert_eq!(amount(5).as_deref(), Some("10.00"));
    let audited = "SELECT count(*) FROM audit.erp_audit_logs WHERE epoch = 2 AND performed_by = 'grace'
        AND metadata @> '{\"operation\": \"database.restored\", \"epoch\": 2, \"note\": \"backup of an hour ago\"}'";
    assert_eq!(world.count(audited).await, 1);
    assert_eq!(world.count("SELECT count(*) FROM audit.erp_audit_logs WHERE epoch = 1 AND xid >= (SELECT min(xid) FROM audit.erp_audit_logs WHERE epoch = 2)").await, 0);
    assert_eq!(world.sync(customer_sync(domain::stripe_uuid("cus_2"))).await.expect("a row").sync_status, "synced");
}

fn last_id(records: &[Record]) -> String {
    records.last().map(Record::id).expect("a record")
}
