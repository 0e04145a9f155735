//! Events that no webhook told of are found and applied once.

use time::Duration;

use crate::kit::{PULL, SOON, World};

const HOUR: Duration = Duration::HOUR;

#[tokio::test]
async fn events_that_no_webhook_told_of_are_found_and_applied_once() {
    let world = World::new().await;
    let _worker = world.worker().await;
    let _scheduler = world.scheduler().await;
    world.untold_stories(48, 1, HOUR * 3).await;
    let listed = world.listed().await;
    assert!(listed.len() > 200, "{} are several pages", listed.len());

    let run = world.run_job(PULL).await;
    assert_eq!((run.status.as_str(), run.number("stripe", "found")), ("succeeded", listed.len() as u64), "{run:?}");
    assert_eq!(world.stored().await, listed);
    world.all_settled().await;
    let unapplied = "SELECT count(*) FROM ingress.webhook_events WHERE source = 'stripe' AND status <> 'applied'";
    assert_eq!(world.count(unapplied).await, 0);
    let audited = "SELECT count(*) FROM audit.erp_audit_logs WHERE metadata ->> 'source' = 'stripe' AND metadata ->> 'status' = 'applied'";
    assert!(world.count(audited).await >= listed.len() as i64);

    // All of it is read again, and nothing comes of it.
    world.run("UPDATE scheduling.jobs SET resume_after = '{}'").await;
    let payments = world.count("SELECT count(*) FROM upcoach.transactions").await;
    let again = world.run_job(PULL).await;
    assert_eq!(again.number("stripe", "read"), run.number("stripe", "read"));
    assert_eq!(again.number("stripe", "found"), 0);
    assert_eq!(world.count("SELECT count(*) FROM upcoach.transactions").await, payments);
    assert_eq!(world.stored().await, listed);
}

#[tokio::test]
async fn of_events_that_were_told_in_part_only_the_others_are_found() {
    let world = World::new().await;
    let ingress = world.ingress().await;
    let _scheduler = world.scheduler().await;
    world.stories(24, 2, HOUR, 0.5, ingress.url("/api/webhooks/stripe")).await;
    // Webhooks tell also of what nothing is done for.
    let (listed, told) = (world.listed().await, world.stored().await);
    let missed: Vec<&String> = listed.iter().filter(|id| !told.contains(id)).collect();
    assert!(told.len() > 20 && missed.len() > 20, "{} of {}", missed.len(), listed.len());

    let run = world.run_job(PULL).await;
    assert_eq!(run.number("stripe", "found"), missed.len() as u64);
    let mut all: Vec<String> = listed.iter().chain(&told).cloned().collect();
    all.sort_unstable();
    all.dedup();
    assert_eq!(world.stored().await, all);
    let fetched = "SELECT count(*) FROM ingress.webhook_events WHERE user_agent = 'pull-missed-events' AND request_id IS NOT NULL";
    assert_eq!(world.count(fetched).await, missed.len() as i64);
}

#[tokio::test]
async fn a_body_is_stored_as_stripe_lists_it() {
    let world = World::new().await;
    let ingress = world.ingress().await;
    let _scheduler = world.scheduler().await;
    world.stories(4, 3, HOUR, 0.5, ingress.url("/api/webhooks/stripe")).await;
    world.run_job(PULL).await;
    // Told or fetched, an event of the same type has the same members.
    let shapes = "SELECT count(DISTINCT keys) FROM (
        SELECT user_agent, string_agg(key, ',' ORDER BY key) AS keys
        FROM ingress.webhook_events, jsonb_object_keys(convert_from(body, 'UTF8')::jsonb) AS key GROUP BY id, user_agent) AS shapes";
    assert_eq!(world.count(shapes).await, 1);
    let times = "SELECT count(*) FROM ingress.webhook_events
        WHERE extract(epoch FROM occurred_at) <> (convert_from(body, 'UTF8')::jsonb ->> 'created')::numeric";
    assert_eq!(world.count(times).await, 0);
}

