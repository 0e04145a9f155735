//! `financial-report`, up to FlashERP.

use testkit::{Service, eventually};

use crate::kit::{SOON, World};

const JOB: &str = "financial-report";
const BOOKS: &str = "INSERT INTO upcoach.cost_entries (category, amount, currency, incurred_on)
    VALUES ('rent', 12300, 'eur', (now() AT TIME ZONE 'UTC')::date - 1)";

async fn in_scope() -> World {
    let world = World::new().await;
    world.run("UPDATE config.erp_configurations SET sync_scope = sync_scope || '{\"financialReports\": true}'").await;
    world.run(BOOKS).await;
    world
}

async fn held(world: &World, costs: &str) {
    eventually(SOON, "FlashERP has the figures", || async {
        let held = world.sandbox.records("metrics").await;
        held.len() == 1 && held[0].json("costs") == Some(costs)
    })
    .await;
}

#[tokio::test]
async fn the_day_before_is_sent_and_sent_again_when_its_past_has_changed_and_changed_back() {
    let world = in_scope().await;
    let (_worker, _scheduler) = (world.worker().await, world.scheduler().await);
    assert_eq!(world.run_job(JOB).await.result.expect("a result")["changed"], 1);
    held(&world, "123.00").await;
    assert_eq!(world.run_job(JOB).await.result.expect("a result")["changed"], 0);
    // Within the 24 hours for which FlashERP knows the first one's key.
    world.run("UPDATE upcoach.cost_entries SET amount = 45600").await;
    world.run_job(JOB).await;
    held(&world, "456.00").await;
    world.run("UPDATE upcoach.cost_entries SET amount = 12300").await;
    world.run_job(JOB).await;
    held(&world, "123.00").await;
    world.all_synced().await;
    assert_eq!(world.sandbox.counters().await.calls_of("POST /v1/metrics"), 3);
}

#[tokio::test]
async fn one_that_dies_before_or_after_it_has_written_leaves_one_report() {
    for point in ["scheduler.before_report", "scheduler.after_report"] {
        let world = in_scope().await;
        let fatal = world.scheduler_options("dying").env("JOB_LEASE_SECS", "4").env("ERP_FAILPOINT", point);
        let mut dying = Service::start(fatal).await.expect("it starts");
        dying.until_ready(SOON).await.expect("ready");
        world.make_due(JOB).await;
        dying.until_ended(SOON).await.expect("it dies");
        let (_worker, _next) = (world.worker().await, world.scheduler().await);
        world.next_succeeded(JOB, 0).await;
        held(&world, "123.00").await;
        world.all_synced().await;
        assert_eq!(world.sandbox.counters().await.calls_of("POST /v1/metrics"), 1, "{point}");
    }
}

#[tokio::test]
async fn out_of_scope_none_is_made() {
    let world = World::new().await;
    world.run(BOOKS).await;
    let _scheduler = world.scheduler().await;
    assert!(world.run_job(JOB).await.result.expect("a result")["skipped"].is_string());
    assert_eq!(world.count("SELECT count(*) FROM scheduling.reports").await, 0);
}
