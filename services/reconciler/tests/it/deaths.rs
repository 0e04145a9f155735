//! A reconciler that dies at each point of a run, a FlashERP that can't be read or forgets its cursors, a database that crashes: the run goes on, finds
//! what there is to find, once, and says nothing that it does not know.

use std::collections::BTreeMap;

use rand::rngs::StdRng;
use rand::{Rng as _, SeedableRng as _};
use rstest::rstest;
use serde_json::json;
use testkit::Service;
use testkit::sandbox::Fault;

use crate::kit::{SOON, World};

/// Transactions in which three differ, each in another way.
async fn three_differ(world: &World) {
    world.long_ago().await;
    world.sandbox.remove_record("transactions", &world.ledger.entry(100).target).await;
    world.edit(&world.ledger.entry(2_000), json!({"amount": 1})).await;
    world.create(&world.ledger.entry(900), world.ledger.entry(900).id).await;
    world.now().await;
}

fn three() -> BTreeMap<String, i64> {
    ["missing_in_flasherp", "mismatch", "duplicate_in_flasherp"]
        .into_iter()
        .map(|class| (class.to_owned(), 1))
        .collect()
}

#[rstest]
#[case::with_the_first_page_fetched_and_not_stored("reconciler.page_fetched", 1)]
#[case::with_a_page_stored("reconciler.page_stored", 1)]
#[case::in_the_middle_of_the_pages("reconciler.page_stored", 8)]
#[case::with_all_compared_and_not_written("reconciler.before_compared", 1)]
#[case::with_all_compared("reconciler.compared", 1)]
#[case::with_a_batch_of_differences_judged("reconciler.batch_verified", 1)]
#[case::before_the_end_is_written("reconciler.before_finish", 1)]
#[case::with_the_end_written_and_its_hint_not_sent("reconciler.before_hint", 1)]
#[case::with_the_end_written("reconciler.after_finish", 1)]
#[tokio::test]
async fn the_next_one_goes_on_with_the_run(#[case] point: &str, #[case] pass: u32) {
    let world = World::new(6_000).await;
    three_differ(&world).await;
    let run = world.ask(&["transaction"], false, 0).await;
    let options = |name: &str| world.reconciler_options(name).env("RECONCILIATION_SLICES", "1");
    let fatal = options("dying").env("ERP_FAILPOINT", format!("{point}:{pass}"));
    let mut dying = Service::start(fatal)
        .await
        .unwrap_or_else(|error| panic!("does the program have failpoints, as `./justw test` builds it? {error}"));
    let end = dying.until_ended(SOON).await.unwrap_or_else(|error| panic!("it never came to {point}: {error}"));
    assert!(end.contains("signal: 6"), "it ended otherwise than at {point}: {end}");

    let _next = world.start(options("next")).await;
    let ended = world.ended(run).await;
    assert_eq!((ended.status.as_str(), ended.proven), ("completed", Some(true)), "{ended:?}");
    assert_eq!(world.open(run).await, three(), "after {point}");
    testkit::eventually(SOON, "the end is told, once", || async {
        world.count("SELECT count(*) FROM reconciliation.outbox").await == 0
    })
    .await;
    // The pages of three slices, one that may be read twice, and the look for what is missing.
    let read = world.sandbox.counters().await.calls_of("GET /v1/transactions");
    assert!((13..=17).contains(&read), "what was stored was not read again: {read} calls");
}

/// Slices read at the same time.
const AT_ONCE: u64 = 4;

