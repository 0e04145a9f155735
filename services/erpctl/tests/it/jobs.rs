//! `erpctl jobs`.

use serde_json::{Value, json};
use sqlx::PgPool;
use testkit::TestDatabase;

use crate::erpctl::erpctl;

async fn timetable() -> (TestDatabase, PgPool, String) {
    let database = TestDatabase::new().await;
    let owner = database.pool("erp_owner").await;
    for statement in [
        "INSERT INTO scheduling.jobs (name, cron, interval_secs, next_run_at, planned_schedule) VALUES
            ('prune', '30 3 * * *', NULL, '2020-01-01Z', '30 3 * * *|UTC'), ('sync-transactions', NULL, 3600, '2020-01-01Z', '3600|UTC')",
        "INSERT INTO scheduling.job_runs (id, job_name, scheduled_for, status, started_at, finished_at, instance, requested_by, error)
         SELECT ('00000000-0000-4000-8000-00000000000' || n)::uuid, 'prune', day, CASE WHEN n = 2 THEN 'failed' ELSE 'succeeded' END::scheduling.job_run_status,
            day + interval '1 second', day + interval '2 seconds', '00000000-0000-4000-9000-000000000000', CASE WHEN n = 3 THEN 'ada' END,
            CASE WHEN n = 2 THEN 'INTERNAL_ERROR: the database' END
         FROM generate_series(1, 3) AS n, LATERAL (SELECT '2026-11-20T03:30:00Z'::timestamptz + n * interval '1 day') AS d (day)",
    ] {
        sqlx::query(statement).execute(&owner).await.expect(statement);
    }
    let url = database.url_for("erp_owner");
    (database, owner, url)
}

