//! `erpctl jobs`: the scheduler's timetable, shown and changed. A change and its audit row (who, before, after) are one transaction.

use std::fmt::Write as _;

use domain::instant;
use domain::schedule::Schedule;
use secrets::redact::redact;
use serde_json::{Value, json};
use sqlx::{PgConnection, PgPool};
use time::OffsetDateTime;
use uuid::Uuid;

use crate::args::{Jobs, When, Who};
use crate::failure::Failure;
use crate::opened;
use crate::output::print;

/// Its interval is the configuration's.
const SYNC_TRANSACTIONS: &str = "sync-transactions";

/// A change, as the audit log has it.
struct Change {
    action: &'static str,
    operation: &'static str,
    request: Value,
}

#[derive(sqlx::FromRow)]
struct Job {
    name: String,
    cron: Option<String>,
    interval_secs: Option<i32>,
    time_zone: String,
    next_run_at: OffsetDateTime,
    paused_by: Option<String>,
    pause_reason: Option<String>,
    now: OffsetDateTime,
}

pub(crate) async fn run(command: Jobs) -> Result<(), Failure> {
    let pool = opened::database().await?;
    match command {
        Jobs::List => list(&pool).await,
        Jobs::History { name, limit, before } => history(&pool, &name, limit, before).await,
        Jobs::Edit { name, when, who } => edit(&pool, &name, &when, &who).await,
        Jobs::Pause { name, who } => pause(&pool, &name, &who).await,
        Jobs::Resume { name, who } => resume(&pool, &name, &who).await,
        Jobs::Run { name, who } => run_now(&pool, &name, &who).await,
    }
}

const SELECT: &str = "SELECT name, cron, interval_secs, time_zone, next_run_at, paused_by, pause_reason, clock_timestamp() AS now FROM scheduling.jobs";

impl Job {
    /// When it runs, in one piece.
    fn schedule(&self) -> String {
        match (&self.cron, self.interval_secs) {
            (Some(cron), _) => format!("{cron} ({})", self.time_zone),
            (None, seconds) => format!("every {} s", seconds.unwrap_or_default()),
        }
    }

    fn audited(&self) -> Value {
        json!({
            "cron": self.cron, "intervalSeconds": self.interval_secs, "timeZone": self.time_zone, "nextRunAt": instant::text(self.next_run_at),
            "paused": self.pause_reason.is_some(), "pausedBy": self.paused_by, "pauseReason": self.pause_reason,
        })
    }
}

async fn list(pool: &PgPool) -> Result<(), Failure> {
    let jobs: Vec<Job> = sqlx::query_as(sqlx::AssertSqlSafe(format!("{SELECT} ORDER BY name")))
        .fetch_all(pool)
        .await
        .map_err(not_reached)?;
    let mut lines = String::new();
    for job in jobs {
        let when = match (&job.pause_reason, &job.paused_by) {
            (Some(reason), by) => format!("paused by {}: {reason}", by.as_deref().unwrap_or("nobody")),
            (None, _) => format!("next {}", instant::text(job.next_run_at)),
        };
        // Into a string, which never fails.
        let _ = writeln!(lines, "{}: {}, {when}", job.name, job.schedule());
    }
    print(&lines)
}

#[derive(sqlx::FromRow)]
struct Ran {
    id: Uuid,
    scheduled_for: OffsetDateTime,
    status: String,
    started_at: OffsetDateTime,
    finished_at: Option<OffsetDateTime>,
    requested_by: Option<String>,
    instance: Option<Uuid>,
    error: Option<String>,
}

async fn history(pool: &PgPool, name: &str, limit: i64, before: Option<Uuid>) -> Result<(), Failure> {
    let known = sqlx::query("SELECT FROM scheduling.jobs WHERE name = $1").bind(name).fetch_optional(pool).await;
    known.map_err(not_reached)?.ok_or_else(|| unknown(name))?;
    let runs: Vec<Ran> = sqlx::query_as(
        "SELECT id, scheduled_for, status::text, started_at, finished_at, requested_by, instance, error FROM scheduling.job_runs
         WHERE job_name = $1 AND ($3::uuid IS NULL OR (started_at, id) < (SELECT started_at, id FROM scheduling.job_runs WHERE id = $3))
         ORDER BY started_at DESC, id DESC LIMIT $2",
    )
    .bind(name)
    .bind(limit)
    .bind(before)
    .fetch_all(pool)
    .await
    .map_err(not_reached)?;
    let mut lines = String::new();
    for run in runs {
        let ended = run.finished_at.map_or_else(|| "-".to_owned(), instant::text);
        let instance = run.instance.map_or_else(|| "-".to_owned(), |instance| instance.to_string());
        let _ = write!(
            lines,
            "{} planned {} started {} ended {ended} {} on {instance}",
            run.id,
            instant::text(run.scheduled_for),
            instant::text(run.started_at),
            run.status,
        );
        let by = run.requested_by.map(|by| format!(" asked for by {by}"));
        let error = run.error.map(|error| format!(": {error}"));
        let _ = writeln!(lines, "{}{}", by.unwrap_or_default(), error.unwrap_or_default());
    }
    print(&lines)
}

/// The job, kept from others until the transaction ends: the scheduler passes it over meanwhile.
fn unknown(name: &str) -> Failure {
    Failure::Failed(format!("there is no job {name}; `erpctl jobs list` shows what there is"))
}

