//! The gate to FlashERP, shut in the middle of a run: by an outage that opens the breaker, and by hand.

use std::time::Duration;

use serde_json::json;
use testkit::sandbox::Outage;
use testkit::{Service, eventually};
use uuid::Uuid;

use crate::kit::{SOON, World};

const BREAKER: &str = "SELECT count(*) FROM sync.outbound_gate WHERE state = 'open'";

/// Two that differ: one in the oldest pages, which are read, and one in the newest, which are not.
async fn two_differ(world: &World) {
    world.long_ago().await;
    world.edit(&world.ledger.entry(100), json!({"amount": 1})).await;
    world.sandbox.remove_record("transactions", &world.ledger.entry(5_900).target).await;
    world.now().await;
}

/// A reconciler with the breaker as it is by default, and so much patience, in the middle of its pages.
async fn in_the_middle(world: &World, patience_secs: &str) -> (Service, Uuid) {
    let slow = Duration::from_millis(300);
    world.sandbox.set_latency(slow, slow).await;
    let options = world
        .reconciler_options("reconciler")
        .env("RECONCILIATION_SLICES", "2")
        .env("RECONCILIATION_PATIENCE_SECS", patience_secs);
    let reconciler = world.start(options).await;
    let run = world.ask(&["transaction"], false, 0).await;
    eventually(SOON, "pages are stored", || async {
        world.count("SELECT coalesce(sum(records), 0)::bigint FROM reconciliation.slices").await >= 1_000
    })
    .await;
    (reconciler, run)
}

#[tokio::test]
async fn a_run_waits_for_the_breaker_that_an_outage_has_opened_and_ends_whole() {
    let world = World::new(6_000).await;
    two_differ(&world).await;
    let (_reconciler, run) = in_the_middle(&world, "600").await;
    world.sandbox.set_outage(Outage::Cut).await;
    eventually(SOON, "the breaker is open", || async { world.count(BREAKER).await == 1 }).await;
    let read = world.sandbox.counters().await.calls_of("GET /v1/transactions");
    world.sandbox.set_outage(Outage::Off).await;
    world.sandbox.set_latency(Duration::ZERO, Duration::ZERO).await;
    assert_eq!(world.count("SELECT count(*) FROM reconciliation.runs WHERE finished_at IS NULL").await, 1);

    // A worker tries FlashERP out when the minute is over; it is over now.
    let _worker = world.worker().await;
    sqlx::query(
        "UPDATE sync.outbound_gate SET retry_at = clock_timestamp(), version = version + 1 WHERE state = 'open'",
    )
    .execute(&world.pool)
    .await
    .expect("a minute later");
    let ended = world.ended(run).await;
    assert_eq!((ended.status.as_str(), ended.proven, &ended.error), ("completed", Some(true), &None), "{ended:?}");
    let found: Vec<(String, i64)> = world.open(run).await.into_iter().collect();
    assert_eq!(found, [("mismatch".to_owned(), 1), ("missing_in_flasherp".to_owned(), 1)], "{ended:?}");
    let all = world.sandbox.counters().await.calls_of("GET /v1/transactions");
    assert!(all > read && all <= 24, "what was stored was not read again: {all} calls");
}

#[tokio::test]
async fn a_run_whose_patience_ends_before_the_outage_does_says_nothing_of_what_is_missing() {
    let world = World::new(6_000).await;
    two_differ(&world).await;
    let (mut reconciler, run) = in_the_middle(&world, "3").await;
    world.sandbox.set_outage(Outage::Unavailable).await;
    let ended = world.ended(run).await;
    reconciler.stop().await.expect("stopped in order");
    assert_eq!(world.count(BREAKER).await, 1);
    assert_ne!((ended.status.as_str(), ended.proven), ("completed", Some(true)), "{ended:?}");
    assert!(matches!(ended.status.as_str(), "incomplete" | "failed") && ended.error.is_some(), "{ended:?}");
    // The mismatch could not be read again.
    assert_eq!(world.open(run).await.len(), 0, "{ended:?}");

    world.sandbox.set_outage(Outage::Off).await;
    world.sandbox.set_latency(Duration::ZERO, Duration::ZERO).await;
    let _worker = world.worker().await;
    sqlx::query(
        "UPDATE sync.outbound_gate SET retry_at = clock_timestamp(), version = version + 1 WHERE state = 'open'",
    )
    .execute(&world.pool)
    .await
    .expect("a minute later");
    eventually(SOON, "the breaker is closed", || async {
        world.count("SELECT count(*) FROM sync.outbound_gate WHERE state = 'closed'").await == 1
    })
    .await;
    let _patient = world.start(world.reconciler_options("patient").env("RECONCILIATION_PATIENCE_SECS", "600")).await;
    let whole = world.reconcile().await;
    assert_eq!((whole.status.as_str(), whole.proven), ("completed", Some(true)), "{whole:?}");
    assert_eq!(world.open(whole.id).await.len(), 2, "{whole:?}");
}

#[tokio::test]
async fn while_outbound_work_is_paused_by_hand_a_run_reads_on_to_its_end() {
    let world = World::new(6_000).await;
    two_differ(&world).await;
    let (_reconciler, run) = in_the_middle(&world, "3").await;
    let paused = "UPDATE sync.outbound_gate SET paused_at = clock_timestamp(), paused_by = 'ada', pause_reason = 'year end', version = version + 1";
    sqlx::query(paused).execute(&world.pool).await.expect("paused");
    world.sandbox.set_latency(Duration::ZERO, Duration::ZERO).await;
    let ended = world.ended(run).await;
    assert_eq!((ended.status.as_str(), ended.proven, &ended.error), ("completed", Some(true), &None), "{ended:?}");
    assert_eq!(world.open(run).await.len(), 2, "{ended:?}");
    assert_eq!(
        world.count("SELECT count(*) FROM sync.outbound_gate WHERE paused_at IS NOT NULL AND state = 'closed'").await,
        1
    );
}
