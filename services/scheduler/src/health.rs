//! `health-check`: how FlashERP is, with history: healthy, degraded (slow, or too many syncs fail), down.
//!
//! The call passes the gate always and tells it how it went: that FlashERP lets us in again ends a stop. The check, the configuration's health, the fact, the
//! audit row of a change and the alerts are one transaction: who dies before it has checked nothing, and the run is fired again.

use std::sync::Arc;
use std::time::{Duration, Instant};

use domain::{ErrorCode, RequestId};
use events::{AlertKind, HealthChecked, HealthStatus, Severity};
use flasherp::Call;
use messaging::Outbox;
use serde_json::json;
use sqlx::PgConnection;
use syncs::target::{Targets, Unusable};
use tokio::sync::Notify;
use uuid::Uuid;

use crate::alerts::state::{self, Condition};
use crate::run::{Done, Failed, Run};

/// More failed syncs than this of those tried in the last hour, in hundredths of a percent, are too many.
const MOST_FAILED: i64 = 500;
/// Of fewer syncs than this nothing can be told.
const LEAST_TRIED: i64 = 20;

/// The job.
#[derive(Debug)]
pub(crate) struct HealthCheck {
    pub(crate) targets: Targets,
    pub(crate) outbox: Outbox,
    /// Rung when facts were stated.
    pub(crate) stated: Arc<Notify>,
    /// `HEALTH_SLOW_MS`.
    pub(crate) slow: Duration,
}

/// What a check found.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Found {
    status: HealthStatus,
    latency: Option<Duration>,
    /// Hundredths of a percent.
    failure_rate: Option<i64>,
    error: Option<(ErrorCode, String)>,
}

impl HealthCheck {
    pub(crate) async fn work(&self, run: &Run) -> Result<Done, Failed> {
        let failed = |code, message| Failed { code, message, done: Done::default() };
        let target = match self.targets.in_use().await {
            Ok(target) => target,
            Err(Unusable::Absent | Unusable::Off) => {
                return Ok(Done { items: 0, result: json!({"skipped": "the integration is not switched on"}) });
            }
            Err(error @ Unusable::Unread) => return Err(failed(ErrorCode::ConfigInvalid, error.to_string())),
        };
        let asked = Instant::now();
        let answer = target.client.health(&Call::new(RequestId(run.id))).await;
        let latency = asked.elapsed();
        let found = async {
            let mut transaction = run.pool.begin().await?;
            let failure_rate = failure_rate(&mut transaction).await?;
            let found = Found::of(answer.map(|health| health.status), latency, self.slow, failure_rate);
            self.write(&mut transaction, run, &found).await?;
            service::failpoint!("scheduler.before_health");
            transaction.commit().await?;
            service::failpoint!("scheduler.after_health");
            Ok::<_, sqlx::Error>(found)
        };
        let found = found.await.map_err(|error| failed(ErrorCode::InternalError, format!("the database: {error}")))?;
        self.stated.notify_one();
        Ok(Done {
            items: 1,
            result: json!({
                "status": found.status.as_str(),
                "latencyMs": found.latency.map(millis),
                "failureRateBasisPoints": found.failure_rate,
                "errorCode": found.error.as_ref().map(|(code, _)| code.as_str()),
            }),
        })
    }

    async fn write(&self, connection: &mut PgConnection, run: &Run, found: &Found) -> Result<(), sqlx::Error> {
        let before: Option<String> =
            sqlx::query_scalar("SELECT status::text FROM scheduling.health_checks ORDER BY checked_at DESC LIMIT 1")
                .fetch_optional(&mut *connection)
                .await?;
        let before = before.as_deref().and_then(named);
        let id: Uuid = sqlx::query_scalar(
            "INSERT INTO scheduling.health_checks (status, latency_ms, failure_rate_bp, error_code, message)
             VALUES ($1::text::config.health_status, $2, $3, $4, $5) RETURNING id",
        )
        .bind(found.status.as_str())
        .bind(found.latency.map(|latency| i32::try_from(latency.as_millis()).unwrap_or(i32::MAX)))
        .bind(found.failure_rate.map(|rate| i32::try_from(rate).unwrap_or(i32::MAX)))
        .bind(found.error.as_ref().map(|(code, _)| code.as_str()))
        .bind(found.error.as_ref().map(|(_, message)| message))
        .fetch_one(&mut *connection)
        .await?;
        sqlx::query("SELECT config.record_health($1::text::config.health_status)")
            .bind(found.status.as_str())
            .execute(&mut *connection)
            .await?;
        if before != Some(found.status) {
            audit(connection, run, found, before).await?;
        }
        let fact = HealthChecked {
            check_id: id,
            status: found.status,
            previous_status: before,
            latency_ms: found.latency.map(millis),
            failure_rate_basis_points: found.failure_rate.and_then(|rate| u32::try_from(rate).ok()),
            error_code: found.error.as_ref().map(|(code, _)| *code),
        };
        self.outbox.insert(connection, &[self.outbox.fact(fact)]).await?;
        for (holding, alert) in found.alerts(id) {
            state::set(connection, holding, &alert).await?;
        }
        Ok(())
    }
}

