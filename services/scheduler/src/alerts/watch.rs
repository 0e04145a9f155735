//! Looks at what is true in the rows of others, raises and ends alerts by it, and keeps the gauges. Facts (`circuit.changed`,
//! `reconciliation.completed`) only hurry it: whatever the broker loses is seen a moment later.

use std::sync::Arc;
use std::time::Duration;

use domain::{EntityType, FindingClass};
use events::{AlertKind, AnyEvent, Severity};
use messaging::{Disposition, Dispositions, Handler, Received};
use serde_json::json;
use service::metrics::Gauge;
use sqlx::PgPool;
use syncs::{StoredConfiguration, View};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::ask::COMPARED;

use super::state::{self, Condition};

/// How often it is looked, unless something is known to have changed.
const LOOK: Duration = Duration::from_secs(5);

/// What happened once and is not seen to end: when nothing more of the kind came for a day, the alert is closed without a word.
const ONCE: [AlertKind; 4] =
    [AlertKind::Duplicate, AlertKind::SyncConflict, AlertKind::PaymentFailed, AlertKind::Dispute];

/// What is a difference in itself, whatever becomes of a sync that is not done.
const DIFFERENCES: [FindingClass; 5] = [
    FindingClass::MissingInFlasherp,
    FindingClass::MissingInUpcoach,
    FindingClass::Mismatch,
    FindingClass::DuplicateInFlasherp,
    FindingClass::OrphanedSync,
];

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
        state: if stopped.is_some() { "stopped" } else { "open" },
        fingerprint: CIRCUIT.to_owned(),
        message,
        details: json!({"state": state, "stoppedReason": stopped, "value": failures}),
    };
    if stopped.is_none() && state == "half_open" {
        return Ok(());
    }
    state::set(&mut *pool.acquire().await?, stopped.is_some() || state == "open", &alert).await
}

/// A reconciliation that speaks for a type left differences, or proves nothing.
///
/// It speaks for the type from its end until a newer one has completed that ends no earlier and is at least as wide: an hour that is clean says nothing of
/// the quarter before it. Of a type that is not kept in step nobody needs to speak.
async fn reconciliation(pool: &PgPool) -> Result<(), sqlx::Error> {
    let Some(stored) = StoredConfiguration::load_as(pool, View::Scheduler).await? else { return Ok(()) };
    let kinds: Vec<&str> = COMPARED.into_iter().filter(|kind| stored.holds(*kind)).map(EntityType::as_str).collect();
    let troubles: Vec<Trouble> = sqlx::query_as(
        "WITH said AS MATERIALIZED (
            SELECT r.id, kind, r.status, r.proven, r.finished_at, r.window_to, r.window_to - r.window_from AS width
            FROM reconciliation.runs_for_readers r
                CROSS JOIN LATERAL unnest(CASE WHEN r.entity_types = '{}' THEN $1 ELSE r.entity_types::text[] END) AS kind
            WHERE r.finished_at IS NOT NULL AND kind = ANY ($1)
         ), standing AS MATERIALIZED (
            SELECT * FROM said s WHERE NOT EXISTS (
                SELECT FROM said n WHERE n.kind = s.kind AND n.status = 'completed' AND n.finished_at > s.finished_at
                    AND n.window_to >= s.window_to AND n.width >= s.width)
         )
         SELECT s.id, s.kind, s.status::text, f.open
         FROM standing s CROSS JOIN LATERAL (
            SELECT count(*) AS open FROM reconciliation.findings_for_readers f
            WHERE f.run_id = s.id AND f.entity_type::text = s.kind AND f.decision = 'open' AND f.class = ANY ($2::text[]::reconciliation.finding_class[])
         ) AS f
         WHERE f.open > 0 OR s.status <> 'completed' OR s.proven IS FALSE
         ORDER BY s.finished_at DESC, s.id, s.kind",
    )
    .bind(kinds)
    .bind(DIFFERENCES.map(FindingClass::as_str).as_slice())
    .fetch_all(pool)
    .await?;
    let open = different(pool, &troubles).await?;
    Gauge::Discrepancies.set(open, &[]);
    let newest = troubles.iter().find(|trouble| open == 0 || trouble.open > 0);
    let run = newest.map(|trouble| trouble.id);
    let id = run.map(|run| run.to_string()).unwrap_or_default();
    let others = troubles.iter().any(|trouble| trouble.open > 0 && Some(trouble.id) != run);
    let (state, message) = match (open, newest.map(|trouble| trouble.status.as_str())) {
        (1.., _) if others => (
            "different",
            format!("the reconciliation {id} and earlier ones found {open} differences that nobody has decided on"),
        ),
        (1.., _) => {
            ("different", format!("the reconciliation {id} found {open} differences that nobody has decided on"))
        }
        (_, Some("completed") | None) => {
            ("unproven", format!("the control totals of the reconciliation {id} don't add up"))
        }
        (_, Some(other)) => {
            ("unknown", format!("the reconciliation {id} is {other}: nothing is known of what is missing"))
        }
    };
    let alert = Condition {
        kind: AlertKind::Discrepancies,
        severity: Severity::Warning,
        state,
        fingerprint: DISCREPANCIES.to_owned(),
        message,
        details: json!({"value": open, "threshold": 0, "referenceId": run}),
    };
    state::set(&mut *pool.acquire().await?, newest.is_some(), &alert).await
}

/// A reconciliation that speaks for a type, and not well of it.
#[derive(Debug, sqlx::FromRow)]
struct Trouble {
    id: Uuid,
    kind: String,
    status: String,
    open: i64,
}

/// How many differences are open in these, of their types. One that several have found is one.
async fn different(pool: &PgPool, troubles: &[Trouble]) -> Result<i64, sqlx::Error> {
    let mut runs: Vec<Uuid> = troubles.iter().filter(|trouble| trouble.open > 0).map(|trouble| trouble.id).collect();
    runs.dedup();
    if runs.len() < 2 {
        return Ok(troubles.iter().map(|trouble| trouble.open).sum());
    }
    sqlx::query_scalar(
        "SELECT count(DISTINCT (f.entity_type, f.class, f.source_id, f.target_id, f.field))
         FROM unnest($1::uuid[], $2::text[]) AS s (id, kind)
            JOIN reconciliation.findings_for_readers f ON f.run_id = s.id AND f.entity_type::text = s.kind
         WHERE f.decision = 'open' AND f.class = ANY ($3::text[]::reconciliation.finding_class[])",
    )
    .bind(troubles.iter().map(|trouble| trouble.id).collect::<Vec<_>>())
    .bind(troubles.iter().map(|trouble| trouble.kind.as_str()).collect::<Vec<_>>())
    .bind(DIFFERENCES.map(FindingClass::as_str).as_slice())
    .fetch_one(pool)
    .await
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
