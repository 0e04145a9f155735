//! FlashERP in trouble as a whole: nothing is lost, no retry is spent that could not help, and work goes on without a hand.

use std::collections::BTreeSet;

use testkit::sandbox::{Fault, FaultAction, FaultBody, Outage, RetryAfter};
use testkit::{Service, eventually};
use uuid::Uuid;

use crate::kit::{SOON, World, customer_sync, transaction_sync};

async fn payments(world: &World, count: i64) -> Vec<Uuid> {
    let user = world.insert_user(Some("ada@example.com")).await;
    let mut payments = Vec::new();
    for cents in 1..=count {
        payments.push(world.insert_payment(user, cents).await);
    }
    payments
}

async fn gate(world: &World, what: &'static str) -> bool {
    sqlx::query_scalar(sqlx::AssertSqlSafe(format!("SELECT coalesce({what}, false) FROM sync.outbound_gate")))
        .fetch_one(&world.pool)
        .await
        .expect("the gate")
}

async fn metric(worker: &Service, name: &str) -> Option<i64> {
    let address = worker.addresses().management.expect("a management port");
    let client = reqwest::Client::builder().no_proxy().build().expect("a plain client");
    let text = client.get(format!("http://{address}/metrics")).send().await.ok()?.text().await.ok()?;
    let line = text.lines().find(|line| line.starts_with(name))?;
    line.rsplit(' ').next()?.parse().ok()
}

async fn an_outage_of(outage: Outage) {
    let world = World::new().await;
    let worker = world.worker().await;
    let before = payments(&world, 5).await;
    for payment in &before {
        world.sync_becomes(transaction_sync(*payment), "synced").await;
    }
    world.sandbox.set_outage(outage).await;
    let waiting = payments(&world, 300).await;
    eventually(SOON, "the breaker is open", || gate(&world, "state = 'open'")).await;
    eventually(SOON, "everything waits", || async {
        world.count("SELECT count(*) FROM sync.requests").await == 0
            && world.count("SELECT count(*) FROM sync.erp_syncs WHERE sync_status = 'syncing'").await == 0
    })
    .await;
    let sent = world.sandbox.counters().await.calls;
    // Each failed probe gives the next one a time of its own.
    values(&world, "retry_at::text", 3).await;
    let after = world.sandbox.counters().await.calls;
    for (operation, count) in &after {
        // Only health is asked for while it is open.
        assert!(operation.ends_with("/health") || sent.get(operation) == Some(count), "{operation} was called");
    }
    assert_eq!(world.count("SELECT sum(retry_count) FROM sync.erp_syncs").await, 0, "no retry was spent");
    eventually(SOON, "nothing counts as ready", || async {
        metric(&worker, "erp_sync_ready").await == Some(0) && metric(&worker, "erp_circuit_state").await >= Some(1)
    })
    .await;

    world.sandbox.set_outage(Outage::Off).await;
    world.all_synced().await;
    world.flasherp_has_each_once((before.len() + waiting.len()) as u64).await;
    assert!(gate(&world, "state = 'closed' AND failures = 0").await);
}

/// Waits until a column of the gate has had so many values.
async fn values(world: &World, column: &'static str, count: usize) {
    let seen = std::sync::Mutex::new(BTreeSet::new());
    eventually(SOON, "the gate has gone on", || async {
        let value: Option<String> =
            sqlx::query_scalar(sqlx::AssertSqlSafe(format!("SELECT {column} FROM sync.outbound_gate")))
                .fetch_one(&world.pool)
                .await
                .expect("the gate");
        let mut seen = seen.lock().expect("nobody panics with it");
        seen.extend(value);
        seen.len() >= count
    })
    .await;
}

#[tokio::test]
async fn an_outage_spends_no_retries_and_the_backlog_drains_by_itself() {
    an_outage_of(Outage::Unavailable).await;
}

#[tokio::test]
async fn an_outage_that_cuts_every_connection_is_no_different() {
    an_outage_of(Outage::Cut).await;
}

#[tokio::test]
async fn a_flasherp_that_is_not_there_spends_no_retries() {
    let world = World::new().await;
    let nowhere = "http://127.0.0.1:1/v1";
    let there = world.sandbox.api_url();
    world.set_base_url(nowhere).await;
    let _worker = world.worker().await;
    let waiting = payments(&world, 100).await;
    eventually(SOON, "the breaker is open", || gate(&world, "state = 'open'")).await;
    eventually(SOON, "everything waits", || async {
        world.count("SELECT count(*) FROM sync.requests").await == 0
            && world.count("SELECT count(*) FROM sync.erp_syncs WHERE sync_status = 'syncing'").await == 0
    })
    .await;
    assert_eq!(world.count("SELECT sum(retry_count) FROM sync.erp_syncs").await, 0);
    assert_eq!(world.count("SELECT count(*) FROM sync.erp_syncs WHERE outcome = 'unknown'").await, 0);
    world.set_base_url(&there).await;
    world.all_synced().await;
    world.flasherp_has_each_once(waiting.len() as u64).await;
}

