//! The timetable itself, on a database.

use std::time::Duration;

use events::JobTrigger;
use scheduler::jobs::Job;
use scheduler::timetable::{abandon_expired, add_missing, fire, plan_edited};
use sqlx::PgPool;
use testkit::TestDatabase;
use uuid::Uuid;

use crate::kit::{PULL, World};

const LEASE: Duration = Duration::from_secs(60);

async fn filled() -> (TestDatabase, PgPool) {
    let database = TestDatabase::new().await;
    let pool = database.pool("erp_scheduler").await;
    add_missing(&pool).await.expect("filled");
    (database, pool)
}

async fn set_next_run(pool: &PgPool, ago: &str) {
    sqlx::query("UPDATE scheduling.jobs SET next_run_at = clock_timestamp() - $2::interval WHERE name = $1")
        .bind(PULL)
        .bind(ago)
        .execute(pool)
        .await
        .expect("set");
}

async fn next_run_is_ahead(pool: &PgPool) -> bool {
    sqlx::query_scalar("SELECT next_run_at > clock_timestamp() FROM scheduling.jobs WHERE name = $1")
        .bind(PULL)
        .fetch_one(pool)
        .await
        .expect("read")
}

#[tokio::test]
async fn every_job_is_added_once_and_what_an_admin_changed_stays() {
    let (_database, pool) = filled().await;
    sqlx::query("UPDATE scheduling.jobs SET cron = NULL, interval_secs = 77 WHERE name = $1")
        .bind(PULL)
        .execute(&pool)
        .await
        .expect("changed");
    add_missing(&pool).await.expect("filled again");
    let rows: Vec<(String, Option<i32>)> =
        sqlx::query_as("SELECT name, interval_secs FROM scheduling.jobs ORDER BY name")
            .fetch_all(&pool)
            .await
            .expect("rows");
    let mut names: Vec<&str> = Job::ALL.map(Job::name).to_vec();
    names.sort_unstable();
    assert_eq!(rows.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>(), names);
    assert!(rows.contains(&(PULL.to_owned(), Some(77))));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_somebody_asked_for_says_who_and_the_next_one_does_not() {
    let (database, pool) = filled().await;
    let admin = database.pool("erp_config_api").await;
    let run_now = async || -> bool {
        sqlx::query_scalar("SELECT scheduling.run_now($1, 'ada')")
            .bind(PULL)
            .fetch_one(&admin)
            .await
            .expect("asked for")
    };
    assert!(run_now().await);
    let fired = fire(&pool, Uuid::nil(), LEASE, None).await.expect("looked").expect("fired");
    assert_eq!(fired.trigger, JobTrigger::Manual);
    let requested: Vec<Option<String>> =
        sqlx::query_scalar("SELECT requested_by FROM scheduling.job_runs").fetch_all(&pool).await.expect("rows");
    assert_eq!(requested, [Some("ada".to_owned())]);
    let asked = "SELECT count(*) FROM scheduling.jobs WHERE requested_by IS NOT NULL";
    assert_eq!(sqlx::query_scalar::<_, i64>(asked).fetch_one(&pool).await.expect("a count"), 0);
    assert!(next_run_is_ahead(&pool).await);

    let paused = sqlx::query("SELECT scheduling.pause($1, 'ada', 'month end')").bind(PULL).execute(&admin).await;
    paused.expect("paused");
    assert!(!run_now().await, "a paused job is not made due");
}

#[tokio::test(flavor = "multi_thread")]
async fn of_many_that_look_at_once_one_fires() {
    let (_database, pool) = filled().await;
    for _ in 0..20 {
        set_next_run(&pool, "1 second").await;
        let looks = (0..8).map(|_| fire(&pool, Uuid::nil(), LEASE, None));
        let fired = futures::future::join_all(looks).await;
        let fired: Vec<_> = fired.into_iter().filter_map(|fired| fired.expect("looked")).collect();
        assert_eq!(fired.len(), 1);
        assert!(next_run_is_ahead(&pool).await);
        sqlx::query("UPDATE scheduling.job_runs SET status = 'succeeded'").execute(&pool).await.expect("ended");
    }
}

#[tokio::test]
async fn a_job_missed_many_times_is_made_up_for_once() {
    let (_database, pool) = filled().await;
    set_next_run(&pool, "3 days").await;
    let made_up = fire(&pool, Uuid::nil(), LEASE, None).await.expect("looked").expect("fired");
    assert_eq!((made_up.run.job, made_up.trigger), (Job::PullMissedEvents, JobTrigger::MakeUp));
    sqlx::query("UPDATE scheduling.job_runs SET status = 'succeeded'").execute(&pool).await.expect("ended");
    assert!(fire(&pool, Uuid::nil(), LEASE, None).await.expect("looked").is_none());
    set_next_run(&pool, "0 seconds").await;
    assert_eq!(
        fire(&pool, Uuid::nil(), LEASE, None).await.expect("looked").expect("fired").trigger,
        JobTrigger::Schedule
    );
}

#[tokio::test]
async fn a_job_in_hand_or_paused_is_not_fired() {
    let (_database, pool) = filled().await;
    set_next_run(&pool, "1 second").await;
    fire(&pool, Uuid::nil(), LEASE, None).await.expect("looked").expect("fired");
    set_next_run(&pool, "1 second").await;
    assert!(fire(&pool, Uuid::nil(), LEASE, None).await.expect("looked").is_none(), "in hand");
    sqlx::query("UPDATE scheduling.job_runs SET status = 'succeeded'").execute(&pool).await.expect("ended");
    sqlx::query("UPDATE scheduling.jobs SET paused_at = now(), pause_reason = 'audit'")
        .execute(&pool)
        .await
        .expect("paused");
    assert!(fire(&pool, Uuid::nil(), LEASE, None).await.expect("looked").is_none(), "paused");
    sqlx::query("UPDATE scheduling.jobs SET paused_at = NULL, pause_reason = NULL")
        .execute(&pool)
        .await
        .expect("resumed");
    assert!(fire(&pool, Uuid::nil(), LEASE, None).await.expect("looked").is_some());
}

#[tokio::test]
async fn a_run_whose_lease_is_over_is_abandoned_and_its_job_due_and_it_can_no_longer_move_a_cursor() {
    let (_database, pool) = filled().await;
    set_next_run(&pool, "1 second").await;
    let lost = fire(&pool, Uuid::nil(), LEASE, None).await.expect("looked").expect("fired").run;
    assert_eq!(abandon_expired(&pool, None).await.expect("looked"), 0);
    lost.set_resume_after("place", &serde_json::json!(1)).await.expect("it is ours");
    sqlx::query("UPDATE scheduling.job_runs SET lease_until = clock_timestamp() - interval '1 second'")
        .execute(&pool)
        .await
        .expect("over");
    assert_eq!(abandon_expired(&pool, None).await.expect("looked"), 1);
    assert!(lost.set_resume_after("place", &serde_json::json!(2)).await.is_err());
    let next = fire(&pool, Uuid::nil(), LEASE, None).await.expect("looked").expect("it is due at once").run;
    assert_eq!(next.resume_after("place").await.expect("read"), Some(serde_json::json!(1)));
}

#[tokio::test]
async fn an_edited_schedule_counts_from_now_and_what_somebody_asked_for_stays_due() {
    let (_database, pool) = filled().await;
    assert_eq!(plan_edited(&pool, None).await.expect("looked"), 0, "nothing was edited");
    let edit = async |statement: &'static str| {
        sqlx::query(statement).execute(&pool).await.expect("edited");
        plan_edited(&pool, None).await.expect("planned")
    };
    let minutes = async |job: &str| -> i64 {
        let ahead = "SELECT round(extract(epoch FROM next_run_at - clock_timestamp()) / 60)::bigint FROM scheduling.jobs WHERE name = $1";
        sqlx::query_scalar(ahead).bind(job).fetch_one(&pool).await.expect("a job")
    };
    set_next_run(&pool, "5 minutes").await;
    let hourly = "UPDATE scheduling.jobs SET cron = NULL, interval_secs = 7200 WHERE name = 'pull-missed-events'";
    assert_eq!((edit(hourly).await, minutes(PULL).await), (1, 120));
    assert_eq!(plan_edited(&pool, None).await.expect("looked"), 0, "once");
    let asked = "UPDATE scheduling.jobs SET interval_secs = 60, requested_by = 'ada', next_run_at = clock_timestamp() WHERE name = 'pull-missed-events'";
    assert_eq!((edit(asked).await, minutes(PULL).await), (1, 0));
    let unreadable = "UPDATE scheduling.jobs SET cron = 'whenever' WHERE name = 'prune'";
    assert_eq!((edit(unreadable).await, minutes("prune").await), (1, 60));
}

