//! Workers that are killed, frozen and stopped.

use std::time::Duration;

use domain::upcoach::UpcoachMode;
use rstest::rstest;

use crate::kit::{SOON, World, transaction_sync};
use testkit::{Service, eventually};

async fn payments(world: &World, count: i64) {
    let user = world.insert_user(Some("ada@example.com")).await;
    for cents in 1..=count {
        world.insert_payment(user, cents).await;
    }
}

async fn some_are_in_hand(world: &World) {
    eventually(SOON, "some are in hand", || async {
        world.count("SELECT count(*) FROM sync.erp_syncs WHERE sync_status = 'syncing'").await > 0
            && world.sandbox.counters().await.records_of("transactions") > 3
    })
    .await;
}

#[rstest]
#[case::tables(UpcoachMode::Tables)]
#[case::views(UpcoachMode::Views)]
#[tokio::test]
async fn a_worker_killed_in_the_middle_leaves_nothing_out_and_doubles_nothing(#[case] mode: UpcoachMode) {
    let world = World::in_mode(mode).await;
    world.sandbox.set_capabilities(&[]).await;
    world.sandbox.set_latency(Duration::from_millis(50), Duration::from_millis(150)).await;
    payments(&world, 100).await;
    let mut worker = world.worker().await;
    some_are_in_hand(&world).await;
    worker.kill().await.expect("killed");
    let _next = Service::start(world.worker_options("next")).await.expect("the next worker");
    world.all_synced().await;
    world.flasherp_has_each_once(100).await;
}

#[tokio::test]
async fn a_worker_frozen_past_its_leases_writes_nothing_twice_when_it_goes_on() {
    let world = World::new().await;
    world.sandbox.set_latency(Duration::from_millis(100), Duration::from_millis(300)).await;
    payments(&world, 60).await;
    let mut frozen = world.worker().await;
    some_are_in_hand(&world).await;
    frozen.pause();
    let _other = Service::start(world.worker_options("other")).await.expect("the other worker");
    eventually(SOON, "the other has taken over", || async {
        world.count("SELECT count(*) FROM sync.erp_syncs WHERE sync_status = 'syncing'").await == 0
            && world.count("SELECT count(*) FROM sync.erp_syncs WHERE sync_status = 'synced'").await == 61
    })
    .await;
    frozen.resume();
    frozen.until_ready(SOON).await.expect("the frozen one is alive again");
    world.all_synced().await;
    world.flasherp_has_each_once(60).await;
}

#[tokio::test]
async fn a_worker_told_to_stop_finishes_what_is_in_hand_and_hands_back_the_rest() {
    let world = World::new().await;
    world.sandbox.set_latency(Duration::from_millis(100), Duration::from_millis(100)).await;
    payments(&world, 200).await;
    let mut worker =
        Service::start(world.worker_options("stopping").env("SYNC_MAX_IN_FLIGHT", "20")).await.expect("a worker");
    some_are_in_hand(&world).await;
    worker.stop().await.expect("stopped in order");
    assert_eq!(
        world.count("SELECT count(*) FROM sync.erp_syncs WHERE lease_owner IS NOT NULL OR outcome = 'unknown'").await,
        0
    );
    let done = world
        .count("SELECT count(*) FROM sync.erp_syncs WHERE sync_status = 'synced' AND source_type = 'transaction'")
        .await;
    assert_eq!(u64::try_from(done).expect("a count"), world.sandbox.counters().await.records_of("transactions"));
    let _next = Service::start(world.worker_options("next")).await.expect("the next worker");
    world.all_synced().await;
    world.flasherp_has_each_once(200).await;
}

#[tokio::test]
async fn a_worker_started_before_the_configuration_begins_when_it_is_there() {
    let world = World::new().await;
    world.run("UPDATE config.erp_configurations SET deleted_at = now()").await;
    let _worker = world.worker().await;
    let user = world.insert_user(Some("ada@example.com")).await;
    let payment = world.insert_payment(user, 1000).await;
    world.run("UPDATE config.erp_configurations SET deleted_at = NULL").await;
    world.sync_becomes(transaction_sync(payment), "synced").await;
}
