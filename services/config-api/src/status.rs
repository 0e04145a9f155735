//! How it all stands at the moment: one answer for the panel's first page, from rows that others keep.

use actix_web::http::StatusCode;
use domain::ErrorCode;
use serde::Serialize;
use service::http::ApiError;
use sqlx::PgPool;
use time::OffsetDateTime;
use utoipa::ToSchema;

use crate::State;
use crate::configuration::{Configuration, DisabledBy, HealthStatus, LastSyncStatus, Row};
use crate::timestamp::Timestamp;

/// How it stands.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Status {
    /// Always true: an integration that is off answers 503.
    pub enabled: bool,
    #[schema(required)]
    pub health_status: Option<HealthStatus>,
    #[schema(required)]
    pub last_full_sync: Option<Timestamp>,
    #[schema(required)]
    pub last_sync_status: Option<LastSyncStatus>,
    /// When transactions are synced next by the timetable.
    #[schema(required)]
    pub next_scheduled_sync: Option<Timestamp>,
    /// Seconds.
    pub sync_interval: i32,
    pub scheduler: SchedulerStatus,
    pub stats: SyncStats,
    pub circuit_breaker: CircuitBreaker,
    pub configuration: ConfiguredStatus,
}

/// The scheduler, as its timetable shows it.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct SchedulerStatus {
    /// Whether jobs are fired when they are due.
    pub running: bool,
    /// Their names.
    pub jobs: Vec<String>,
}

/// Syncs, counted.
#[derive(Clone, Copy, Debug, Serialize, ToSchema, sqlx::FromRow)]
#[serde(rename_all = "camelCase")]
pub struct SyncStats {
    /// Tried within the last 24 hours.
    pub recent_syncs: i64,
    pub failed_syncs: i64,
    /// Failed, and tried again by themselves.
    pub pending_retries: i64,
    pub pending_syncs: i64,
}

/// The gate that every call to FlashERP passes.
#[derive(Clone, Debug, Serialize, ToSchema, sqlx::FromRow)]
#[serde(rename_all = "camelCase")]
pub struct CircuitBreaker {
    /// closed (lets through), open (holds back) or half_open (lets one try).
    pub state: String,
    /// In a row.
    pub failures: i32,
    /// When it opened.
    #[schema(required)]
    pub opens_at: Option<Timestamp>,
    /// When one call is let through to try.
    #[schema(required)]
    pub retry_at: Option<Timestamp>,
    /// FlashERP has asked everyone to wait until then.
    #[schema(required)]
    pub not_before: Option<Timestamp>,
    /// The code for which everything is stopped until the configuration changes or health passes.
    #[schema(required)]
    pub stopped_reason: Option<String>,
    /// Whether outbound work is paused by hand.
    pub paused: bool,
    #[schema(required)]
    pub paused_by: Option<String>,
    #[schema(required)]
    pub pause_reason: Option<String>,
}

/// The configuration, in short.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ConfiguredStatus {
    #[serde(rename = "baseURL")]
    pub base_url: String,
    pub api_key_masked: String,
    pub webhooks_enabled: bool,
    pub auto_sync_enabled: bool,
    /// The names of the types that are in.
    pub sync_scope: Vec<&'static str>,
}

#[derive(sqlx::FromRow)]
struct Timetable {
    jobs: Vec<String>,
    next_scheduled_sync: Option<OffsetDateTime>,
    is_overdue: bool,
}

