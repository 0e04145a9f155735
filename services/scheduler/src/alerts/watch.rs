//! Looks at what is true in the rows of others, raises and ends alerts by it, and keeps the gauges. Facts (`circuit.changed`,
//! `reconciliation.completed`) only hurry it: whatever the broker loses is seen a moment later.

use std::sync::Arc;
use std::time::Duration;

use events::{AlertKind, AnyEvent, Severity};
use messaging::{Disposition, Dispositions, Handler, Received};
use serde_json::json;
use service::metrics::Gauge;
use sqlx::PgPool;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::state::{self, Condition};

/// How often it is looked, unless something is known to have changed.
const LOOK: Duration = Duration::from_secs(5);

/// What happened once and is not seen to end: when nothing more of the kind came for a day, the alert is closed without a word.
const ONCE: [AlertKind; 4] =
    [AlertKind::Duplicate, AlertKind::SyncConflict, AlertKind::PaymentFailed, AlertKind::Dispute];

/// The fingerprint of the gate's alert.
const CIRCUIT: &str = "circuit";
/// The fingerprint of the reconciliation's.
const DISCREPANCIES: &str = "discrepancies";

/// Hears facts that say that something changed.
#[derive(Debug)]
pub(crate) struct Hurry(pub(crate) Arc<Notify>);

impl Handler for Hurry {
    type Message = AnyEvent;

    async fn handle(&self, _: Vec<Received<AnyEvent>>) -> Dispositions {
        self.0.notify_one();
        Dispositions::all(Disposition::Ack)
    }
}

/// Looks until told to stop; `raised` is rung when something may have to be announced.
pub(crate) async fn run(pool: PgPool, hurry: Arc<Notify>, raised: Arc<Notify>, stop: CancellationToken) {
    loop {
        match look(&pool).await {
            Ok(()) => raised.notify_one(),
            Err(error) => tracing::debug!(error = error.to_string(), "what alerts are about can't be read now"),
        }
        tokio::select! {
            () = stop.cancelled() => return,
            () = hurry.notified() => {}
            () = tokio::time::sleep(LOOK) => {}
        }
    }
}

async fn look(pool: &PgPool) -> Result<(), sqlx::Error> {
    gate(pool).await?;
    reconciliation(pool).await?;
    sqlx::query(
        "UPDATE scheduling.alerts SET resolved_at = clock_timestamp(), end_announced_at = clock_timestamp()
         WHERE resolved_at IS NULL AND announced_at IS NOT NULL AND kind = ANY ($1)
            AND last_seen_at < clock_timestamp() - interval '24 hours'",
    )
    .bind(ONCE.map(AlertKind::as_str).as_slice())
    .execute(pool)
    .await?;
    gauges(pool).await
}

/// The breaker is open, or everything is stopped. While it is tried out (half-open) it is as it was.
async fn gate(pool: &PgPool) -> Result<(), sqlx::Error> {
    let (state, failures, stopped): (String, i32, Option<String>) =
        sqlx::query_as("SELECT state::text, failures, stopped_reason FROM sync.gate_for_readers")
            .fetch_one(pool)
            .await?;
    let message = match &stopped {
        Some(reason) => format!("all calls to FlashERP are stopped: {reason}; check its API key and secret"),
        None => format!("the breaker is open: calls to FlashERP are held back after {failures} failures in a row"),
    };
    let alert = Condition {
        kind: AlertKind::Circuit,
        severity: Severity::Critical,
        fingerprint: CIRCUIT.to_owned(),
        message,
        details: json!({"state": state, "stoppedReason": stopped, "value": failures}),
    };
    if stopped.is_none() && state == "half_open" {
        return Ok(());
    }
    state::set(&mut *pool.acquire().await?, stopped.is_some() || state == "open", &alert).await
}

/// The newest reconciliation that has ended left differences, or proves nothing.
async fn reconciliation(pool: &PgPool) -> Result<(), sqlx::Error> {
    let newest: Option<(Uuid, String, Option<bool>, i64)> = sqlx::query_as(
        "SELECT r.id, r.status::text, r.proven, (SELECT count(*) FROM reconciliation.findings_for_readers f
            WHERE f.run_id = r.id AND f.decision = 'open' AND f.class IN ('missing_in_flasherp', 'missing_in_upcoach', 'mismatch',
                'duplicate_in_flasherp', 'orphaned_sync'))
         FROM reconciliation.runs_for_readers r WHERE r.finished_at IS NOT NULL ORDER BY r.finished_at DESC LIMIT 1",
    )
    .fetch_optional(pool)
    .await?;
    let Some((run, status, proven, open)) = newest else { return Ok(()) };
    Gauge::Discrepancies.set(open, &[]);
    let message = match (open, status.as_str()) {
        (1.., _) => format!("the reconciliation {run} found {open} differences that nobody has decided on"),
        (_, "completed") => format!("the control totals of the reconciliation {run} don't add up"),
        (_, other) => format!("the reconciliation {run} is {other}: nothing is known of what is missing"),
    };
    let alert = Condition {
        kind: AlertKind::Discrepancies,
        severity: Severity::Warning,
        fingerprint: DISCREPANCIES.to_owned(),
        message,
        details: json!({"value": open, "threshold": 0, "referenceId": run}),
    };
    let fine = open == 0 && status == "completed" && proven != Some(false);
    state::set(&mut *pool.acquire().await?, !fine, &alert).await
}

async fn gauges(pool: &PgPool) -> Result<(), sqlx::Error> {
    let open: Vec<(String, i64)> =
        sqlx::query_as("SELECT kind, count(*) FROM scheduling.alerts WHERE resolved_at IS NULL GROUP BY kind")
            .fetch_all(pool)
            .await?;
    for kind in AlertKind::ALL {
        let count = open.iter().find(|(name, _)| name == kind.as_str()).map_or(0, |(_, count)| *count);
        Gauge::AlertsOpen.set(count, &[("kind", kind.as_str())]);
    }
    let health: Option<String> =
        sqlx::query_scalar("SELECT status::text FROM scheduling.health_checks ORDER BY checked_at DESC LIMIT 1")
            .fetch_optional(pool)
            .await?;
    if let Some(health) = health {
        Gauge::Health.set(
            if health == "healthy" {
                0
            } else if health == "degraded" {
                1
            } else {
                2
            },
            &[],
        );
    }
    let age: Option<i64> = sqlx::query_scalar(
        "SELECT greatest(0, extract(epoch FROM clock_timestamp() - min(next_retry_at)))::bigint FROM sync.for_readers
         WHERE sync_status = 'failed' AND next_retry_at IS NOT NULL",
    )
    .fetch_one(pool)
    .await?;
    Gauge::RetryQueueAge.set(age.unwrap_or(0), &[]);
    Ok(())
}