#[tokio::test]
async fn killed_at_random_pages_of_parallel_slices_it_counts_each_record_once_and_heals_each_once() {
    let world = World::new(12_000).await;
    three_differ(&world).await;
    let run = world.ask(&["transaction"], true, 0).await;
    let options = |name: &str| world.reconciler_options(name).env("RECONCILIATION_SLICES", AT_ONCE.to_string());
    let mut chance = StdRng::seed_from_u64(7);
    let deaths = 5_u64;
    for death in 0..deaths {
        // All of these come to less than there are pages.
        let point = if chance.random() { "reconciler.page_fetched" } else { "reconciler.page_stored" };
        let fatal = format!("{point}:{}", chance.random_range(1..=4));
        let mut dying = Service::start(options(&format!("dying-{death}")).env("ERP_FAILPOINT", fatal.as_str()))
            .await
            .unwrap_or_else(|error| panic!("{error}"));
        let end = dying.until_ended(SOON).await.unwrap_or_else(|error| panic!("it never came to {fatal}: {error}"));
        assert!(end.contains("signal: 6"), "it ended otherwise than at {fatal}: {end}");
    }
    let _next = world.start(options("next")).await;
    let ended = world.ended(run).await;
    assert_eq!((ended.status.as_str(), ended.proven, &ended.error), ("completed", Some(true), &None), "{ended:?}");
    let counts =
        ["matched", "upcoach", "flasherp", "leftOut", "unaccounted", "unreadable"].map(|name| ended.count(name));
    assert_eq!(counts, [11_998, 12_000, 12_000, 0, 0, 0], "{ended:?}");
    // A page of each slice may be lost with each death, and each slice ends with a page that is not full.
    let pages = 12_000 / 500 + 64_u64;
    let read = world.sandbox.counters().await.calls_of("GET /v1/transactions");
    assert!(read <= pages + deaths * AT_ONCE, "what was stored was not read again: {read} calls");

    // The two that a sync can mend are mended, once.
    assert_eq!((ended.heals_requested, world.open(run).await.len()), (2, 1), "{ended:?}");
    let _worker = world.worker().await;
    let healed = "SELECT count(*) FROM reconciliation.findings WHERE decision = 'healed'";
    testkit::eventually(SOON, "both are healed", || async { world.count(healed).await == 2 }).await;
    let again = world.reconcile().await;
    let left: Vec<(String, i64)> = world.open(again.id).await.into_iter().collect();
    assert_eq!((left, again.proven), (vec![("duplicate_in_flasherp".to_owned(), 1)], Some(true)), "{again:?}");
    assert_eq!((again.count("upcoach"), again.count("flasherp")), (12_000, 12_001), "no double was made: {again:?}");
}

#[tokio::test]
async fn one_told_to_stop_gives_its_run_back_and_another_has_it_at_once() {
    let world = World::new(6_000).await;
    three_differ(&world).await;
    // Each page takes so long that the run can't be over.
    world.sandbox.set_latency(std::time::Duration::from_millis(700), std::time::Duration::from_millis(700)).await;
    let run = world.ask(&["transaction"], false, 0).await;
    let mut first = world.start(world.reconciler_options("first").env("RECONCILIATION_LEASE_SECS", "3600")).await;
    testkit::eventually(SOON, "a page is stored", || async {
        world.count("SELECT coalesce(sum(records), 0)::bigint FROM reconciliation.slices").await > 0
    })
    .await;
    first.stop().await.expect("stopped in order");
    world.sandbox.set_latency(std::time::Duration::ZERO, std::time::Duration::ZERO).await;
    let _second = world.reconciler().await;
    assert_eq!(world.ended(run).await.status, "completed");
    assert_eq!(world.open(run).await, three());
}