/// Reads it.
///
/// # Errors
/// 503: there is no configuration, or it is switched off. The database.
pub async fn read(state: &State) -> Result<Status, ApiError> {
    let row = Row::load(&state.pool).await?.ok_or_else(not_configured)?;
    let enabled_by_environment = state.config.first.enabled;
    if let Some(disabled_by) = DisabledBy::of(row.is_enabled(), enabled_by_environment) {
        return Err(disabled(disabled_by));
    }
    let (timetable, stats, circuit_breaker) =
        tokio::try_join!(timetable(&state.pool), stats(&state.pool), circuit_breaker(&state.pool))?;
    let configuration = Configuration::of(&row, &state.config.keyring, enabled_by_environment);
    Ok(Status {
        enabled: true,
        health_status: configuration.health_status,
        last_full_sync: configuration.last_full_sync,
        last_sync_status: configuration.last_sync_status,
        next_scheduled_sync: timetable.next_scheduled_sync.map(Timestamp),
        sync_interval: configuration.sync_interval,
        scheduler: SchedulerStatus {
            running: !timetable.jobs.is_empty() && !timetable.is_overdue,
            jobs: timetable.jobs,
        },
        stats,
        circuit_breaker,
        configuration: ConfiguredStatus {
            base_url: configuration.base_url,
            api_key_masked: configuration.api_key_masked,
            webhooks_enabled: configuration.enable_webhooks,
            auto_sync_enabled: configuration.enable_auto_sync,
            sync_scope: configuration.sync_scope.names(),
        },
    })
}

/// What is told where there is nothing to work with.
pub(crate) fn not_configured() -> ApiError {
    ApiError::new(ErrorCode::ConfigNotFound, "there is no configuration; save one first")
        .with_status(StatusCode::SERVICE_UNAVAILABLE)
}

/// What is told where the integration is switched off.
pub(crate) fn disabled(by: DisabledBy) -> ApiError {
    let message = match by {
        DisabledBy::Environment => {
            "the integration is switched off by FLASHERP_ENABLED=false; that goes before the configuration"
        }
        DisabledBy::Configuration => "the integration is switched off; set isEnabled",
    };
    ApiError::new(ErrorCode::ConfigDisabled, message).with_detail("disabledBy", by.as_str())
}

/// A scheduler fires what is due within seconds: a job that is two minutes late, and not held up by a run of its own, says that there is none.
async fn timetable(pool: &PgPool) -> Result<Timetable, sqlx::Error> {
    sqlx::query_as(
        "SELECT coalesce(array_agg(j.name ORDER BY j.name), '{}') AS jobs, \
             min(j.next_run_at) FILTER (WHERE j.name = 'sync-transactions' AND j.paused_at IS NULL) AS next_scheduled_sync, \
             coalesce(bool_or(j.paused_at IS NULL AND j.next_run_at < clock_timestamp() - interval '2 minutes' AND NOT EXISTS \
                 (SELECT FROM scheduling.job_runs_for_config_api r WHERE r.job_name = j.name AND r.status = 'running')), false) AS is_overdue \
         FROM scheduling.jobs_for_config_api j",
    )
    .fetch_one(pool)
    .await
}

/// Each count is read from an index of its own. A sync that was tried stands in lists at its last attempt: that leads to those of a day.
///
/// # Errors
/// The database.
pub async fn stats(pool: &PgPool) -> Result<SyncStats, sqlx::Error> {
    sqlx::query_as(
        "SELECT (SELECT count(*) FROM sync.for_readers WHERE tried_at > now() - interval '24 hours' AND last_sync_attempt IS NOT NULL) AS recent_syncs, \
             (SELECT count(*) FROM sync.for_readers WHERE sync_status = 'failed') AS failed_syncs, \
             (SELECT count(*) FROM sync.for_readers WHERE sync_status = 'failed' AND next_retry_at IS NOT NULL) AS pending_retries, \
             (SELECT count(*) FROM sync.for_readers WHERE sync_status = 'pending') AS pending_syncs",
    )
    .fetch_one(pool)
    .await
}

async fn circuit_breaker(pool: &PgPool) -> Result<CircuitBreaker, sqlx::Error> {
    sqlx::query_as(
        "SELECT state::text, failures, opened_at AS opens_at, retry_at, \
             CASE WHEN not_before > clock_timestamp() THEN not_before END AS not_before, stopped_reason, \
             paused_at IS NOT NULL AS paused, paused_by, pause_reason \
         FROM sync.gate_for_readers",
    )
    .fetch_one(pool)
    .await
}
