//! What Stripe's events leave open and its API tells: fees, ties, refunds that are counted and not listed. The applying of events never waits for it.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use testkit::sandbox::StripeSend;
use testkit::{Service, eventually};

use crate::kit::{SOON, STRIPE_KEY, World, customer_event};

/// Stories of every plot that have happened, told by nobody yet; the send's number, and their events, oldest first.
async fn stories(world: &World, shape: &str) -> (u64, Vec<Value>) {
    let order = StripeSend {
        count: 22,
        seed: Some(5),
        stories: Some(vec!["all".to_owned()]),
        created: Some("2026-01-01T00:00:00Z".to_owned()),
        miss_rate: Some(1.0),
        api_shape: Some(shape.to_owned()),
        ..StripeSend::default()
    };
    let send = world.sandbox.send_stripe(&order).await;
    world.sandbox.wait_send_done(send.id, SOON).await;
    (send.id, world.sandbox.stripe_events(STRIPE_KEY).await)
}

fn is_of_refund(event: &Value) -> bool {
    let kind = event["type"].as_str().unwrap_or_default();
    kind.starts_with("refund.") || kind == "charge.refund.updated"
}

async fn asking_worker(world: &World) -> Service {
    Service::start(world.asking_worker_options("worker")).await.expect("the worker starts")
}

async fn all_read(world: &World) {
    eventually(SOON, "everything asked for is read", || async {
        world.count("SELECT count(*) FROM sync.stripe_reads").await == 0
            && world.count("SELECT count(*) FROM ingress.webhook_events WHERE status = 'received'").await == 0
    })
    .await;
}

/// Fee and net of every payment that went through, by charge, as Stripe's balance has them.
async fn fees_at_stripe(world: &World, send: u64) -> BTreeMap<String, (i64, i64)> {
    let number = |value: &Value| value.as_i64().expect("a whole number");
    let of_charge = |booking: &Value| {
        let source = booking["source"].as_str().filter(|_| booking["type"] == "charge")?;
        Some((source.to_owned(), (number(&booking["fee"]), number(&booking["net"]))))
    };
    world.sandbox.stripe_objects(send, "balance_transaction").await.iter().filter_map(of_charge).collect()
}

async fn fees_here(world: &World) -> BTreeMap<String, (i64, i64)> {
    let rows: Vec<(String, i64, i64)> = sqlx::query_as(
        "SELECT stripe_charge_id, fee, net FROM upcoach.transactions WHERE type = 'payment' AND fee IS NOT NULL",
    )
    .fetch_all(&world.pool)
    .await
    .expect("the fees");
    rows.into_iter().map(|(charge, fee, net)| (charge, (fee, net))).collect()
}

#[tokio::test]
async fn with_a_key_every_payment_gets_its_fee_and_without_none() {
    let world = World::new().await;
    let (send, events) = stories(&world, "current").await;
    let mut worker = world.worker().await;
    world.store(&events).await;
    world.all_settled().await;
    assert_eq!(world.count("SELECT count(*) FROM sync.stripe_reads").await, 0, "nobody could read it");
    assert!(fees_here(&world).await.is_empty());
    worker.stop().await.expect("stopped");

    let _asking = asking_worker(&world).await;
    world.run("SELECT ingress.replay(NULL, 'stripe', NULL, now() - interval '1 day', 10000)").await;
    world.all_settled().await;
    all_read(&world).await;
    let expected = fees_at_stripe(&world, send).await;
    assert!(expected.len() > 10, "{expected:?}");
    assert_eq!(fees_here(&world).await, expected);
    let sums = "SELECT count(*) FROM upcoach.transactions WHERE fee IS NOT NULL AND fee + net <> amount";
    assert_eq!(world.count(sums).await, 0);
}

#[tokio::test]
async fn a_stripe_that_is_down_holds_no_event_up_and_its_fees_come_later() {
    let world = World::new().await;
    let (send, events) = stories(&world, "legacy").await;
    let _worker = asking_worker(&world).await;
    world.sandbox.set_stripe_outage(Some(500), None).await;
    world.store(&events).await;
    world.all_settled().await;
    assert_eq!(world.count("SELECT count(*) FROM ingress.webhook_events WHERE status = 'parked'").await, 0);
    assert!(world.count("SELECT count(*) FROM sync.stripe_reads").await > 10);
    eventually(SOON, "Stripe was asked in vain", || async {
        world.count("SELECT count(*) FROM sync.stripe_reads WHERE error IS NOT NULL").await > 0
    })
    .await;
    world.sandbox.set_stripe_outage(None, None).await;
    world.run("UPDATE sync.stripe_reads SET due_at = now()").await;
    all_read(&world).await;
    assert_eq!(fees_here(&world).await, fees_at_stripe(&world, send).await);
}

async fn refunds_here(world: &World) -> BTreeMap<String, (i64, String)> {
    let rows: Vec<(String, i64, String)> =
        sqlx::query_as("SELECT stripe_refund_id, amount, status FROM upcoach.transactions WHERE type = 'refund'")
            .fetch_all(&world.pool)
            .await
            .expect("the refunds");
    rows.into_iter().map(|(id, amount, status)| (id, (amount, status))).collect()
}

