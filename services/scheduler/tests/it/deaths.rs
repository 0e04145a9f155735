//! A scheduler that dies at each point between fetching, storing, moving the cursor and writing the end of a run, and is started again: every event
//! is stored once, and none is left out.

use serde_json::Value;
use testkit::Service;

use crate::kit::{PULL, SOON, World};

/// A scheduler that dies when it comes to `point` for the `pass`th time, then one that does not.
async fn dies_at(point: &str, pass: u32) {
    let world = World::new().await;
    world.untold_stories(30, 21, time::Duration::hours(2)).await;
    let listed = world.listed().await;
    let fatal =
        world.scheduler_options("scheduler").env("JOB_LEASE_SECS", "4").env("ERP_FAILPOINT", format!("{point}:{pass}"));
    let mut dying = Service::start(fatal)
        .await
        .unwrap_or_else(|error| panic!("does the program have failpoints, as `./justw test` builds it? {error}"));
    dying.until_ready(SOON).await.expect("ready");
    world.make_due(PULL).await;
    let end = dying.until_ended(SOON).await.unwrap_or_else(|error| panic!("it never came to {point}: {error}"));
    assert!(end.contains("signal: 6"), "it ended otherwise than at {point}: {end}");

    let _next = world.start(world.scheduler_options("next")).await;
    // Not asked for again: the job is due because its run is lost, or still is.
    let run = world.next_succeeded(PULL, 0).await;
    assert_eq!(world.stored().await, listed, "after {point}");
    let doubled = "SELECT count(*) FROM (SELECT FROM ingress.webhook_events GROUP BY source, event_id HAVING count(*) > 1) AS twice";
    assert_eq!(world.count(doubled).await, 0);
    let until = run.result.expect("a result")["stripe"]["until"].clone();
    assert!(until.is_string(), "{until}");
    let cursor: Value = world.cursor("stripe").await.expect("a cursor");
    assert!(cursor["until"].is_string(), "{cursor}");
}

macro_rules! dies_at {
    ($($test:ident: $point:literal, $pass:literal;)*) => {
        $(#[tokio::test]
        async fn $test() {
            dies_at($point, $pass).await;
        })*
    };
}

dies_at! {
    before_the_firing_is_committed: "scheduler.before_fire", 1;
    after_the_firing_is_committed: "scheduler.after_fire", 1;
    with_a_page_fetched_and_not_stored: "pull.fetched", 120;
    with_a_page_stored_and_its_hint_not_sent: "pull.stored", 1;
    between_two_pages: "pull.stored", 2;
    with_all_pages_of_a_slice_stored_and_the_cursor_not_moved: "pull.before_cursor", 123;
    with_the_cursor_moved: "pull.after_cursor", 60;
    with_the_work_done_and_its_end_not_written: "scheduler.before_finish", 1;
    with_its_end_written: "scheduler.after_finish", 1;
}

/// A scheduler that dies at `point` of the job named, and the one after it that does the job.
async fn job_survives_a_death(world: &World, job: &str, point: &str) {
    let fatal = world.scheduler_options("dying").env("JOB_LEASE_SECS", "4").env("ERP_FAILPOINT", format!("{point}:1"));
    let mut dying = Service::start(fatal).await.expect("it starts");
    dying.until_ready(SOON).await.expect("ready");
    world.make_due(job).await;
    let end = dying.until_ended(SOON).await.unwrap_or_else(|error| panic!("it never came to {point}: {error}"));
    assert!(end.contains("signal: 6"), "it ended otherwise than at {point}: {end}");
    let _next = world.start(world.scheduler_options("next")).await;
    world.next_succeeded(job, 0).await;
}

/// What a check of health writes goes together: the check, the status in the configuration, the audit row of the change.
const CHECKS: &str = "SELECT concat((SELECT count(*) FROM scheduling.health_checks), ' ', (SELECT health_status FROM config.erp_configurations), ' ',
    (SELECT count(*) FROM audit.erp_audit_logs WHERE action = 'health_check'))";

#[tokio::test]
async fn a_check_of_health_that_died_before_its_commit_left_nothing() {
    let world = World::new().await;
    job_survives_a_death(&world, "health-check", "scheduler.before_health").await;
    assert_eq!(world.text(CHECKS).await.as_deref(), Some("1 healthy 1"));
}

#[tokio::test]
async fn a_check_of_health_that_died_after_its_commit_is_done_again_and_its_change_audited_once() {
    let world = World::new().await;
    job_survives_a_death(&world, "health-check", "scheduler.after_health").await;
    assert_eq!(world.text(CHECKS).await.as_deref(), Some("2 healthy 1"));
}

#[tokio::test]
async fn a_reconciliation_that_was_asked_for_before_the_death_is_not_asked_for_twice() {
    let world = World::new().await;
    job_survives_a_death(&world, "reconciliation", "scheduler.reconciliation_asked").await;
    assert_eq!(world.count("SELECT count(*) FROM reconciliation.runs").await, 1);
}

#[tokio::test]
async fn one_told_to_stop_gives_its_run_back_and_another_has_it_at_once() {
    let world = World::new().await;
    let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let base = format!("http://{}", silent.local_addr().expect("bound"));
    // A lease that does not end in the time of the test.
    let options = world.scheduler_options("scheduler").env("STRIPE_BASE_URL", base).env("JOB_LEASE_SECS", "3600");
    let mut scheduler = world.start(options).await;
    world.make_due(PULL).await;
    let (_connection, _) = tokio::time::timeout(SOON, silent.accept()).await.expect("in time").expect("it is asked");
    scheduler.stop().await.expect("stopped in order");
    let given_back = world.ended(PULL).await;
    assert_eq!(given_back.iter().map(|run| run.status.as_str()).collect::<Vec<_>>(), ["abandoned"]);
    let _next = world.start(world.scheduler_options("next")).await;
    world.next_succeeded(PULL, 1).await;
}
