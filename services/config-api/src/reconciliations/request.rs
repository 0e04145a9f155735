//! A reconciliation asked for, waited for, and reported.
//!
//! The run and its audit row are one transaction; the hint goes out after it, and a reconciler's timer finds what a lost one would have told. Who waits
//! hears of ends as this process hears of them, and reads the row then; by the clock only while the broker is away.

use std::time::Duration;

use domain::EntityType;
use events::ReconciliationRequested;
use serde::Serialize;
use serde_json::{Value, json};
use sqlx::PgPool;
use time::OffsetDateTime;
use tokio::time::Instant;
use utoipa::ToSchema;
use utoipa::openapi::Array;
use uuid::Uuid;

use super::runs::{self, Reconciliation, TypeCounts};
use crate::audit::{Action, Entry};
use crate::input::{Fields, FromFields};
use crate::labels::list;
use crate::timestamp::Timestamp;
use crate::{Actor, State};

/// The window where nothing is said.
const WINDOW: time::Duration = time::Duration::days(90);
/// Left out before the run where nothing is said, in seconds.
const CUTOFF_SECS: i64 = 300;
/// Ids in a report.
const SHOWN: i64 = 100;
/// While no end can be heard of, it is looked for so often.
const LOOK: Duration = Duration::from_secs(1);

/// What is to be compared.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reconcile {
    from: Option<OffsetDateTime>,
    to: Option<OffsetDateTime>,
    entity_types: Vec<EntityType>,
    auto_heal: bool,
    cutoff_secs: i32,
}

/// The members of [`Reconcile`], for the API's description.
#[derive(ToSchema)]
#[schema(as = Reconcile, rename_all = "camelCase")]
#[expect(dead_code, reason = "describes what `Reconcile` reads")]
pub struct ReconcileMembers {
    /// The window's start; 90 days before its end.
    #[schema(nullable = false)]
    from: Option<OffsetDateTime>,
    /// Its end, not included; now.
    #[schema(nullable = false)]
    to: Option<OffsetDateTime>,
    #[schema(nullable = false, schema_with = types)]
    entity_types: Option<Vec<String>>,
    /// Heals what is missing in FlashERP or differs there, up to a cap.
    #[schema(nullable = false)]
    auto_heal: Option<bool>,
    /// What changed so shortly before is left out.
    #[schema(nullable = false, minimum = 0, maximum = 86400, default = 300)]
    cutoff_seconds: Option<i32>,
}

fn types() -> Array {
    let words = syncs::adopt::TYPES.iter().map(|kind| kind.as_str());
    list(words, "Types of records; all when none is named. Only those in scope are compared.")
}

impl FromFields for Reconcile {
    fn read(fields: &mut Fields) -> Self {
        let types: Vec<_> = syncs::adopt::TYPES.iter().map(|kind| (kind.as_str(), *kind)).collect();
        let read = Self {
            from: fields.time("from"),
            to: fields.time("to"),
            entity_types: fields.some_of("entityTypes", &types).unwrap_or_else(|| syncs::adopt::TYPES.to_vec()),
            auto_heal: fields.flag("autoHeal").unwrap_or_default(),
            cutoff_secs: i32::try_from(fields.integer("cutoffSeconds", 0..=86_400).unwrap_or(CUTOFF_SECS))
                .unwrap_or(i32::MAX),
        };
        match (read.from, read.to) {
            (Some(from), Some(to)) if whole(from) >= whole(to) => fields.wrong("to", "must be after from"),
            (Some(from), None) if whole(from) >= whole(OffsetDateTime::now_utc()) => {
                fields.wrong("from", "must be in the past where there is no to");
            }
            _ => {}
        }
        read
    }
}

/// In microseconds, as the database keeps it.
fn whole(at: OffsetDateTime) -> i128 {
    at.unix_timestamp_nanos().div_euclid(1_000)
}

impl Reconcile {
    /// What tells this request from another under the same key: what it names, and not what the moment makes of what it leaves out.
    fn asked(&self) -> Value {
        let mut types: Vec<&str> = self.entity_types.iter().map(|kind| kind.as_str()).collect();
        types.sort_unstable();
        json!({
            "from": self.from.map(Timestamp), "to": self.to.map(Timestamp), "entityTypes": types, "autoHeal": self.auto_heal,
            "cutoffSeconds": self.cutoff_secs,
        })
    }
}

/// What came of asking.
#[derive(Debug)]
pub(crate) enum Asked {
    /// The run that is there now.
    Run(Uuid),
    /// The key is that of a run that was asked for otherwise.
    KeyInUse,
}

