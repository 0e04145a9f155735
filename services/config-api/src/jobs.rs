//! The scheduler's timetable, shown and steered. The scheduler owns it: what is asked of it here goes through its own functions, in one
//! transaction with the audit row.

use domain::ErrorCode;
use serde::Serialize;
use serde_json::{Value, json};
use service::http::ApiError;
use sqlx::postgres::PgRow;
use sqlx::{FromRow, PgConnection, PgPool, Row as _};
use time::OffsetDateTime;
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use crate::audit::{Action, Entry};
use crate::input::{Fields, FromFields};
use crate::listing::{Conditions, List};
use crate::paging::Cursor;
use crate::timestamp::Timestamp;
use crate::{Actor, State};

/// How a run went.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum RunStatus {
    Running,
    Succeeded,
    Failed,
    /// Its process died, or was stopped; the job was made due again.
    Abandoned,
}

impl RunStatus {
    const ALL: [Self; 4] = [Self::Running, Self::Succeeded, Self::Failed, Self::Abandoned];

    const fn as_str(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Succeeded => "succeeded",
            Self::Failed => "failed",
            Self::Abandoned => "abandoned",
        }
    }

    /// Of a column of the enum type.
    fn of(stored: &str) -> Self {
        Self::ALL.into_iter().find(|status| status.as_str() == stored).unwrap_or(Self::Failed)
    }
}

/// A run of a job.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct JobRun {
    pub id: Uuid,
    pub status: RunStatus,
    pub scheduled_for: Timestamp,
    pub started_at: Timestamp,
    #[schema(required)]
    pub finished_at: Option<Timestamp>,
    /// Who asked for it; null for one of the schedule's.
    #[schema(required)]
    pub requested_by: Option<String>,
    /// The scheduler process that ran it, as its log and its `/healthz` name it.
    #[schema(required)]
    pub instance: Option<Uuid>,
    /// What it did; depends on the job.
    #[schema(required, value_type = Option<Object>)]
    pub result: Option<Value>,
    #[schema(required)]
    pub error: Option<String>,
}

/// A job of the timetable.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Job {
    pub name: String,
    /// When it runs, as a cron expression; this or `intervalSeconds`.
    #[schema(required)]
    pub cron: Option<String>,
    #[schema(required)]
    pub interval_seconds: Option<i32>,
    pub time_zone: String,
    pub next_run_at: Timestamp,
    pub running: bool,
    pub paused: bool,
    #[schema(required)]
    pub paused_at: Option<Timestamp>,
    #[schema(required)]
    pub paused_by: Option<String>,
    #[schema(required)]
    pub pause_reason: Option<String>,
    /// The newest run, under way or ended.
    #[schema(required)]
    pub last_run: Option<JobRun>,
}

/// All jobs, by name.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Jobs {
    pub data: Vec<Job>,
}

/// What was done, and the job after it.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct JobChanged {
    pub message: &'static str,
    /// Whether this request changed it.
    pub changed: bool,
    pub job: Job,
}

#[derive(sqlx::FromRow)]
struct Row {
    name: String,
    cron: Option<String>,
    interval_secs: Option<i32>,
    time_zone: String,
    next_run_at: OffsetDateTime,
    paused_at: Option<OffsetDateTime>,
    paused_by: Option<String>,
    pause_reason: Option<String>,
    run_id: Option<Uuid>,
    run_status: Option<String>,
    scheduled_for: Option<OffsetDateTime>,
    started_at: Option<OffsetDateTime>,
    finished_at: Option<OffsetDateTime>,
    requested_by: Option<String>,
    instance: Option<Uuid>,
    result: Option<Value>,
    error: Option<String>,
}

