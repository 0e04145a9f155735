//! Status, pause and the timetable, over HTTP.

use serde_json::{Value, json};
use sqlx::PgPool;

use crate::api::Api;

async fn configured(enabled: bool) -> (Api, PgPool) {
    let api = Api::start().await;
    let body = json!({"apiKey": "fk_live_1234567890", "apiSecret": "s", "baseURL": "http://127.0.0.1:9/v1", "isEnabled": enabled});
    assert_eq!(api.put("/api/erp/config", &body).await.status, 200);
    let pool = api.pool().await;
    (api, pool)
}

async fn audited(pool: &PgPool) -> Vec<(String, Value)> {
    sqlx::query_as(
        "SELECT metadata ->> 'operation', response_payload FROM audit.erp_audit_logs
         WHERE metadata ->> 'operation' NOT LIKE 'config.%' AND performed_by = 'admin@test' ORDER BY id",
    )
    .fetch_all(pool)
    .await
    .expect("rows")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn status_is_503_until_there_is_a_configuration_that_is_on_and_says_what_switches_it_off() {
    let api = Api::start().await;
    let none = api.get("/api/erp/status").await;
    assert_eq!((none.status, none.json()["code"].as_str()), (503, Some("CONFIG_NOT_FOUND")));
    api.stop().await;
    let (api, _) = configured(false).await;
    let off = api.get("/api/erp/status").await;
    assert_eq!((off.status, off.json()["code"].as_str()), (503, Some("CONFIG_DISABLED")));
    assert_eq!(off.json()["details"], json!([{"field": "disabledBy", "issue": "configuration"}]));
    api.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn status_tells_health_timetable_counts_breaker_and_configuration() {
    let (api, pool) = configured(true).await;
    let run = async |statement: &'static str| {
        sqlx::query(statement).execute(&pool).await.expect("it runs");
    };
    let bare = api.get("/api/erp/status").await.json();
    assert_eq!(bare["scheduler"], json!({"running": false, "jobs": []}));
    run("SELECT config.record_health('healthy'), config.record_full_sync('partial')").await;
    run("INSERT INTO scheduling.jobs (name, interval_secs, next_run_at) VALUES
         ('sync-transactions', 3600, '2035-01-01T00:00:00Z'), ('prune', 60, clock_timestamp() + interval '1 hour')")
    .await;
    run("INSERT INTO sync.erp_syncs (id, source_system, source_type, source_id, sync_status, last_sync_attempt, next_retry_at)
         SELECT gen_random_uuid(), 'upcoach', 'transaction', gen_random_uuid(), s.status::sync.sync_status, clock_timestamp() - s.ago,
            CASE WHEN s.retries THEN clock_timestamp() END
         FROM (VALUES ('synced', interval '1 hour', false), ('synced', interval '2 days', false), ('failed', interval '3 hours', true),
            ('failed', interval '3 days', false), ('pending', NULL, false)) AS s (status, ago, retries)").await;
    let status = api.get("/api/erp/status").await.json();
    assert_eq!(status["stats"], json!({"recentSyncs": 2, "failedSyncs": 2, "pendingRetries": 1, "pendingSyncs": 1}));
    assert_eq!((&status["healthStatus"], &status["lastSyncStatus"]), (&json!("healthy"), &json!("partial")));
    assert_eq!(status["nextScheduledSync"], "2035-01-01T00:00:00.000Z");
    assert_eq!(status["scheduler"], json!({"running": true, "jobs": ["prune", "sync-transactions"]}));
    assert_eq!(
        (&status["circuitBreaker"]["state"], &status["circuitBreaker"]["failures"]),
        (&json!("closed"), &json!(0))
    );
    assert_eq!(
        status["configuration"],
        json!({"baseURL": "http://127.0.0.1:9/v1", "apiKeyMasked": "fk_l...7890", "webhooksEnabled": true, "autoSyncEnabled": true,
            "syncScope": ["transactions", "subscriptions", "customers"]})
    );
    run("UPDATE scheduling.jobs SET next_run_at = clock_timestamp() - interval '3 minutes' WHERE name = 'prune'").await;
    let late = api.get("/api/erp/status").await.json();
    assert_eq!(late["scheduler"]["running"], false, "what is due is not fired");
    api.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn outbound_work_is_paused_with_a_reason_and_resumed_once_and_told() {
    let (api, pool) = configured(true).await;
    assert_eq!(api.post("/api/erp/pause", &json!({})).await.wrong_fields(), ["reason"]);
    assert_eq!(api.post("/api/erp/pause", &json!({"reason": ""})).await.wrong_fields(), ["reason"]);
    let paused = api.post("/api/erp/pause", &json!({"reason": "month end"})).await.json();
    assert_eq!(
        (&paused["paused"], &paused["changed"], &paused["reason"]),
        (&json!(true), &json!(true), &json!("month end"))
    );
    assert_eq!(paused["pausedBy"], "admin@test");
    let again = api.post("/api/erp/pause", &json!({"reason": "another"})).await.json();
    assert_eq!((&again["changed"], &again["reason"]), (&json!(false), &json!("month end")));
    let status = api.get("/api/erp/status").await.json();
    assert_eq!(
        (&status["circuitBreaker"]["paused"], &status["circuitBreaker"]["pauseReason"]),
        (&json!(true), &json!("month end"))
    );
    assert_eq!(api.post("/api/erp/resume", &json!({})).await.json()["changed"], true);
    assert_eq!(api.post("/api/erp/resume", &json!({"reason": "done"})).await.json()["changed"], false);
    let facts: Vec<Vec<u8>> =
        sqlx::query_scalar("SELECT body FROM sync.outbox ORDER BY id").fetch_all(&pool).await.expect("facts");
    let causes: Vec<Value> = facts
        .iter()
        .map(|body| serde_json::from_slice::<Value>(body).expect("JSON")["data"]["cause"].clone())
        .collect();
    assert_eq!(causes, [json!("paused"), json!("resumed")]);
    let changes: Vec<_> = audited(&pool)
        .await
        .into_iter()
        .map(|(operation, response)| (operation, response["changed"] == true))
        .collect();
    let expected = [
        ("outbound.paused", true),
        ("outbound.paused", false),
        ("outbound.resumed", true),
        ("outbound.resumed", false),
    ];
    assert_eq!(changes, expected.map(|(operation, changed)| (operation.to_owned(), changed)));
    api.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn jobs_are_listed_run_paused_and_resumed() {
    let (api, pool) = configured(true).await;
    sqlx::query("INSERT INTO scheduling.jobs (name, cron, next_run_at) VALUES ('prune', '30 3 * * *', clock_timestamp() + interval '1 hour')")
        .execute(&pool)
        .await
        .expect("a job");
    sqlx::query("INSERT INTO scheduling.job_runs (job_name, scheduled_for, status, started_at, finished_at, instance, result, error) VALUES
         ('prune', '2026-01-01Z', 'failed', '2026-01-01Z', '2026-01-01T00:00:05Z', '00000000-0000-4000-8000-000000000001', NULL, 'INTERNAL_ERROR: the database'),
         ('prune', '2026-01-02Z', 'succeeded', '2026-01-02Z', '2026-01-02Z', NULL, '{\"erased\": 3}', NULL)")
        .execute(&pool)
        .await
        .expect("runs");
    let listed = api.get("/api/erp/jobs").await.json();
    let job = &listed["data"][0];
    assert_eq!(
        (&job["name"], &job["cron"], &job["paused"], &job["running"]),
        (&json!("prune"), &json!("30 3 * * *"), &json!(false), &json!(false))
    );
    assert_eq!((&job["lastRun"]["status"], &job["lastRun"]["result"]["erased"]), (&json!("succeeded"), &json!(3)));

    let runs = api.get("/api/erp/jobs/prune/runs?limit=1").await.json();
    assert_eq!(
        (&runs["pagination"]["total"], &runs["data"][0]["scheduledFor"], &runs["data"][0]["status"]),
        (&json!(2), &json!("2026-01-02T00:00:00.000Z"), &json!("succeeded"))
    );
    let cursor = runs["pagination"]["nextCursor"].as_str().expect("there is another");
    let older = api.get(&format!("/api/erp/jobs/prune/runs?limit=1&cursor={cursor}")).await.json();
    assert_eq!(
        older["data"][0],
        json!({"id": older["data"][0]["id"], "status": "failed", "scheduledFor": "2026-01-01T00:00:00.000Z",
            "startedAt": "2026-01-01T00:00:00.000Z", "finishedAt": "2026-01-01T00:00:05.000Z", "requestedBy": null,
            "instance": "00000000-0000-4000-8000-000000000001", "result": null, "error": "INTERNAL_ERROR: the database"})
    );
    assert_eq!(api.get("/api/erp/jobs/prune/runs?status=failed").await.json()["pagination"]["total"], 1);
    assert_eq!(api.get("/api/erp/jobs/prune/runs?status=lost").await.wrong_fields(), ["status"]);
    assert_eq!(api.get("/api/erp/jobs/no-such-job/runs").await.status, 404);

    let run = api.post("/api/erp/jobs/prune/run", &json!({})).await;
    assert_eq!(run.status, 202);
    let due: bool = sqlx::query_scalar(
        "SELECT next_run_at <= clock_timestamp() AND requested_by = 'admin@test' FROM scheduling.jobs",
    )
    .fetch_one(&pool)
    .await
    .expect("a job");
    assert!(due);
    let paused = api.post("/api/erp/jobs/prune/pause", &json!({"reason": "slow"})).await.json();
    assert_eq!(
        (&paused["changed"], &paused["job"]["pauseReason"], &paused["job"]["pausedBy"]),
        (&json!(true), &json!("slow"), &json!("admin@test"))
    );
    assert_eq!(api.post("/api/erp/jobs/prune/run", &json!({})).await.status, 409);
    assert_eq!(api.post("/api/erp/jobs/prune/resume", &json!({})).await.json()["job"]["paused"], false);
    assert_eq!(api.post("/api/erp/jobs/prune/resume", &json!({})).await.json()["changed"], false);
    for action in ["run", "pause", "resume"] {
        for name in ["no-such-job", "x%27%20OR%201%3D1", "%00"] {
            let unknown = api.post(&format!("/api/erp/jobs/{name}/{action}"), &json!({})).await;
            assert_eq!(unknown.status, 404, "{name}/{action}: {unknown:?}");
        }
    }
    let operations: Vec<_> = audited(&pool).await.into_iter().map(|(operation, _)| operation).collect();
    assert_eq!(operations, ["job.run", "job.paused", "job.resumed", "job.resumed"]);
    api.stop().await;
}
