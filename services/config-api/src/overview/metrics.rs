//! The metrics page: counts, durations, failures by code, health. Computed at most every second, and seldomer the longer it takes, so that however
//! many look, it costs the database a twentieth of a connection at most. Who asks gets what was computed last while the next is under way, as long
//! as that is not old.

use std::sync::Arc;
use std::time::Duration as StdDuration;

use serde::Serialize;
use serde_json::Number;
use sqlx::{FromRow, PgPool};
use time::{Duration, OffsetDateTime};
use tokio::sync::{Mutex, RwLock};
use tokio::time::Instant;
use utoipa::ToSchema;

use super::attempts::{Minutes, Tally};
use crate::labels;
use crate::timestamp::Timestamp;

/// Good for so long at least.
const FRESH: StdDuration = StdDuration::from_secs(1);
/// And for so many times as long as it took.
const FRESH_PER_COST: u32 = 20;
/// Older ones are not shown.
const TOO_OLD: StdDuration = StdDuration::from_secs(60);

/// Attempts of a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct Attempts {
    pub total: i64,
    pub success: i64,
    pub failed: i64,
}

/// Attempts of the last seven days, and how long they took, in milliseconds to two digits.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct SyncMetrics {
    pub total: i64,
    pub successful: i64,
    pub failed: i64,
    /// Syncs that wait now.
    pub pending: i64,
    /// Percent, to two digits after the point; 0 without attempts.
    #[schema(value_type = f64)]
    pub success_rate: Number,
    #[schema(required)]
    pub average_duration: Option<i64>,
    #[schema(required)]
    pub p50: Option<i32>,
    #[schema(required)]
    pub p95: Option<i32>,
    #[schema(required)]
    pub p99: Option<i32>,
}

/// Syncs of a type.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, FromRow, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct EntityMetrics {
    #[schema(schema_with = labels::entity_type_schema)]
    pub entity_type: String,
    pub total: i64,
    pub synced: i64,
    pub failed: i64,
    #[schema(required)]
    pub last_sync_at: Option<Timestamp>,
}

/// Failed syncs of a code.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, FromRow, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ErrorMetrics {
    #[schema(schema_with = labels::error_code_schema)]
    pub error_code: String,
    pub count: i64,
    pub last_occurrence: Timestamp,
}

/// A health check of the last 24 h.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, FromRow, ToSchema)]
pub struct HealthCheck {
    pub timestamp: Timestamp,
    /// `healthy`, `degraded` or `down`.
    pub status: String,
    /// In milliseconds.
    #[schema(required)]
    pub latency: Option<i32>,
}

/// Attempts that ended within a minute or an hour.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct Point {
    /// Its beginning.
    pub timestamp: Timestamp,
    pub success: i64,
    pub failed: i64,
}

/// For charts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Series {
    /// The last hour.
    pub per_minute: Vec<Point>,
    /// The last seven days.
    pub per_hour: Vec<Point>,
}

/// All of it.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Metrics {
    /// When it was computed.
    pub timestamp: Timestamp,
    #[serde(rename = "last24h")]
    pub last_24_hours: Attempts,
    #[serde(rename = "last7d")]
    pub last_7_days: Attempts,
    /// Syncs that wait.
    pub pending: i64,
    /// Failed syncs that are tried again by themselves.
    pub retry_queue: i64,
    pub sync_metrics: SyncMetrics,
    pub entity_metrics: Vec<EntityMetrics>,
    pub error_metrics: Vec<ErrorMetrics>,
    pub health_history: Vec<HealthCheck>,
    pub series: Series,
}

/// What was computed last, and what is remembered for the next time. Clones share it.
#[derive(Clone, Debug, Default)]
pub struct Overview {
    shown: Arc<RwLock<Option<Shown>>>,
    minutes: Arc<Mutex<Minutes>>,
}

#[derive(Clone, Debug)]
struct Shown {
    metrics: Arc<Metrics>,
    at: Instant,
    cost: StdDuration,
}

impl Shown {
    fn is_fresh(&self) -> bool {
        self.at.elapsed() < FRESH.max(self.cost * FRESH_PER_COST)
    }
}

impl Overview {
    /// The metrics as they are, or were a moment ago.
    ///
    /// # Errors
    /// The database.
    pub async fn metrics(&self, pool: &PgPool) -> Result<Arc<Metrics>, sqlx::Error> {
        let shown = self.shown.read().await.clone();
        match shown {
            Some(shown) if shown.is_fresh() => Ok(shown.metrics),
            Some(shown) if shown.at.elapsed() < TOO_OLD => {
                let (overview, pool) = (self.clone(), pool.clone());
                tokio::spawn(async move {
                    if let Err(error) = overview.compute(&pool, false).await {
                        tracing::warn!(error = &error as &dyn std::error::Error, "metrics can't be computed");
                    }
                });
                Ok(shown.metrics)
            }
            _ => {
                self.compute(pool, true).await?;
                let shown = self.shown.read().await.clone();
                shown.map(|shown| shown.metrics).ok_or(sqlx::Error::RowNotFound)
            }
        }
    }