impl From<Row> for Job {
    fn from(row: Row) -> Self {
        let last_run = match (row.run_id, row.run_status, row.scheduled_for, row.started_at) {
            (Some(id), Some(status), Some(scheduled_for), Some(started_at)) => Some(JobRun {
                id,
                status: RunStatus::of(&status),
                scheduled_for: scheduled_for.into(),
                started_at: started_at.into(),
                finished_at: row.finished_at.map(Timestamp),
                requested_by: row.requested_by,
                instance: row.instance,
                result: row.result,
                error: row.error,
            }),
            _ => None,
        };
        Self {
            name: row.name,
            cron: row.cron,
            interval_seconds: row.interval_secs,
            time_zone: row.time_zone,
            next_run_at: row.next_run_at.into(),
            running: last_run.as_ref().is_some_and(|run| run.status == RunStatus::Running),
            paused: row.paused_at.is_some(),
            paused_at: row.paused_at.map(Timestamp),
            paused_by: row.paused_by,
            pause_reason: row.pause_reason,
            last_run,
        }
    }
}

/// With the newest run of each, by the index of the job's history. `$1`: one name, or null for all.
const SELECT: &str = "SELECT j.name, j.cron, j.interval_secs, j.time_zone, j.next_run_at, j.paused_at, j.paused_by, j.pause_reason, \
        r.id AS run_id, r.status::text AS run_status, r.scheduled_for, r.started_at, r.finished_at, r.requested_by, r.instance, r.result, r.error \
     FROM scheduling.jobs_for_config_api j \
     LEFT JOIN LATERAL (SELECT * FROM scheduling.job_runs_for_config_api r WHERE r.job_name = j.name \
         ORDER BY r.started_at DESC LIMIT 1) r ON true \
     WHERE $1::text IS NULL OR j.name = $1 ORDER BY j.name";

/// All jobs.
///
/// # Errors
/// The database.
pub async fn list(pool: &PgPool) -> Result<Jobs, ApiError> {
    let rows: Vec<Row> = sqlx::query_as(SELECT).bind(None::<&str>).fetch_all(pool).await?;
    Ok(Jobs { data: rows.into_iter().map(Job::from).collect() })
}

/// The runs of one job, newest first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Runs {
    /// From the path.
    pub job: String,
    status: Option<RunStatus>,
}

impl Runs {
    /// Of this job.
    ///
    /// # Errors
    /// 404. The database.
    pub async fn of(self, pool: &PgPool, job: &str) -> Result<Self, ApiError> {
        find(&mut *pool.acquire().await?, job).await?;
        Ok(Self { job: job.to_owned(), ..self })
    }
}

impl FromFields for Runs {
    fn read(fields: &mut Fields) -> Self {
        let statuses = RunStatus::ALL.map(|status| (status.as_str(), status));
        Self { job: String::new(), status: fields.one_of("status", &statuses) }
    }
}

/// The parameters of [`Runs`], for the API's description.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "describes what `Runs` reads")]
pub struct RunsParameters {
    #[param(inline)]
    status: Option<RunStatus>,
}

impl List for Runs {
    type Row = JobRun;
    const FROM: &'static str = "scheduling.job_runs_for_config_api";
    const COLUMNS: &'static str = "r.id, r.status::text, r.scheduled_for, r.started_at, r.finished_at, r.requested_by, r.instance, r.result, r.error";
    const AT: Option<&'static str> = Some("started_at");

    fn conditions(&self, only: &mut Conditions<'_>) {
        only.equals("job_name", Some(self.job.clone()));
        only.label("status", self.status.map(RunStatus::as_str));
    }

    fn place(row: &JobRun) -> Cursor {
        Cursor { at: row.started_at.0, id: row.id }
    }
}

impl FromRow<'_, PgRow> for JobRun {
    fn from_row(row: &PgRow) -> Result<Self, sqlx::Error> {
        let status: String = row.try_get("status")?;
        Ok(Self {
            id: row.try_get("id")?,
            status: RunStatus::of(&status),
            scheduled_for: row.try_get("scheduled_for")?,
            started_at: row.try_get("started_at")?,
            finished_at: row.try_get("finished_at")?,
            requested_by: row.try_get("requested_by")?,
            instance: row.try_get("instance")?,
            result: row.try_get("result")?,
            error: row.try_get("error")?,
        })
    }
}