#[tokio::test]
async fn while_health_passes_and_records_fail_another_one_is_probed_each_time() {
    let world = World::new().await;
    let _worker = world.worker().await;
    let user = world.insert_user(Some("ada@example.com")).await;
    world.sync_becomes(customer_sync(user), "synced").await;
    world.sandbox.add_fault(&Fault::status(500).on("POST", "/transactions")).await;
    world.sandbox.set_capabilities(&[]).await;
    for cents in 1..=20 {
        world.insert_payment(user, cents).await;
    }
    values(&world, "last_probe::text", 3).await;
    world.sandbox.clear_faults().await;
    world.all_synced().await;
    world.flasherp_has_each_once(20).await;
}

#[tokio::test]
async fn one_record_that_always_fails_delays_nobody() {
    let world = World::new().await;
    world.sandbox.set_capabilities(&[]).await;
    let _worker = world.worker().await;
    let bad = payments(&world, 1).await[0];
    world.sync_becomes(transaction_sync(bad), "synced").await;
    world.sandbox.add_fault(&Fault::status(500).on("PUT", "/transactions/{id}")).await;
    world.run("UPDATE upcoach.transactions SET amount = 999").await;
    eventually(SOON, "it fails again and again", || async {
        world.sync(transaction_sync(bad)).await.is_some_and(|row| row.retry_count >= 2)
    })
    .await;
    for payment in payments(&world, 50).await {
        world.sync_becomes(transaction_sync(payment), "synced").await;
    }
    assert!(gate(&world, "state = 'closed'").await);
    world.sandbox.clear_faults().await;
    sqlx::query("SELECT sync.retry(ARRAY[$1])")
        .bind(transaction_sync(bad).as_uuid())
        .execute(&world.pool)
        .await
        .expect("retried by hand");
    world.all_synced().await;
    world.flasherp_has_each_once(51).await;
}

#[tokio::test]
async fn refused_credentials_stop_everything_and_no_record_fails_for_it() {
    let world = World::new().await;
    world.set_api_key("not-the-key").await;
    let _worker = world.worker().await;
    let waiting = payments(&world, 20).await;
    eventually(SOON, "everything has stopped", || gate(&world, "stopped_reason = 'INVALID_API_KEY'")).await;
    eventually(SOON, "everything waits", || async {
        world.count("SELECT count(*) FROM sync.requests").await == 0
            && world.count("SELECT count(*) FROM sync.erp_syncs WHERE sync_status = 'syncing'").await == 0
    })
    .await;
    assert_eq!(world.count("SELECT count(*) FROM sync.erp_syncs WHERE sync_status <> 'pending'").await, 0);
    assert_eq!(world.count("SELECT sum(retry_count) FROM sync.erp_syncs").await, 0);
    assert_eq!(world.count("SELECT count(*) FROM config.erp_configurations WHERE health_status = 'down'").await, 1);
    world.set_api_key("sandbox-key").await;
    world.all_synced().await;
    world.flasherp_has_each_once(waiting.len() as u64).await;
    assert!(gate(&world, "stopped_reason IS NULL").await);
}

#[tokio::test]
async fn a_quota_holds_everyone_and_no_record_pays_for_it() {
    let world = World::new().await;
    let retry_after = Some(RetryAfter::Seconds(11));
    let action = FaultAction::Status { status: 429, body: FaultBody::Json, retry_after, after_write: false };
    world.sandbox.add_fault(&Fault::new(action).times(1)).await;
    let _worker = world.worker().await;
    let waiting = payments(&world, 10).await;
    eventually(SOON, "everyone waits", || gate(&world, "not_before > clock_timestamp()")).await;
    assert_eq!(world.sandbox.counters().await.records_of("transactions"), 0);
    world.all_synced().await;
    assert!(gate(&world, "not_before <= clock_timestamp()").await, "nothing was sent before");
    world.flasherp_has_each_once(waiting.len() as u64).await;
    let spent = "SELECT count(*) FROM audit.erp_audit_logs WHERE (metadata->>'retryCount')::int > 0";
    assert_eq!(world.count(spent).await, 0);
}
