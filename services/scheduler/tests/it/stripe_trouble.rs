//! A Stripe that refuses, is not well, or is slow: nothing is left out, and FlashERP's half goes on.

use std::time::Duration;

use serde_json::json;
use wiremock::matchers::{any, query_param};
use wiremock::{Mock, MockServer, ResponseTemplate};

use crate::kit::{PULL, World};

const HOUR: time::Duration = time::Duration::HOUR;

/// Runs the job while Stripe answers `status`, then without; what is found must be all.
async fn fails_with(status: u16, code: &str, calls: u64) {
    let world = World::new().await;
    let _scheduler = world.scheduler().await;
    world.untold_stories(6, u64::from(status), HOUR).await;
    world.sandbox.set_stripe_outage(Some(status), None).await;
    let failed = world.run_job(PULL).await;
    assert_eq!(failed.status, "failed");
    let error = failed.error.clone().expect("it says why");
    assert!(error.starts_with(code), "{error}");
    assert_eq!(world.sandbox.counters().await.stripe_calls.get("events").copied(), Some(calls));
    assert_eq!(world.cursor("stripe").await, None, "the cursor stays");
    assert!(world.cursor("flasherp").await.is_some(), "the other source is read all the same");

    world.sandbox.set_stripe_outage(None, None).await;
    let run = world.run_job(PULL).await;
    assert_eq!((run.status.as_str(), run.error), ("succeeded", None));
    assert_eq!(world.stored().await, world.listed().await);
}

#[tokio::test]
async fn a_stripe_that_is_down_is_asked_again_by_the_next_run() {
    fails_with(500, "SERVICE_UNAVAILABLE", 4).await;
}

#[tokio::test]
async fn a_stripe_that_says_too_many_calls_is_asked_again_by_the_next_run() {
    fails_with(429, "RATE_LIMIT_EXCEEDED", 4).await;
}

#[tokio::test]
async fn a_key_that_is_refused_is_told_after_one_call() {
    fails_with(401, "AUTH_FAILED", 1).await;
}

#[tokio::test]
async fn a_short_trouble_is_mended_within_the_run() {
    let world = World::new().await;
    let _scheduler = world.scheduler().await;
    world.untold_stories(6, 11, HOUR).await;
    world.sandbox.set_stripe_outage(Some(503), Some(3)).await;
    assert_eq!(world.run_job(PULL).await.status, "succeeded");
    assert_eq!(world.stored().await, world.listed().await);
}

/// A Stripe with 250 events in one hour, whose second page fails so many times.
async fn failing_at_its_second_page(times: u64) -> MockServer {
    let server = MockServer::start().await;
    let made = time::OffsetDateTime::now_utc().unix_timestamp() - 600;
    let event = |n: u32| {
        json!({"id": format!("evt_{n:03}"), "object": "event", "type": "customer.created", "created": made, "livemode": false,
            "data": {"object": {"id": format!("cus_{n:03}"), "object": "customer", "created": made, "metadata": {}}}})
    };
    let page = |first: u32, last: u32| {
        let data: Vec<_> = (first..last).rev().map(event).collect();
        ResponseTemplate::new(200).set_body_json(json!({"object": "list", "data": data, "has_more": first > 0}))
    };
    let second = || Mock::given(query_param("starting_after", "evt_150"));
    second().respond_with(ResponseTemplate::new(500)).up_to_n_times(times).mount(&server).await;
    second().respond_with(page(50, 150)).mount(&server).await;
    Mock::given(query_param("starting_after", "evt_050")).respond_with(page(0, 50)).mount(&server).await;
    Mock::given(any()).respond_with(page(150, 250)).mount(&server).await;
    server
}

#[tokio::test]
async fn trouble_between_two_pages_leaves_what_was_stored_and_the_next_run_finds_the_rest() {
    let world = World::new().await;
    let stripe = failing_at_its_second_page(4).await;
    let options = world.scheduler_options("scheduler").env("STRIPE_BASE_URL", stripe.uri());
    let _scheduler = world.start(options).await;
    let known =
        "UPDATE scheduling.jobs SET resume_after = jsonb_build_object('stripe', jsonb_build_object('until', now()))";
    world.run(known).await;
    let cursor = world.cursor("stripe").await;
    let failed = world.run_job(PULL).await;
    assert_eq!((failed.status.as_str(), failed.number("stripe", "found")), ("failed", 100));
    assert_eq!(world.cursor("stripe").await, cursor, "the cursor stays before the page that is missing");
    let run = world.run_job(PULL).await;
    assert_eq!((run.status.as_str(), run.number("stripe", "found")), ("succeeded", 150));
    assert_eq!(world.stored().await.len(), 250);
    assert_ne!(world.cursor("stripe").await, cursor);
}

#[tokio::test]
async fn a_slow_stripe_takes_longer_than_a_lease_and_the_run_is_still_its_schedulers() {
    let world = World::new().await;
    let stripe = MockServer::start().await;
    let answer = ResponseTemplate::new(200)
        .set_body_json(json!({"object": "list", "data": [], "has_more": false}))
        .set_delay(Duration::from_secs(9));
    Mock::given(any()).respond_with(answer).mount(&stripe).await;
    // One slice, so one slow call, of more than two leases.
    let options = world.scheduler_options("scheduler").env("STRIPE_BASE_URL", stripe.uri()).env("JOB_LEASE_SECS", "4");
    let _scheduler = world.start(options).await;
    world
        .run("UPDATE scheduling.jobs SET resume_after = jsonb_build_object('stripe', jsonb_build_object('until', now()))")
        .await;
    let run = world.run_job(PULL).await;
    assert_eq!(run.status, "succeeded", "{run:?}");
    assert_eq!(world.ended(PULL).await.len(), 1, "no other run took it for dead");
}
