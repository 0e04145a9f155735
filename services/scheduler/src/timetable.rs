//! The timetable in the database: which jobs there are, which is due, who has it in hand.
//!
//! Firing is a compare-and-set on `next_run_at` and the run's row, in one transaction: however many schedulers look at once, one fires. A job that
//! was due several times while nothing ran is fired once. A run whose lease is over is abandoned, and its job due at once.

use std::time::Duration;

use domain::schedule::{Schedule, ScheduleError};
use events::JobTrigger;
use sqlx::{FromRow, PgPool};
use time::OffsetDateTime;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::jobs::Job;
use crate::run::Run;

/// When a job whose schedule can't be read is looked at again.
const UNREADABLE_PAUSE: time::Duration = time::Duration::hours(1);

/// A run that was just fired.
#[derive(Debug)]
pub struct Fired {
    /// The run.
    pub run: Run,
    /// Its schedule, a schedule that was missed, or a person.
    pub trigger: JobTrigger,
    /// When it began.
    pub started_at: OffsetDateTime,
}

#[derive(Debug, FromRow)]
struct Due {
    name: String,
    cron: Option<String>,
    interval_secs: Option<i32>,
    time_zone: String,
    next_run_at: OffsetDateTime,
    requested_by: Option<String>,
    now: OffsetDateTime,
}

/// A job whose schedule is not the one that it was planned by.
#[derive(Debug, FromRow)]
struct Edited {
    name: String,
    cron: Option<String>,
    interval_secs: Option<i32>,
    time_zone: String,
    schedule: String,
    now: OffsetDateTime,
}

/// Adds the jobs that are not in the timetable yet. What an admin has changed stays.
///
/// # Errors
/// The database can't be reached.
pub async fn add_missing(pool: &PgPool) -> anyhow::Result<()> {
    let now: OffsetDateTime = sqlx::query_scalar("SELECT clock_timestamp()").fetch_one(pool).await?;
    let mut first_runs = Vec::with_capacity(Job::ALL.len());
    for job in Job::ALL {
        let (cron, seconds) = job.usual().columns();
        first_runs.push(Schedule::parse(cron, seconds, "UTC")?.next_after(now)?);
    }
    let columns = Job::ALL.map(|job| job.usual().columns());
    sqlx::query(
        "INSERT INTO scheduling.jobs (name, cron, interval_secs, next_run_at, planned_schedule)
         SELECT name, cron, seconds, next, concat_ws('|', cron, seconds, 'UTC')
         FROM unnest($1::text[], $2::text[], $3::integer[], $4::timestamptz[]) AS jobs (name, cron, seconds, next)
         ON CONFLICT (name) DO NOTHING",
    )
    .bind(Job::ALL.map(Job::name).as_slice())
    .bind(columns.map(|(cron, _)| cron).as_slice())
    .bind(columns.map(|(_, seconds)| seconds).as_slice())
    .bind(first_runs)
    .execute(pool)
    .await?;
    Ok(())
}

/// Plans anew what was edited: the next run counts from now, by the new schedule. The interval of `sync-transactions` follows the configuration's
/// `syncInterval`, unless an admin has given it times of the day. Returns how many jobs were planned. `now` as for [`fire`].
///
/// # Errors
/// The database can't be reached.
pub async fn plan_edited(pool: &PgPool, now: Option<OffsetDateTime>) -> Result<usize, sqlx::Error> {
    sqlx::query(
        "UPDATE scheduling.jobs j SET interval_secs = c.sync_interval_secs FROM config.for_scheduler c
         WHERE j.name = $1 AND j.interval_secs <> c.sync_interval_secs",
    )
    .bind(Job::SyncTransactions.name())
    .execute(pool)
    .await?;
    let edited: Vec<Edited> = sqlx::query_as(
        "SELECT name, cron, interval_secs, time_zone, concat_ws('|', cron, interval_secs, time_zone) AS schedule,
            coalesce($1, clock_timestamp()) AS now
         FROM scheduling.jobs WHERE planned_schedule IS DISTINCT FROM concat_ws('|', cron, interval_secs, time_zone)",
    )
    .bind(now)
    .fetch_all(pool)
    .await?;
    for job in &edited {
        let schedule = Schedule::parse(job.cron.as_deref(), job.interval_secs, &job.time_zone);
        let next = schedule.and_then(|schedule| schedule.next_after(job.now)).unwrap_or_else(|error| {
            tracing::error!(job = job.name, error = error.to_string(), "the schedule of a job can't be read");
            job.now + UNREADABLE_PAUSE
        });
        // A run that somebody has asked for stays due. What another scheduler has planned meanwhile is not planned back.
        sqlx::query(
            "UPDATE scheduling.jobs SET planned_schedule = $2,
                next_run_at = CASE WHEN requested_by IS NULL THEN $3 ELSE next_run_at END
             WHERE name = $1 AND concat_ws('|', cron, interval_secs, time_zone) = $2 AND planned_schedule IS DISTINCT FROM $2",
        )
        .bind(&job.name)
        .bind(&job.schedule)
        .bind(next)
        .execute(pool)
        .await?;
        tracing::info!(job = job.name, next_run_at = domain::instant::text(next), "a job's schedule was changed");
    }
    Ok(edited.len())
}