#[tokio::test]
async fn the_overlap_finds_what_stripe_lists_late_and_no_further_back() {
    let world = World::new().await;
    let _scheduler = world.start(world.scheduler_options("scheduler").env("MISSED_EVENTS_OVERLAP_SECS", "3600")).await;
    assert_eq!(world.run_job(PULL).await.number("stripe", "read"), 0);
    let cursor = world.cursor("stripe").await.expect("a cursor");
    // From now on known up to now; these appear with older times.
    world.untold_stories(2, 4, Duration::minutes(30)).await;
    let late = world.listed().await;
    world.untold_stories(2, 5, HOUR * 2).await;
    let run = world.run_job(PULL).await;
    assert_eq!(run.number("stripe", "found"), late.len() as u64);
    assert_eq!(world.stored().await, late);
    // It has whole seconds, and this may all have been in one.
    let moved = world.cursor("stripe").await.expect("a cursor");
    assert!(moved["until"].as_str() >= cursor["until"].as_str(), "{moved} is not behind {cursor}");
}

#[tokio::test]
async fn young_events_are_left_to_their_webhooks_until_the_grace_is_over() {
    let world = World::new().await;
    let options = world.scheduler_options("scheduler").env("MISSED_EVENTS_GRACE_SECS", "3600");
    let mut scheduler = world.start(options).await;
    world.untold_stories(2, 6, Duration::minutes(10)).await;
    assert_eq!(world.run_job(PULL).await.number("stripe", "found"), 0);
    scheduler.stop().await.expect("stopped");
    let _scheduler = world.scheduler().await;
    let run = world.run_job(PULL).await;
    assert_eq!(run.number("stripe", "found"), world.listed().await.len() as u64);
}

#[tokio::test]
async fn thirty_days_are_read_at_first_and_what_is_older_is_told_to_be_lost() {
    let world = World::new().await;
    let scheduler = world.scheduler().await;
    world.untold_stories(2, 7, Duration::days(29)).await;
    let run = world.run_job(PULL).await;
    assert_eq!(run.number("stripe", "found"), world.listed().await.len() as u64);
    world
        .run("UPDATE scheduling.jobs SET resume_after = jsonb_build_object('stripe', jsonb_build_object('until', now() - interval '40 days'))")
        .await;
    world.run_job(PULL).await;
    let log = std::fs::read_to_string(scheduler.log()).expect("its log");
    assert!(log.contains("more than the 30 days that it lists"), "{log}");
}

#[tokio::test]
async fn how_far_behind_and_how_many_were_found_are_metrics() {
    let world = World::new().await;
    let scheduler = world.scheduler().await;
    world.untold_stories(4, 8, HOUR).await;
    let found = world.run_job(PULL).await.number("stripe", "found");
    let metric =
        |page: &str, name: &str| page.lines().find_map(|line| line.strip_prefix(name)?.trim().parse::<u64>().ok());
    let client = reqwest::Client::builder().no_proxy().build().expect("a client");
    let url = scheduler.management_url("/metrics");
    let page = async || client.get(&url).send().await.expect("an answer").text().await.expect("a page");
    testkit::eventually(SOON, "the metrics tell", || async {
        let page = page().await;
        metric(&page, "erp_missed_events_found_total{source=\"stripe\"}") == Some(found)
            && metric(&page, "erp_job_runs_total{job=\"pull-missed-events\",result=\"succeeded\"}") == Some(1)
            && metric(&page, "erp_missed_events_behind_seconds{source=\"stripe\"}").is_some()
    })
    .await;
    world
        .run("UPDATE scheduling.jobs SET resume_after = jsonb_set(resume_after, '{stripe,until}', to_jsonb(now() - interval '2 days'))")
        .await;
    testkit::eventually(SOON, "it says that it is behind", || async {
        metric(&page().await, "erp_missed_events_behind_seconds{source=\"stripe\"}")
            .is_some_and(|behind| behind >= 172_800)
    })
    .await;
}

#[tokio::test]
async fn without_a_key_stripe_is_not_asked() {
    let world = World::new().await;
    let mut options = world.scheduler_options("scheduler");
    options.env.retain(|(name, _)| name != "STRIPE_API_KEY");
    let _scheduler = world.start(options).await;
    let run = world.run_job(PULL).await;
    assert_eq!(run.status, "succeeded");
    assert_eq!(run.result.expect("a result")["stripe"]["skipped"], "there is no STRIPE_API_KEY");
    assert_eq!(world.sandbox.counters().await.stripe_calls.values().sum::<u64>(), 0);
}