/// Asks for a run, or finds the one that this key asked for.
///
/// # Errors
/// The database; nothing was asked for.
pub(crate) async fn ask(
    state: &State,
    actor: &Actor,
    wanted: &Reconcile,
    key: Option<&str>,
) -> Result<Asked, sqlx::Error> {
    let to = wanted.to.unwrap_or_else(OffsetDateTime::now_utc);
    let from = wanted.from.unwrap_or(to - WINDOW);
    let types: Vec<&str> = wanted.entity_types.iter().map(|kind| kind.as_str()).collect();
    let mut transaction = state.pool.begin().await?;
    let (run, is_new, same): (Uuid, bool, bool) = sqlx::query_as(
        "SELECT id, is_new, same FROM reconciliation.request_once($1, $2, $3::text[]::sync.entity_type[], $4, $5, $6, $7, $8)",
    )
    .bind(from)
    .bind(to)
    .bind(&types)
    .bind(wanted.auto_heal)
    .bind(wanted.cutoff_secs)
    .bind(&actor.subject)
    .bind(key)
    .bind(wanted.asked())
    .fetch_one(&mut *transaction)
    .await?;
    if !is_new {
        return Ok(if same { Asked::Run(run) } else { Asked::KeyInUse });
    }
    let entry = Entry {
        action: Action::ManualSync,
        operation: "reconciliation.requested",
        entity_type: "reconciliation",
        entity_id: Some(run.to_string()),
        succeeded: true,
        request: json!({
            "from": Timestamp(from), "to": Timestamp(to), "entityTypes": types, "autoHeal": wanted.auto_heal,
            "cutoffSeconds": wanted.cutoff_secs,
        }),
        response: json!({"runId": run}),
        metadata: json!({}),
    };
    entry.insert(&mut transaction, actor).await?;
    transaction.commit().await?;
    service::failpoint!("admin.before_hint");
    state.broker.hints().publish(ReconciliationRequested { run_id: run });
    Ok(Asked::Run(run))
}

/// The run, once it has ended or the time is over.
///
/// # Errors
/// The database.
pub(crate) async fn wait_for(state: &State, run: Uuid, wait: Duration) -> Result<Option<Reconciliation>, sqlx::Error> {
    let until = Instant::now() + wait;
    loop {
        // Listened for before it is looked at, so that an end in between is heard.
        let ended = state.facts.reconciliation_ended();
        let found = runs::one(&state.pool, run).await?;
        let left = until.saturating_duration_since(Instant::now());
        if left.is_zero() || found.as_ref().is_none_or(|run| run.finished_at.is_some()) {
            return Ok(found);
        }
        // Early, late, or another run's: it is looked at again.
        tokio::select! {
            () = ended => {}
            () = deafness(state) => {}
            () = tokio::time::sleep(left) => {}
        }
    }
}

/// Comes true in a while if there is no broker then to hear of an end from. When it is back, whoever waits is told that something may have been missed.
async fn deafness(state: &State) {
    loop {
        tokio::time::sleep(LOOK).await;
        if !state.broker.is_connected() {
            return;
        }
    }
}

/// A run that has ended.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ReconciliationReport {
    pub run_id: Uuid,
    #[schema(schema_with = crate::labels::reconciliation_status_schema)]
    pub status: String,
    /// When it ended.
    pub timestamp: Timestamp,
    pub from: Timestamp,
    pub to: Timestamp,
    pub total_records: u64,
    pub total_checked: u64,
    pub matched: u64,
    pub missing: u64,
    pub discrepancies: u64,
    /// The first 100, as `type:id`.
    #[serde(rename = "missingInFlashERP")]
    pub missing_in_flasherp: Vec<String>,
    /// The first 100, as `type:id`, by FlashERP's id.
    #[serde(rename = "missingInUpCoach")]
    pub missing_in_upcoach: Vec<String>,
    pub details: Vec<TypeCounts>,
    /// In milliseconds.
    #[schema(required)]
    pub duration: Option<i64>,
    #[schema(required)]
    pub proven: Option<bool>,
    /// What could not be read.
    #[schema(required)]
    pub error: Option<String>,
}

/// The report of a run that ended at `ended`.
///
/// # Errors
/// The database.
pub(crate) async fn report(
    pool: &PgPool,
    run: Reconciliation,
    ended: Timestamp,
) -> Result<ReconciliationReport, sqlx::Error> {
    let missing: Vec<(String, String)> = sqlx::query_as(
        "(SELECT 'flasherp', entity_type::text || ':' || source_id FROM reconciliation.findings_for_readers
          WHERE run_id = $1 AND class = 'missing_in_flasherp' AND source_id IS NOT NULL ORDER BY id LIMIT $2)
         UNION ALL
         (SELECT 'upcoach', entity_type::text || ':' || target_id FROM reconciliation.findings_for_readers
          WHERE run_id = $1 AND class = 'missing_in_upcoach' AND target_id IS NOT NULL ORDER BY id LIMIT $2)",
    )
    .bind(run.id)
    .bind(SHOWN)
    .fetch_all(pool)
    .await?;
    let of = |side: &str| missing.iter().filter(|(of, _)| of == side).map(|(_, id)| id.clone()).collect();
    Ok(ReconciliationReport {
        run_id: run.id,
        timestamp: ended,
        missing_in_flasherp: of("flasherp"),
        missing_in_upcoach: of("upcoach"),
        status: run.status,
        from: run.from,
        to: run.to,
        total_records: run.counts.total_records,
        total_checked: run.counts.total_checked,
        matched: run.counts.matched,
        missing: run.counts.missing,
        discrepancies: run.counts.discrepancies,
        details: run.counts.details,
        duration: run.duration,
        proven: run.proven,
        error: run.error,
    })
}