#[tokio::test]
async fn the_interval_of_transactions_follows_the_configuration_unless_they_have_times_of_the_day() {
    let (database, pool) = filled().await;
    let admin = PgPool::connect(&database.admin_url()).await.expect("the superuser gets in");
    testkit::configure(&admin, "https://erp.example.com").await;
    let interval = async || -> Option<i32> {
        sqlx::query_scalar("SELECT interval_secs FROM scheduling.jobs WHERE name = 'sync-transactions'")
            .fetch_one(&pool)
            .await
            .expect("a job")
    };
    sqlx::query("UPDATE config.erp_configurations SET sync_interval_secs = 600").execute(&admin).await.expect("saved");
    assert_eq!((plan_edited(&pool, None).await.expect("planned"), interval().await), (1, Some(600)));
    sqlx::query("UPDATE scheduling.jobs SET cron = '0 5 * * *', interval_secs = NULL WHERE name = 'sync-transactions'")
        .execute(&pool)
        .await
        .expect("edited");
    assert_eq!((plan_edited(&pool, None).await.expect("planned"), interval().await), (1, None));
}

#[tokio::test]
async fn a_schedule_that_cant_be_read_stops_no_other_job() {
    let (_database, pool) = filled().await;
    sqlx::query(
        "UPDATE scheduling.jobs SET cron = 'whenever', next_run_at = now() - interval '1 hour' WHERE name = 'prune'",
    )
    .execute(&pool)
    .await
    .expect("spoilt");
    set_next_run(&pool, "1 second").await;
    assert!(fire(&pool, Uuid::nil(), LEASE, None).await.expect("looked").is_none());
    let fired = fire(&pool, Uuid::nil(), LEASE, None).await.expect("looked").expect("fired");
    assert_eq!(fired.run.job, Job::PullMissedEvents);
}

