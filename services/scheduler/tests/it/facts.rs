//! What the scheduler states of jobs, health, alerts and seals: as the schemas have it, and as the rows are.

use serde_json::{Value, json};
use testkit::eventually;
use testkit::facts::{keep, stated};
use testkit::sandbox::Fault;

use crate::kit::{SOON, World};

async fn said(world: &World, kind: &str) -> Vec<Value> {
    stated(&world.pool, "scheduling", &format!("upcoach.erp.{kind}.v1")).await
}

/// As a row has it.
async fn row(world: &World, statement: &'static str) -> Value {
    sqlx::query_scalar(statement).fetch_one(&world.pool).await.unwrap_or_else(|error| panic!("{statement}: {error}"))
}

#[tokio::test]
async fn jobs_health_and_alerts_are_stated_as_they_are() {
    let world = World::new().await;
    keep(&world.pool, "scheduling").await;
    let _scheduler = world.scheduler().await;
    // Only when they are asked for.
    world.run("UPDATE scheduling.jobs SET cron = '0 0 1 1 *' WHERE name IN ('health-check', 'prune')").await;
    let well = world.run_job("health-check").await;
    world.sandbox.add_fault(&Fault::status(503).on("GET", "/health")).await;
    world.run_job("health-check").await;
    world.run("ALTER FUNCTION ingress.erase_bodies(timestamptz, integer) RENAME TO gone").await;
    let failed = world.run_job("prune").await;

    let jobs = said(&world, "job.finished").await;
    let of = |run: uuid::Uuid| {
        jobs.iter().find(|fact| fact["runId"] == run.to_string()).unwrap_or_else(|| panic!("{jobs:?}"))
    };
    let (first, last) = (of(well.id), of(failed.id));
    let told = |fact: &Value| ["job", "trigger", "result", "items", "errorCode"].map(|name| fact[name].clone());
    assert_eq!(told(first), [json!("health-check"), json!("manual"), json!("succeeded"), json!(1), Value::Null]);
    assert_eq!(told(last), [json!("prune"), json!("manual"), json!("failed"), json!(0), json!("INTERNAL_ERROR")]);
    assert!(last["durationMs"].is_u64());
    let times = "SELECT jsonb_build_array(to_char(r.started_at AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.MS\"Z\"'),
            to_char(j.next_run_at AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.MS\"Z\"'))
        FROM scheduling.job_runs r JOIN scheduling.jobs j ON j.name = r.job_name WHERE j.name = 'prune' AND r.status = 'failed'";
    assert_eq!(json!([last["startedAt"], last["nextRunAt"]]), row(&world, times).await);

    let health = said(&world, "health.checked").await;
    let [first, last] = &health[..] else { panic!("{health:?}") };
    let told = |fact: &Value| {
        ["status", "previousStatus", "errorCode", "failureRateBasisPoints"].map(|name| fact[name].clone())
    };
    assert_eq!(told(first), [json!("healthy"), Value::Null, Value::Null, Value::Null]);
    assert_eq!(told(last), [json!("down"), json!("healthy"), json!("SERVICE_UNAVAILABLE"), Value::Null]);
    assert!(first["latencyMs"].is_u64() && last["latencyMs"].is_null());
    let checks = "SELECT jsonb_agg(id::text ORDER BY checked_at) FROM scheduling.health_checks";
    assert_eq!(json!([first["checkId"], last["checkId"]]), row(&world, checks).await);

    eventually(SOON, "both alerts are stated", || async { said(&world, "alert.raised").await.len() == 2 }).await;
    world.sandbox.clear_faults().await;
    world.run_job("health-check").await;
    eventually(SOON, "the end is stated", || async { said(&world, "alert.raised").await.len() == 3 }).await;
    let alerts = said(&world, "alert.raised").await;
    let told = |kind: &str, state: &str| {
        let found = alerts.iter().find(|fact| fact["kind"] == kind && fact["state"] == state);
        let fact = found.unwrap_or_else(|| panic!("no {kind} that is {state} in {alerts:?}"));
        ["severity", "alertId", "referenceId"].map(|name| fact[name].clone())
    };
    let [severity, alert, check] = told("health", "raised");
    assert_eq!((severity, &check), (json!("critical"), &health[1]["checkId"]));
    assert_eq!(told("health", "resolved")[1], alert);
    let id = "SELECT to_jsonb(id) FROM scheduling.alerts WHERE kind = 'health'";
    assert_eq!(alert, row(&world, id).await);
    assert_eq!(told("job", "raised")[2], json!(failed.id));
}

#[tokio::test]
async fn a_seal_is_stated_with_its_place_and_its_head() {
    let world = World::new().await;
    keep(&world.pool, "scheduling").await;
    let _scheduler = world.scheduler().await;
    world.run_job("health-check").await;
    eventually(SOON, "a seal", || async {
        world.run_job("seal-audit-log").await;
        !said(&world, "audit.sealed").await.is_empty()
    })
    .await;
    let sealed = said(&world, "audit.sealed").await;
    let first = "SELECT jsonb_build_object('epoch', epoch, 'number', number, 'rows', row_count, 'head', encode(head, 'hex')) FROM audit.seals WHERE number = 1";
    let first = row(&world, first).await;
    for name in ["epoch", "number", "rows", "head"] {
        assert_eq!(sealed[0][name], first[name], "{name}: {sealed:?}");
    }
    assert!(sealed[0]["previousHead"].is_null(), "{sealed:?}");
}