async fn find(connection: &mut PgConnection, name: &str) -> Result<Job, ApiError> {
    if !is_name(name) {
        return Err(unknown());
    }
    let row: Option<Row> = sqlx::query_as(SELECT).bind(name).fetch_optional(connection).await?;
    row.map(Job::from).ok_or_else(unknown)
}

fn unknown() -> ApiError {
    ApiError::new(ErrorCode::ResourceNotFound, "there is no job of this name")
}

/// As the timetable takes them; the database is not asked for others.
fn is_name(name: &str) -> bool {
    (1..=63).contains(&name.len())
        && name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
}

/// Makes a job due now.
///
/// # Errors
/// 404. 409: it is paused. The database.
pub async fn run(state: &State, actor: &Actor, name: &str) -> Result<JobChanged, ApiError> {
    let mut transaction = state.pool.begin().await?;
    let before = find(&mut transaction, name).await?;
    let is_due: bool = sqlx::query_scalar("SELECT scheduling.run_now($1, $2)")
        .bind(name)
        .bind(&actor.subject)
        .fetch_one(&mut *transaction)
        .await?;
    if !is_due {
        return Err(ApiError::new(ErrorCode::ResourceConflict, "the job is paused; resume it, then it can run"));
    }
    let job = find(&mut transaction, name).await?;
    audit(&mut transaction, actor, (Action::ManualSync, "job.run"), json!({}), true, [&before, &job]).await?;
    transaction.commit().await?;
    Ok(JobChanged { message: "the job is due now; the scheduler runs it", changed: true, job })
}

/// Pauses a job: it is not fired until it is resumed.
///
/// # Errors
/// 404. The database.
pub async fn pause(state: &State, actor: &Actor, name: &str, reason: &str) -> Result<JobChanged, ApiError> {
    set_paused(state, actor, name, Some(reason), "job.paused", ["the job is paused", "the job was paused already"])
        .await
}

/// Resumes a job. One that was due meanwhile runs once.
///
/// # Errors
/// 404. The database.
pub async fn resume(state: &State, actor: &Actor, name: &str) -> Result<JobChanged, ApiError> {
    set_paused(state, actor, name, None, "job.resumed", ["the job goes on", "the job was not paused"]).await
}

async fn set_paused(
    state: &State,
    actor: &Actor,
    name: &str,
    reason: Option<&str>,
    operation: &'static str,
    [done, nothing_to_do]: [&'static str; 2],
) -> Result<JobChanged, ApiError> {
    let mut transaction = state.pool.begin().await?;
    let before = find(&mut transaction, name).await?;
    let changed: bool = sqlx::query_scalar("SELECT scheduling.pause($1, $2, $3)")
        .bind(name)
        .bind(&actor.subject)
        .bind(reason)
        .fetch_one(&mut *transaction)
        .await?;
    let job = find(&mut transaction, name).await?;
    // What was done at the same moment by another is as it is after.
    let before = if changed { &before } else { &job };
    let request = json!({ "reason": reason });
    audit(&mut transaction, actor, (Action::ConfigUpdated, operation), request, changed, [before, &job]).await?;
    transaction.commit().await?;
    Ok(JobChanged { message: if changed { done } else { nothing_to_do }, changed, job })
}

/// What is steered of it.
fn audited(job: &Job) -> Value {
    json!({
        "paused": job.paused, "pausedAt": job.paused_at, "pausedBy": job.paused_by, "pauseReason": job.pause_reason,
        "nextRunAt": job.next_run_at,
    })
}

async fn audit(
    connection: &mut PgConnection,
    actor: &Actor,
    (action, operation): (Action, &'static str),
    request: Value,
    changed: bool,
    [before, after]: [&Job; 2],
) -> Result<(), sqlx::Error> {
    let entry = Entry {
        action,
        operation,
        entity_type: "job",
        entity_id: Some(after.name.clone()),
        succeeded: true,
        request,
        response: json!({ "changed": changed, "before": audited(before), "after": audited(after) }),
        metadata: json!({}),
    };
    entry.insert(connection, actor).await
}