/// One look at the timetable by the scheduler `instance`: abandons what is over, plans what was edited, and fires all that is due, or what is left of it when
/// `stop` comes. Each run is handed to `begin` as soon as its firing is committed. `now` as for [`fire`].
///
/// # Errors
/// The database can't be reached; what was handed over before is fired.
pub async fn look(
    pool: &PgPool,
    instance: Uuid,
    lease: Duration,
    now: Option<OffsetDateTime>,
    stop: &CancellationToken,
    mut begin: impl FnMut(Fired),
) -> Result<(), sqlx::Error> {
    abandon_expired(pool, now).await?;
    plan_edited(pool, now).await?;
    while !stop.is_cancelled()
        && let Some(fired) = fire(pool, instance, lease, now).await?
    {
        begin(fired);
    }
    Ok(())
}

/// Fires the job that has been due longest, if one is due that is not in hand; the run's row names the scheduler `instance`. `now`: none for the
/// database's clock, which all schedulers share.
///
/// # Errors
/// The database can't be reached; nothing was fired then.
pub async fn fire(
    pool: &PgPool,
    instance: Uuid,
    lease: Duration,
    now: Option<OffsetDateTime>,
) -> Result<Option<Fired>, sqlx::Error> {
    let mut transaction = pool.begin().await?;
    let due: Option<Due> = sqlx::query_as(
        "SELECT j.name, j.cron, j.interval_secs, j.time_zone, j.next_run_at, j.requested_by,
            coalesce($2, clock_timestamp()) AS now
         FROM scheduling.jobs j
         WHERE j.paused_at IS NULL AND j.next_run_at <= coalesce($2, clock_timestamp()) AND j.name = ANY ($1)
            AND NOT EXISTS (SELECT FROM scheduling.job_runs r WHERE r.job_name = j.name AND r.status = 'running')
         ORDER BY j.next_run_at LIMIT 1 FOR UPDATE SKIP LOCKED",
    )
    .bind(Job::ALL.map(Job::name).as_slice())
    .bind(now)
    .fetch_optional(&mut *transaction)
    .await?;
    let Some(due) = due else { return Ok(None) };
    let Some(job) = Job::of(&due.name) else { return Ok(None) };
    let planned = plan(&due);
    let next = match &planned {
        Ok((next, _)) => *next,
        Err(error) => {
            tracing::error!(job = job.name(), error = error.to_string(), "the schedule of a job can't be read");
            due.now + UNREADABLE_PAUSE
        }
    };
    // Compare and set; the row is locked besides.
    sqlx::query(
        "UPDATE scheduling.jobs SET next_run_at = $3, requested_by = NULL WHERE name = $1 AND next_run_at = $2",
    )
    .bind(&due.name)
    .bind(due.next_run_at)
    .bind(next)
    .execute(&mut *transaction)
    .await?;
    let Ok((_, trigger)) = planned else {
        transaction.commit().await?;
        return Ok(None);
    };
    let owner = Uuid::new_v4();
    let fired: Option<(Uuid, OffsetDateTime)> = sqlx::query_as(
        "INSERT INTO scheduling.job_runs (job_name, scheduled_for, started_at, lease_owner, lease_until, requested_by, instance)
         VALUES ($1, $2, coalesce($6, clock_timestamp()), $3, coalesce($6, clock_timestamp()) + make_interval(secs => $4), $5, $7)
         ON CONFLICT (job_name, scheduled_for) DO NOTHING RETURNING id, started_at",
    )
    .bind(&due.name)
    .bind(due.next_run_at)
    .bind(owner)
    .bind(lease.as_secs_f64())
    .bind(due.requested_by.as_deref())
    .bind(now)
    .bind(instance)
    .fetch_optional(&mut *transaction)
    .await?;
    service::failpoint!("scheduler.before_fire");
    transaction.commit().await?;
    service::failpoint!("scheduler.after_fire");
    Ok(fired.map(|(id, started_at)| Fired { run: Run { id, job, owner, pool: pool.clone() }, trigger, started_at }))
}