async fn audited(owner: &PgPool) -> Vec<(String, String, Option<String>, Value, Value)> {
    sqlx::query_as(
        "SELECT action::text, metadata ->> 'operation', performed_by, request_payload, response_payload FROM audit.erp_audit_logs
         WHERE entity_type = 'job' ORDER BY created_at, id",
    )
    .fetch_all(owner)
    .await
    .expect("rows")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_edited_job_counts_from_now_and_the_audit_log_has_who_before_and_after() {
    let (_database, owner, url) = timetable().await;
    let run = |args: &[&str]| erpctl(args, &[("DATABASE_URL", &url)]);
    let by = ["--by", "grace", "--reason", "month end"];
    let edited =
        run(&[&["jobs", "edit", "prune", "--cron", "0 4 * * *", "--time-zone", "Asia/Kolkata"][..], &by].concat());
    assert_eq!(edited.code, 0, "{}", edited.err);
    let ahead: bool = sqlx::query_scalar(
        "SELECT next_run_at BETWEEN clock_timestamp() AND clock_timestamp() + interval '24 hours'
            AND to_char(next_run_at AT TIME ZONE 'Asia/Kolkata', 'HH24:MI:SS') = '04:00:00' AND planned_schedule = '0 4 * * *|Asia/Kolkata'
         FROM scheduling.jobs WHERE name = 'prune'",
    )
    .fetch_one(&owner)
    .await
    .expect("the job");
    assert!(ahead, "{}", edited.out);
    let rows = audited(&owner).await;
    let [(action, operation, who, request, response)] = &rows[..] else { panic!("{rows:?}") };
    assert_eq!((action.as_str(), operation.as_str(), who.as_deref()), ("config_updated", "job.edited", Some("grace")));
    assert_eq!(request["reason"], "month end");
    assert_eq!(
        (&response["before"]["cron"], &response["before"]["timeZone"], &response["before"]["nextRunAt"]),
        (&json!("30 3 * * *"), &json!("UTC"), &json!("2020-01-01T00:00:00.000Z"))
    );
    assert_eq!(
        (&response["after"]["cron"], &response["after"]["timeZone"]),
        (&json!("0 4 * * *"), &json!("Asia/Kolkata"))
    );

    // The zone alone: the times stay. Then seconds: the times go.
    assert_eq!(run(&["jobs", "edit", "prune", "--time-zone", "UTC"]).code, 0);
    assert!(run(&["jobs", "list"]).out.contains("prune: 0 4 * * * (UTC), next "));
    assert_eq!(run(&["jobs", "edit", "prune", "--every-secs", "90"]).code, 0);
    assert!(run(&["jobs", "list"]).out.contains("prune: every 90 s, next "));

    for (args, why) in [
        (&["prune"][..], "required"),
        (&["prune", "--cron", "whenever"], "is no cron expression"),
        (&["prune", "--cron", "0 0 30 2 *"], "never comes"),
        (&["prune", "--cron", "0 4 * * *", "--time-zone", "Berlin"], "is no time zone"),
        (&["prune", "--cron", "0 4 * * *", "--every-secs", "60"], "cannot be used with"),
        (&["prune", "--every-secs", "0"], "0"),
        (&["sync-transactions", "--every-secs", "60"], "syncInterval"),
    ] {
        let refused = run(&[&["jobs", "edit"][..], args].concat());
        assert!(refused.code == 2 && refused.err.contains(why), "{args:?}: {}", refused.err);
    }
    let unknown = run(&["jobs", "edit", "no-such-job", "--every-secs", "60"]);
    assert!(unknown.code == 1 && unknown.err.contains("there is no job no-such-job"), "{}", unknown.err);
    assert_eq!(run(&["jobs", "edit", "sync-transactions", "--cron", "*/20 * * * *"]).code, 0);
    assert_eq!(audited(&owner).await.len(), 4, "what was refused changed nothing");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_job_is_paused_resumed_and_run_and_each_is_audited() {
    let (_database, owner, url) = timetable().await;
    let run = |args: &[&str]| erpctl(args, &[("DATABASE_URL", &url)]);
    assert_eq!(run(&["jobs", "pause", "prune", "--by", "grace", "--reason", "slow"]).out, "prune is paused\n");
    assert!(run(&["jobs", "list"]).out.contains("prune: 30 3 * * * (UTC), paused by grace: slow\n"));
    let paused = run(&["jobs", "run", "prune"]);
    assert!(paused.code == 1 && paused.err.contains("prune is paused"), "{}", paused.err);
    assert_eq!(run(&["jobs", "pause", "prune"]).out, "prune was paused already\n");
    assert_eq!(run(&["jobs", "resume", "prune"]).out, "prune goes on\n");
    assert_eq!(run(&["jobs", "run", "prune", "--by", "ada"]).code, 0);
    let wanted: Option<String> = sqlx::query_scalar("SELECT requested_by FROM scheduling.jobs WHERE name = 'prune'")
        .fetch_one(&owner)
        .await
        .expect("the job");
    assert_eq!(wanted.as_deref(), Some("ada"));
    let audited: Vec<_> = audited(&owner)
        .await
        .into_iter()
        .map(|(_, operation, by, _, response)| {
            (
                operation,
                by.expect("somebody"),
                response["changed"] == true,
                response["before"]["paused"] == true,
                response["after"]["paused"] == true,
            )
        })
        .collect();
    let row = |operation: &str, by: &str, changed, before, after| {
        (operation.to_owned(), by.to_owned(), changed, before, after)
    };
    assert_eq!(
        audited,
        [
            row("job.paused", "grace", true, false, true),
            row("job.paused", "erpctl", false, true, true),
            row("job.resumed", "erpctl", true, true, false),
            row("job.run", "ada", true, false, false),
        ]
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_runs_of_a_job_are_listed_page_by_page() {
    let (_database, _owner, url) = timetable().await;
    let run = |args: &[&str]| erpctl(args, &[("DATABASE_URL", &url)]);
    let newest = run(&["jobs", "history", "prune", "--limit", "2"]);
    assert_eq!(newest.code, 0, "{}", newest.err);
    let on = "on 00000000-0000-4000-9000-000000000000";
    assert_eq!(
        newest.out.lines().collect::<Vec<_>>(),
        [
            format!(
                "00000000-0000-4000-8000-000000000003 planned 2026-11-23T03:30:00.000Z started 2026-11-23T03:30:01.000Z ended 2026-11-23T03:30:02.000Z succeeded {on} asked for by ada"
            ),
            format!(
                "00000000-0000-4000-8000-000000000002 planned 2026-11-22T03:30:00.000Z started 2026-11-22T03:30:01.000Z ended 2026-11-22T03:30:02.000Z failed {on}: INTERNAL_ERROR: the database"
            ),
        ]
    );
    let older = run(&["jobs", "history", "prune", "--before", "00000000-0000-4000-8000-000000000002"]);
    assert_eq!(older.out.lines().count(), 1, "{}", older.out);
    assert!(older.out.starts_with("00000000-0000-4000-8000-000000000001 planned 2026-11-21"), "{}", older.out);
    assert_eq!(run(&["jobs", "history", "no-such-job"]).code, 1);
}