#[tokio::test]
async fn a_run_with_a_failed_slice_claims_nothing_of_what_is_missing() {
    let world = World::new(6_000).await;
    three_differ(&world).await;
    // The first slice is read; then calls fail for longer than the patience lasts.
    world.sandbox.add_fault(&Fault::status(500).on("GET", "/transactions").skip(8).times(60)).await;
    let options = world
        .reconciler_options("reconciler")
        .env("RECONCILIATION_SLICES", "1")
        .env("RECONCILIATION_PATIENCE_SECS", "1")
        .env("CIRCUIT_FAILURES", "1000");
    let _reconciler = world.start(options).await;
    let run = world.ask(&["transaction"], false, 0).await;
    let ended = world.ended(run).await;
    assert_eq!((ended.status.as_str(), ended.proven), ("incomplete", Some(false)), "{ended:?}");
    assert!(ended.error.as_deref().is_some_and(|error| error.contains("transaction from")), "{ended:?}");
    let found = world.open(run).await;
    assert!(!found.contains_key("missing_in_flasherp") && !found.contains_key("missing_in_upcoach"), "{found:?}");

    world.sandbox.clear_faults().await;
    let whole = world.reconcile().await;
    assert_eq!((whole.status.as_str(), world.open(whole.id).await), ("completed", three()), "{whole:?}");
}

#[tokio::test]
async fn a_refused_cursor_begins_its_slice_anew_and_no_record_is_staged_twice() {
    let world = World::new(6_000).await;
    three_differ(&world).await;
    world.sandbox.add_fault(&Fault::status(400).on("GET", "/transactions").skip(2).times(1)).await;
    let _reconciler = world.start(world.reconciler_options("reconciler").env("RECONCILIATION_SLICES", "1")).await;
    let ended = world.reconcile().await;
    assert_eq!(world.sandbox.counters().await.faults.values().sum::<u64>(), 1);
    assert_eq!((ended.status.as_str(), ended.proven), ("completed", Some(true)), "{ended:?}");
    assert_eq!(world.open(ended.id).await, three());
}

#[tokio::test]
async fn a_database_that_crashes_in_the_middle_of_staging_loses_no_difference() {
    let mut world = World::with_own_database(6_000).await;
    three_differ(&world).await;
    world.sandbox.set_latency(std::time::Duration::from_millis(150), std::time::Duration::from_millis(150)).await;
    let _reconciler = world.start(world.reconciler_options("reconciler").env("RECONCILIATION_SLICES", "1")).await;
    let run = world.ask(&["transaction"], false, 0).await;
    testkit::eventually(SOON, "pages are stored", || async {
        world.count("SELECT coalesce(sum(records), 0)::bigint FROM reconciliation.slices").await >= 1_000
    })
    .await;
    world.own_database().postgres.kill().await.expect("killed");
    world.own_database().postgres.restart().await.expect("the database starts again");
    let ended = world.ended(run).await;
    assert_eq!((ended.status.as_str(), ended.proven), ("completed", Some(true)), "{ended:?}");
    assert_eq!(world.open(run).await, three());
}

#[tokio::test]
async fn a_run_gone_on_with_under_another_configuration_begins_anew() {
    let (world, other) = (World::new(3_000).await, World::new(3_000).await);
    // Of the oldest pages, which are read from the one FlashERP before the other is configured.
    other.sandbox.remove_record("transactions", &other.ledger.entry(0).target).await;
    let run = world.ask(&["transaction"], false, 0).await;
    let options = |name: &str| world.reconciler_options(name).env("RECONCILIATION_SLICES", "1");
    let mut dying = Service::start(options("dying").env("ERP_FAILPOINT", "reconciler.page_stored:3"))
        .await
        .unwrap_or_else(|error| panic!("{error}"));
    dying.until_ended(SOON).await.unwrap_or_else(|error| panic!("{error}"));
    sqlx::query("UPDATE config.erp_configurations SET base_url = $1")
        .bind(other.sandbox.api_url())
        .execute(&world.pool)
        .await
        .expect("configured");
    let _next = world.start(options("next")).await;
    let ended = world.ended(run).await;
    assert_eq!((ended.status.as_str(), ended.proven), ("completed", Some(true)), "{ended:?}");
    assert_eq!(world.open(run).await, BTreeMap::from([("missing_in_flasherp".to_owned(), 1)]), "{ended:?}");
    assert!(other.sandbox.counters().await.calls_of("GET /v1/transactions") >= 7, "all of its pages were read");
}