    /// Computes them, unless somebody is at it; then waits for that, if asked to.
    async fn compute(&self, pool: &PgPool, wait: bool) -> Result<(), sqlx::Error> {
        let mut minutes = if wait {
            self.minutes.lock().await
        } else {
            let Ok(minutes) = self.minutes.try_lock() else { return Ok(()) };
            minutes
        };
        if self.shown.read().await.as_ref().is_some_and(Shown::is_fresh) {
            return Ok(());
        }
        let begun = Instant::now();
        let now = OffsetDateTime::now_utc();
        minutes.refresh(pool, now).await?;
        let metrics = Arc::new(metrics(pool, &minutes, now).await?);
        *self.shown.write().await = Some(Shown { metrics, at: Instant::now(), cost: begun.elapsed() });
        Ok(())
    }
}

async fn metrics(pool: &PgPool, minutes: &Minutes, now: OffsetDateTime) -> Result<Metrics, sqlx::Error> {
    let week = minutes.since(now - Duration::days(7));
    let entity_metrics: Vec<EntityMetrics> = sqlx::query_as(
        "SELECT source_type::text AS entity_type, sum(count)::bigint AS total, coalesce(sum(count) FILTER (WHERE sync_status = 'synced'), 0)::bigint AS synced,
            coalesce(sum(count) FILTER (WHERE sync_status = 'failed'), 0)::bigint AS failed, max(last) AS last_sync_at
         FROM (SELECT source_type, sync_status, count(*) AS count, max(tried_at) FILTER (WHERE sync_status <> 'pending') AS last FROM sync.for_readers
            GROUP BY source_type, sync_status) AS counted
         GROUP BY source_type ORDER BY source_type",
    )
    .fetch_all(pool)
    .await?;
    let error_metrics = sqlx::query_as(
        "SELECT error_code, count(*) AS count, max(tried_at) AS last_occurrence FROM sync.for_readers
         WHERE sync_status = 'failed' AND error_code IS NOT NULL GROUP BY error_code ORDER BY count(*) DESC, error_code",
    )
    .fetch_all(pool)
    .await?;
    let (pending, retry_queue): (i64, i64) = sqlx::query_as(
        "SELECT (SELECT count(*) FROM sync.for_readers WHERE sync_status = 'pending'),
            (SELECT count(*) FROM sync.for_readers WHERE sync_status = 'failed' AND next_retry_at IS NOT NULL)",
    )
    .fetch_one(pool)
    .await?;
    let health_history = sqlx::query_as(
        "SELECT checked_at AS timestamp, status::text AS status, latency_ms AS latency FROM scheduling.health_for_config_api
         WHERE checked_at > now() - interval '24 hours' ORDER BY checked_at DESC LIMIT 100",
    )
    .fetch_all(pool)
    .await?;
    let points = |from, step| {
        let series = minutes.series(now - from, now, step).into_iter();
        series.map(|(at, success, failed)| Point { timestamp: Timestamp(at), success, failed }).collect()
    };
    Ok(Metrics {
        timestamp: Timestamp(now),
        last_24_hours: Attempts::of(&minutes.since(now - Duration::hours(24))),
        last_7_days: Attempts::of(&week),
        pending,
        retry_queue,
        sync_metrics: SyncMetrics {
            total: week.total(),
            successful: week.success,
            failed: week.failed,
            pending,
            success_rate: percent(week.success, week.total()),
            average_duration: week.average(),
            p50: week.percentile(50),
            p95: week.percentile(95),
            p99: week.percentile(99),
        },
        entity_metrics,
        error_metrics,
        health_history,
        series: Series { per_minute: points(Duration::hours(1), 1), per_hour: points(Duration::days(7), 60) },
    })
}

impl Attempts {
    const fn of(tally: &Tally) -> Self {
        Self { total: tally.total(), success: tally.success, failed: tally.failed }
    }
}

/// A share in percent, to two digits after the point.
fn percent(part: i64, whole: i64) -> Number {
    let hundredths = if whole > 0 { part * 10_000 / whole } else { 0 };
    let text = format!("{}.{:02}", hundredths / 100, hundredths % 100);
    text.parse().unwrap_or_else(|_| Number::from(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_are_told_to_two_digits() {
        let told = |part, whole| percent(part, whole).to_string();
        assert_eq!((told(0, 0), told(1, 3), told(3, 3)), ("0.0".to_owned(), "33.33".to_owned(), "100.0".to_owned()));
    }
}