/// `charge.refunded` is all that is told of refunds.
async fn only_the_charge_tells_of_refunds(shape: &str) {
    let world = World::new().await;
    let (send, events) = stories(&world, shape).await;
    let told: Vec<Value> = events.into_iter().filter(|event| !is_of_refund(event)).collect();
    let mut worker = world.worker().await;
    world.store(&told).await;
    world.all_settled().await;
    // Without a key nothing is made up, and nothing is forgotten: what is not known yet waits, and is shown.
    assert!(refunds_here(&world).await.is_empty());
    let waiting =
        "SELECT count(*) FROM ingress.webhook_events WHERE status = 'parked' AND event_type = 'charge.refunded'";
    assert!(world.count(waiting).await >= 3);
    worker.stop().await.expect("stopped");

    let _asking = asking_worker(&world).await;
    world.run("SELECT ingress.replay(NULL, 'stripe', 'parked', now() - interval '1 day', 10000)").await;
    eventually(SOON, "nothing waits any more", || async {
        world.count("SELECT count(*) FROM ingress.webhook_events WHERE status IN ('parked', 'received')").await == 0
    })
    .await;
    all_read(&world).await;
    let word = |status: &str| match status {
        "succeeded" => "completed",
        "failed" | "canceled" => "failed",
        _ => "pending",
    };
    let at_stripe: BTreeMap<String, (i64, String)> = world
        .sandbox
        .stripe_objects(send, "refund")
        .await
        .iter()
        .map(|refund| {
            let text = |name: &str| refund[name].as_str().expect("a text").to_owned();
            (text("id"), (refund["amount"].as_i64().expect("whole"), word(&text("status")).to_owned()))
        })
        .collect();
    assert!(at_stripe.len() >= 4, "{at_stripe:?}");
    assert_eq!(refunds_here(&world).await, at_stripe);
    let sums = "SELECT count(*) FROM upcoach.transactions p WHERE p.type = 'payment' AND p.refunded_amount <> (
        SELECT coalesce(sum(amount), 0) FROM upcoach.transactions r WHERE r.original_id = p.id AND r.type = 'refund' AND r.status = 'completed')";
    assert_eq!(world.count(sums).await, 0);
}

#[tokio::test]
async fn refunds_of_which_only_their_charge_tells_are_read_or_waited_for() {
    only_the_charge_tells_of_refunds("current").await;
}

#[tokio::test]
async fn the_same_before_2025_03_31() {
    only_the_charge_tells_of_refunds("legacy").await;
}

#[tokio::test]
async fn of_two_states_of_one_second_stripes_own_word_decides() {
    let world = World::new().await;
    let (send, events) = stories(&world, "current").await;
    let customer = world.sandbox.stripe_objects(send, "customer").await.remove(0);
    let (id, name) = (customer["id"].as_str().expect("an id"), customer["name"].as_str().expect("a name"));
    let born = events
        .iter()
        .find(|event| event["type"] == "customer.created" && event["data"]["object"]["id"] == id)
        .expect("it was told of")
        .clone();
    // Neither says what it replaced.
    let renamed = |nth: u32, name: &str| {
        let mut event = customer_event("updated", nth, 1_800_000_000, "x@example.com");
        event["data"]["object"] = born["data"]["object"].clone();
        event["data"]["object"]["name"] = json!(name);
        event
    };
    let _worker = asking_worker(&world).await;
    world.run("UPDATE config.erp_configurations SET is_enabled = false").await;
    world.store(&[born.clone(), renamed(1, "Zoe"), renamed(2, "Ann")]).await;
    // The second lies ahead; what is read then is read when it is over.
    world.all_settled().await;
    assert_eq!(
        world.count("SELECT count(*) FROM sync.stripe_reads WHERE what = 'customer' AND due_at > now()").await,
        1
    );
    world.run("UPDATE sync.stripe_reads SET due_at = now()").await;
    all_read(&world).await;
    let here: Option<String> = sqlx::query_scalar("SELECT name FROM upcoach.users WHERE stripe_customer_id = $1")
        .bind(id)
        .fetch_one(&world.pool)
        .await
        .expect("the user");
    assert_eq!(here.as_deref(), Some(name));
}

/// A worker that dies when it comes to `point`; the next one ends it.
async fn dies_at(point: &str) {
    let world = World::new().await;
    let (send, events) = stories(&world, "current").await;
    let fatal = world.asking_worker_options("dying").env("ERP_FAILPOINT", format!("{point}:2"));
    let mut dying = Service::start(fatal).await.unwrap_or_else(|error| panic!("has it failpoints? {error}"));
    world.store(&events).await;
    let end = dying.until_ended(SOON).await.unwrap_or_else(|error| panic!("it never came to {point}: {error}"));
    assert!(end.contains("signal: 6"), "{end}");
    let _next = asking_worker(&world).await;
    // Not in the time of a lease.
    world.run("UPDATE sync.stripe_reads SET due_at = now()").await;
    world.all_settled().await;
    all_read(&world).await;
    assert_eq!(fees_here(&world).await, fees_at_stripe(&world, send).await);
    let doubled =
        "SELECT count(*) FROM (SELECT FROM ingress.webhook_events GROUP BY event_id HAVING count(*) > 1) AS twice";
    assert_eq!(world.count(doubled).await, 0);
}

#[tokio::test]
async fn a_worker_that_dies_with_an_object_read_and_not_stored_leaves_it_to_be_read() {
    dies_at("reads.before_commit").await;
}

#[tokio::test]
async fn a_worker_that_dies_with_an_object_stored_and_not_applied_leaves_it_to_be_applied() {
    dies_at("reads.after_commit").await;
}