impl Found {
    fn of(
        answer: Result<flasherp::HealthStatus, flasherp::CallError>,
        latency: Duration,
        slow: Duration,
        failure_rate: Option<i64>,
    ) -> Self {
        let too_many = failure_rate.is_some_and(|rate| rate > MOST_FAILED);
        match answer {
            Err(error) => Self {
                status: HealthStatus::Down,
                latency: None,
                failure_rate,
                error: Some((error.code, error.to_string())),
            },
            Ok(said) => {
                let well = said == flasherp::HealthStatus::Ok && latency <= slow && !too_many;
                let status = if well { HealthStatus::Healthy } else { HealthStatus::Degraded };
                Self { status, latency: Some(latency), failure_rate, error: None }
            }
        }
    }

    /// What of it needs a human, and whether it does now.
    fn alerts(&self, check: Uuid) -> [(bool, Condition); 2] {
        let message = match (&self.error, self.latency) {
            (Some((code, _)), _) => format!("FlashERP is down: {}", code.as_str()),
            (None, Some(latency)) => format!(
                "FlashERP is degraded: it answers in {} ms, and {} of the syncs of the last hour failed",
                millis(latency),
                self.failure_rate.map_or_else(|| "too few to tell".to_owned(), percent),
            ),
            (None, None) => "FlashERP is degraded".to_owned(),
        };
        let severity = if self.status == HealthStatus::Down { Severity::Critical } else { Severity::Warning };
        let health = Condition {
            kind: AlertKind::Health,
            severity,
            state: self.status.as_str(),
            fingerprint: "health".to_owned(),
            message,
            details: json!({"status": self.status.as_str(), "referenceId": check}),
        };
        let rate = self.failure_rate.unwrap_or(0);
        let failing = Condition {
            kind: AlertKind::FailureRate,
            severity: Severity::Warning,
            state: "high",
            fingerprint: "failure_rate".to_owned(),
            message: format!(
                "{} of the syncs of the last hour failed, more than {}",
                percent(rate),
                percent(MOST_FAILED)
            ),
            details: json!({"value": rate, "threshold": MOST_FAILED}),
        };
        [(self.status != HealthStatus::Healthy, health), (rate > MOST_FAILED, failing)]
    }
}

/// The share of failed syncs among those that were tried in the last hour, in hundredths of a percent; none if they are too few.
async fn failure_rate(connection: &mut PgConnection) -> Result<Option<i64>, sqlx::Error> {
    let (failed, tried): (i64, i64) = sqlx::query_as(
        "SELECT count(*) FILTER (WHERE sync_status = 'failed'), count(*) FROM sync.for_readers
         WHERE sync_status IN ('synced', 'failed') AND tried_at >= now() - interval '1 hour'
            AND last_sync_attempt IS NOT NULL",
    )
    .fetch_one(connection)
    .await?;
    Ok((tried >= LEAST_TRIED).then(|| failed * 10_000 / tried))
}

async fn audit(
    connection: &mut PgConnection,
    run: &Run,
    found: &Found,
    before: Option<HealthStatus>,
) -> Result<(), sqlx::Error> {
    sqlx::query(
        "INSERT INTO audit.erp_audit_logs (action, entity_type, status, response_payload, error_details, duration_ms, performed_by,
            request_id, metadata)
         VALUES ('health_check', 'flasherp', $1::text::audit.status, $2, $3, $4, 'scheduler', $5, $6)",
    )
    .bind(if found.status == HealthStatus::Down { "failed" } else { "success" })
    .bind(json!({"status": found.status.as_str(), "failureRateBasisPoints": found.failure_rate}))
    .bind(found.error.as_ref().map(|(code, message)| json!({"code": code.as_str(), "message": message})))
    .bind(found.latency.map(|latency| i32::try_from(latency.as_millis()).unwrap_or(i32::MAX)))
    .bind(run.id)
    .bind(json!({"operation": "health.changed", "previousStatus": before.map(HealthStatus::as_str)}))
    .execute(connection)
    .await?;
    Ok(())
}

fn named(text: &str) -> Option<HealthStatus> {
    [HealthStatus::Healthy, HealthStatus::Degraded, HealthStatus::Down]
        .into_iter()
        .find(|status| status.as_str() == text)
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// Hundredths of a percent in words.
fn percent(basis_points: i64) -> String {
    format!("{}.{:02} %", basis_points / 100, basis_points % 100)
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    const SLOW: Duration = Duration::from_secs(2);

    #[rstest]
    #[case(flasherp::HealthStatus::Ok, 10, None, HealthStatus::Healthy)]
    #[case(flasherp::HealthStatus::Ok, 2000, Some(500), HealthStatus::Healthy)]
    #[case(flasherp::HealthStatus::Ok, 2001, Some(0), HealthStatus::Degraded)]
    #[case(flasherp::HealthStatus::Ok, 10, Some(501), HealthStatus::Degraded)]
    #[case(flasherp::HealthStatus::Degraded, 10, None, HealthStatus::Degraded)]
    fn what_answers_is_healthy_or_degraded(
        #[case] said: flasherp::HealthStatus,
        #[case] latency_ms: u64,
        #[case] rate: Option<i64>,
        #[case] status: HealthStatus,
    ) {
        let found = Found::of(Ok(said), Duration::from_millis(latency_ms), SLOW, rate);
        assert_eq!(found.status, status);
        let [(unhealthy, _), (failing, _)] = found.alerts(Uuid::nil());
        assert_eq!((unhealthy, failing), (status != HealthStatus::Healthy, rate.is_some_and(|rate| rate > 500)));
    }

    #[test]
    fn a_rate_is_told_in_percent() {
        assert_eq!(
            (percent(501), percent(10_000), percent(7)),
            ("5.01 %".to_owned(), "100.00 %".to_owned(), "0.07 %".to_owned())
        );
    }
}