/// The job, locked until the end of the transaction.
async fn find(connection: &mut PgConnection, name: &str) -> Result<Job, Failure> {
    let job: Option<Job> = sqlx::query_as(sqlx::AssertSqlSafe(format!("{SELECT} WHERE name = $1 FOR UPDATE")))
        .bind(name)
        .fetch_optional(connection)
        .await
        .map_err(not_reached)?;
    job.ok_or_else(|| unknown(name))
}

async fn edit(pool: &PgPool, name: &str, when: &When, who: &Who) -> Result<(), Failure> {
    let mut transaction = pool.begin().await.map_err(not_reached)?;
    let before = find(&mut transaction, name).await?;
    let (cron, seconds) = match (&when.cron, when.every_secs) {
        (None, None) => (before.cron.clone(), before.interval_secs),
        (cron, seconds) => (cron.clone(), seconds),
    };
    if name == SYNC_TRANSACTIONS && seconds.is_some() && seconds != before.interval_secs {
        return Err(Failure::Usage(
            "the seconds between its runs are the configuration's syncInterval; change that, or give it a cron expression".to_owned(),
        ));
    }
    let zone = when.time_zone.as_deref().unwrap_or(&before.time_zone);
    let next = Schedule::parse(cron.as_deref(), seconds, zone)
        .and_then(|schedule| schedule.next_after(before.now))
        .map_err(|error| Failure::Usage(error.to_string()))?;
    // Planned here and not by the next scheduler that looks: it counts from now also where none runs. A run that somebody has asked for stays due.
    sqlx::query(
        "UPDATE scheduling.jobs SET cron = $2, interval_secs = $3, time_zone = $4, planned_schedule = concat_ws('|', $2::text, $3::integer, $4::text),
            next_run_at = CASE WHEN requested_by IS NULL THEN $5 ELSE next_run_at END, updated_at = clock_timestamp()
         WHERE name = $1",
    )
    .bind(name)
    .bind(&cron)
    .bind(seconds)
    .bind(zone)
    .bind(next)
    .execute(&mut *transaction)
    .await
    .map_err(not_reached)?;
    let request = json!({"cron": when.cron, "intervalSeconds": when.every_secs, "timeZone": when.time_zone, "reason": who.reason});
    let change = Change { action: "config_updated", operation: "job.edited", request };
    let after = changed(&mut transaction, change, who, &before, true).await?;
    transaction.commit().await.map_err(not_reached)?;
    print(&format!("{name}: {}, next {}\n", after.schedule(), instant::text(after.next_run_at)))
}

async fn pause(pool: &PgPool, name: &str, who: &Who) -> Result<(), Failure> {
    let reason = who.reason.as_deref().unwrap_or("by hand");
    let done = set_paused(pool, name, who, Some(reason), "job.paused").await?;
    print(&format!("{name} {}\n", if done { "is paused" } else { "was paused already" }))
}

async fn resume(pool: &PgPool, name: &str, who: &Who) -> Result<(), Failure> {
    let done = set_paused(pool, name, who, None, "job.resumed").await?;
    print(&format!("{name} {}\n", if done { "goes on" } else { "was not paused" }))
}

async fn set_paused(
    pool: &PgPool,
    name: &str,
    who: &Who,
    reason: Option<&str>,
    operation: &'static str,
) -> Result<bool, Failure> {
    let mut transaction = pool.begin().await.map_err(not_reached)?;
    let before = find(&mut transaction, name).await?;
    let done: bool = sqlx::query_scalar("SELECT scheduling.pause($1, $2, $3)")
        .bind(name)
        .bind(&who.by)
        .bind(reason)
        .fetch_one(&mut *transaction)
        .await
        .map_err(not_reached)?;
    let change = Change { action: "config_updated", operation, request: json!({"reason": who.reason}) };
    changed(&mut transaction, change, who, &before, done).await?;
    transaction.commit().await.map_err(not_reached)?;
    Ok(done)
}

async fn run_now(pool: &PgPool, name: &str, who: &Who) -> Result<(), Failure> {
    let mut transaction = pool.begin().await.map_err(not_reached)?;
    let before = find(&mut transaction, name).await?;
    let is_due: bool = sqlx::query_scalar("SELECT scheduling.run_now($1, $2)")
        .bind(name)
        .bind(&who.by)
        .fetch_one(&mut *transaction)
        .await
        .map_err(not_reached)?;
    if !is_due {
        return Err(Failure::Failed(format!("{name} is paused; resume it, then it can run")));
    }
    let change = Change { action: "manual_sync", operation: "job.run", request: json!({"reason": who.reason}) };
    changed(&mut transaction, change, who, &before, true).await?;
    transaction.commit().await.map_err(not_reached)?;
    print(&format!("{name} is due now; the scheduler runs it\n"))
}

/// Writes the audit row; returns the job as it is now.
async fn changed(
    connection: &mut PgConnection,
    change: Change,
    who: &Who,
    before: &Job,
    changed: bool,
) -> Result<Job, Failure> {
    let after = find(connection, &before.name).await?;
    sqlx::query(
        "INSERT INTO audit.erp_audit_logs (action, entity_type, entity_id, status, request_payload, response_payload, performed_by, metadata)
         VALUES ($1::audit.action, 'job', $2, 'success', $3, $4, $5, $6)",
    )
    .bind(change.action)
    .bind(&before.name)
    .bind(redact(&change.request))
    .bind(redact(&json!({"changed": changed, "before": before.audited(), "after": after.audited()})))
    .bind(&who.by)
    .bind(json!({"operation": change.operation}))
    .execute(connection)
    .await
    .map_err(not_reached)?;
    Ok(after)
}

fn not_reached(error: sqlx::Error) -> Failure {
    Failure::failed("the database refused, or can't be reached", error)
}