#[tokio::test]
async fn prune_erases_old_bodies_and_keeps_the_ids() {
    let world = World::new().await;
    let _scheduler = world.start(world.scheduler_options("scheduler").env("WEBHOOK_BODY_RETENTION_DAYS", "30")).await;
    world.untold_stories(4, 41, time::Duration::HOUR).await;
    world.run_job(PULL).await;
    let stored = world.stored().await;
    world
        .run(
            "UPDATE ingress.webhook_events e SET status = 'applied', due_at = NULL,
                received_at = CASE WHEN n % 2 = 0 THEN now() - interval '31 days' ELSE received_at END
             FROM (SELECT id, row_number() OVER (ORDER BY id) AS n FROM ingress.webhook_events) AS numbered WHERE numbered.id = e.id",
        )
        .await;
    world.run("UPDATE ingress.webhook_events SET status = 'parked', wait_key = 'x' WHERE event_id = (SELECT min(event_id) FROM ingress.webhook_events)").await;
    let run = world.run_job("prune").await;
    let erased = run.result.expect("a result")["bodiesErased"].as_i64().expect("a number");
    let old = "SELECT count(*) FROM ingress.webhook_events WHERE received_at < now() - interval '30 days' AND status = 'applied'";
    assert_eq!(erased, world.count(old).await);
    assert_eq!(erased, world.count("SELECT count(*) FROM ingress.webhook_events WHERE body IS NULL").await);
    assert_eq!(world.stored().await, stored);
}
