//! Several schedulers on one timetable.

use std::time::Duration;

use serde_json::json;
use testkit::eventually;
use wiremock::matchers::any;
use wiremock::{Mock, MockServer, ResponseTemplate};

use crate::kit::{PULL, SOON, World};

#[tokio::test]
async fn three_schedulers_fire_each_time_once_and_never_two_at_a_time() {
    let world = World::new().await;
    let mut schedulers = Vec::new();
    for name in ["one", "two", "three"] {
        schedulers.push(world.start(world.scheduler_options(name)).await);
    }
    world.untold_stories(12, 31, time::Duration::HOUR).await;
    for firing in 0..10 {
        let run = world.run_job(PULL).await;
        assert_eq!(run.status, "succeeded", "{run:?}");
        assert_eq!(world.ended(PULL).await.len(), firing + 1);
    }
    assert_eq!(world.stored().await, world.listed().await);
    let at_once = "SELECT count(*) FROM scheduling.job_runs a JOIN scheduling.job_runs b
        ON a.job_name = b.job_name AND a.id < b.id AND b.started_at < a.finished_at";
    assert_eq!(world.count(at_once).await, 0);
    for scheduler in &mut schedulers {
        scheduler.stop().await.expect("stopped in order");
    }
}

#[tokio::test]
async fn a_scheduler_frozen_past_its_lease_loses_its_run_and_moves_no_cursor() {
    let world = World::new().await;
    let stripe = MockServer::start().await;
    let answer = ResponseTemplate::new(200)
        .set_body_json(json!({"object": "list", "data": [], "has_more": false}))
        .set_delay(Duration::from_secs(3));
    Mock::given(any()).respond_with(answer).mount(&stripe).await;
    let mut frozen = world
        .start(world.scheduler_options("frozen").env("JOB_LEASE_SECS", "4").env("STRIPE_BASE_URL", stripe.uri()))
        .await;
    world.make_due(PULL).await;
    eventually(SOON, "it asks Stripe", || async {
        stripe.received_requests().await.is_some_and(|asked| !asked.is_empty())
    })
    .await;
    frozen.pause();
    let _other = world.start(world.scheduler_options("other")).await;
    let run = world.next_succeeded(PULL, 0).await;
    let cursor = world.cursor("stripe").await;
    frozen.resume();
    frozen.until_ready(SOON).await.expect("it is alive again");
    eventually(SOON, "it says that it has lost its run", || async {
        std::fs::read_to_string(frozen.log()).is_ok_and(|log| log.contains("the lease of a run is over"))
    })
    .await;
    assert_eq!(world.cursor("stripe").await, cursor);
    let statuses: Vec<String> = world.ended(PULL).await.into_iter().map(|run| run.status).collect();
    assert_eq!(statuses, ["abandoned", "succeeded"]);
    assert_eq!(world.ended(PULL).await.last().map(|last| last.id), Some(run.id));
}