/// When it runs next, and why it runs now: somebody asked for it, or it makes up for a run that was missed, if the time after the one that was due has
/// passed as well, or it is simply due.
fn plan(due: &Due) -> Result<(OffsetDateTime, JobTrigger), ScheduleError> {
    let schedule = Schedule::parse(due.cron.as_deref(), due.interval_secs, &due.time_zone)?;
    let missed = schedule.next_after(due.next_run_at)? <= due.now;
    let trigger = match (&due.requested_by, missed) {
        (Some(_), _) => JobTrigger::Manual,
        (None, true) => JobTrigger::MakeUp,
        (None, false) => JobTrigger::Schedule,
    };
    Ok((schedule.next_after(due.now)?, trigger))
}

/// Abandons the runs whose lease is over, and makes their jobs due at once. Returns how many. `now` as for [`fire`].
///
/// # Errors
/// The database can't be reached.
pub async fn abandon_expired(pool: &PgPool, now: Option<OffsetDateTime>) -> Result<u64, sqlx::Error> {
    let names: Vec<String> = sqlx::query_scalar(
        "WITH expired AS (
            SELECT id FROM scheduling.job_runs WHERE status = 'running' AND lease_until < coalesce($1, clock_timestamp())
            ORDER BY id FOR UPDATE SKIP LOCKED
         ), abandoned AS (
            UPDATE scheduling.job_runs r SET status = 'abandoned', finished_at = coalesce($1, clock_timestamp()), lease_owner = NULL,
                lease_until = NULL, error = 'its scheduler died, or could not reach the database'
            FROM expired WHERE r.id = expired.id RETURNING r.job_name
         )
         UPDATE scheduling.jobs j SET next_run_at = least(j.next_run_at, coalesce($1, clock_timestamp()))
         FROM abandoned WHERE j.name = abandoned.job_name RETURNING j.name",
    )
    .bind(now)
    .fetch_all(pool)
    .await?;
    for name in &names {
        count_abandoned(name);
    }
    Ok(names.len() as u64)
}

/// Gives a run back that was not finished, so that another scheduler has it at once.
///
/// # Errors
/// The database can't be reached; the lease ends by itself.
pub(crate) async fn give_back(run: &Run) -> Result<(), sqlx::Error> {
    let given: u64 = sqlx::query(
        "WITH given AS (
            UPDATE scheduling.job_runs SET status = 'abandoned', finished_at = clock_timestamp(), lease_owner = NULL,
                lease_until = NULL, error = 'its scheduler was told to stop'
            WHERE id = $1 AND lease_owner = $2 AND status = 'running' RETURNING job_name
         )
         UPDATE scheduling.jobs j SET next_run_at = least(j.next_run_at, clock_timestamp())
         FROM given WHERE j.name = given.job_name",
    )
    .bind(run.id)
    .bind(run.owner)
    .execute(&run.pool)
    .await?
    .rows_affected();
    if given > 0 {
        count_abandoned(run.job.name());
    }
    Ok(())
}

fn count_abandoned(job: &str) {
    service::metrics::Counter::JobRuns.increment(&[("job", job), ("result", "abandoned")]);
}
