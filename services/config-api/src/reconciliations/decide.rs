//! What is done about findings: healed, accepted, ignored; one, or all of a run that a sync can mend.
//!
//! Each is one transaction with its audit row, and a healing's requests are in it too; the hint goes out after the commit.

use domain::{Decision, EntityType, FindingClass};
use events::SyncRequested;
use serde::Serialize;
use serde_json::json;
use utoipa::ToSchema;
use utoipa::openapi::Array;
use uuid::Uuid;

use super::findings::{self, Finding};
use crate::audit::{Action, Entry};
use crate::input::{Fields, FromFields};
use crate::labels::list;
use crate::{Actor, State};

/// Findings of one request at most.
const MOST_HEALED: i64 = 1_000_000;

/// What came of a decision on one finding.
#[derive(Debug)]
pub(crate) enum Decided {
    NotFound,
    /// It can't be: decided already, or nothing that a sync mends.
    Refused(Box<Finding>),
    Done(Box<Finding>),
}

/// Why it is right as it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct NeededNote(pub(crate) String);

impl FromFields for NeededNote {
    fn read(fields: &mut Fields) -> Self {
        if !fields.has("note") {
            fields.wrong("note", "is needed: why the difference is right as it is");
        }
        Self(fields.text("note").unwrap_or_default())
    }
}

/// In the caller's words, or none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct MaybeNote(pub(crate) Option<String>);

impl FromFields for MaybeNote {
    fn read(fields: &mut Fields) -> Self {
        Self(fields.text("note"))
    }
}

/// The note of an acceptance, for the API's description.
#[derive(ToSchema)]
#[schema(as = Acceptance)]
#[expect(dead_code, reason = "describes a body")]
pub(crate) struct AcceptanceMembers {
    #[schema(min_length = 1, max_length = 2000)]
    note: String,
}

/// Accepts or ignores a finding.
///
/// # Errors
/// The database; nothing was decided.
pub(crate) async fn decide(
    state: &State,
    actor: &Actor,
    run: Uuid,
    id: Uuid,
    decision: Decision,
    note: Option<&str>,
) -> Result<Decided, sqlx::Error> {
    let mut transaction = state.pool.begin().await?;
    let Some(before) = findings::one(&mut *transaction, run, id).await? else { return Ok(Decided::NotFound) };
    let changed: bool =
        sqlx::query_scalar("SELECT reconciliation.decide($1, $2::text::reconciliation.decision, $3, $4)")
            .bind(id)
            .bind(decision.as_str())
            .bind(&actor.subject)
            .bind(note)
            .fetch_one(&mut *transaction)
            .await?;
    if !changed {
        return Ok(Decided::Refused(Box::new(before)));
    }
    let after = findings::one(&mut *transaction, run, id).await?.ok_or(sqlx::Error::RowNotFound)?;
    let entry = Entry {
        action: Action::ManualSync,
        operation: if decision == Decision::Accepted { "finding.accepted" } else { "finding.ignored" },
        entity_type: "finding",
        entity_id: Some(id.to_string()),
        succeeded: true,
        request: json!({"note": note}),
        response: json!({"before": audited(&before), "after": audited(&after)}),
        metadata: about(&before),
    };
    entry.insert(&mut transaction, actor).await?;
    transaction.commit().await?;
    Ok(Decided::Done(Box::new(after)))
}

/// Heals a finding: its record is asked to be synced, whatever was sent last.
///
/// # Errors
/// The database; nothing was asked for.
pub(crate) async fn heal(state: &State, actor: &Actor, run: Uuid, id: Uuid) -> Result<Decided, sqlx::Error> {
    let mut transaction = state.pool.begin().await?;
    let Some(before) = findings::one(&mut *transaction, run, id).await? else { return Ok(Decided::NotFound) };
    let asked: Vec<(String, Uuid)> =
        sqlx::query_as("SELECT entity_type::text, source_id FROM reconciliation.heal($1, $2, NULL, $3, NULL, 1)")
            .bind(run)
            .bind(id)
            .bind(&actor.subject)
            .fetch_all(&mut *transaction)
            .await?;
    if asked.is_empty() {
        return Ok(Decided::Refused(Box::new(before)));
    }
    let after = findings::one(&mut *transaction, run, id).await?.ok_or(sqlx::Error::RowNotFound)?;
    let entry = Entry {
        action: Action::ManualSync,
        operation: "finding.healed",
        entity_type: "finding",
        entity_id: Some(id.to_string()),
        succeeded: true,
        request: json!({}),
        response: json!({"asked": asked.len(), "before": audited(&before), "after": audited(&after)}),
        metadata: about(&before),
    };
    entry.insert(&mut transaction, actor).await?;
    transaction.commit().await?;
    service::failpoint!("admin.before_hint");
    hint(state, &asked);
    Ok(Decided::Done(Box::new(after)))
}

/// What a decision changes of it.
fn audited(finding: &Finding) -> serde_json::Value {
    json!({
        "decision": finding.decision, "decidedAt": finding.decided_at, "decidedBy": finding.decided_by, "note": finding.note,
    })
}

fn about(finding: &Finding) -> serde_json::Value {
    json!({
        "runId": finding.run_id, "class": finding.class, "entityType": finding.entity_type, "sourceId": finding.source_id,
        "targetId": finding.target_id, "field": finding.field,
    })
}

/// Which findings of a run are healed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct HealAll {
    classes: Option<Vec<FindingClass>>,
    dry_run: bool,
}

/// The members of [`HealAll`], for the API's description.
#[derive(ToSchema)]
#[schema(as = HealAll, rename_all = "camelCase")]
#[expect(dead_code, reason = "describes what `HealAll` reads")]
pub(crate) struct HealAllMembers {
    #[schema(nullable = false, schema_with = healable)]
    classes: Option<Vec<String>>,
    /// Only counts.
    #[schema(nullable = false)]
    dry_run: Option<bool>,
}

fn healable() -> Array {
    let words = FindingClass::ALL.iter().filter(|class| class.is_healable()).map(|class| class.as_str());
    list(words, "Those that a sync can mend; all of them when none is named.")
}

impl FromFields for HealAll {
    fn read(fields: &mut Fields) -> Self {
        let healable: Vec<_> = FindingClass::ALL
            .iter()
            .filter(|class| class.is_healable())
            .map(|class| (class.as_str(), *class))
            .collect();
        Self { classes: fields.some_of("classes", &healable), dry_run: fields.flag("dryRun").unwrap_or_default() }
    }
}

/// What was healed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub(crate) struct HealedAll {
    /// Open findings that match and that a sync can mend.
    pub(crate) matched: i64,
    /// Records whose sync was asked for.
    pub(crate) asked: i64,
}

/// Heals all that match, or counts them. The run must be there.
///
/// # Errors
/// The database; nothing was asked for.
pub(crate) async fn heal_all(
    state: &State,
    actor: &Actor,
    run: Uuid,
    wanted: &HealAll,
) -> Result<HealedAll, sqlx::Error> {
    let classes: Vec<&str> = match &wanted.classes {
        Some(classes) => classes.iter().map(|class| class.as_str()).collect(),
        None => FindingClass::ALL.iter().filter(|class| class.is_healable()).map(|class| class.as_str()).collect(),
    };
    let mut transaction = state.pool.begin().await?;
    let matched: i64 = sqlx::query_scalar(
        "SELECT count(*) FROM reconciliation.findings_for_readers
         WHERE run_id = $1 AND decision = 'open' AND source_id IS NOT NULL AND class = ANY ($2::text[]::reconciliation.finding_class[])",
    )
    .bind(run)
    .bind(&classes)
    .fetch_one(&mut *transaction)
    .await?;
    if wanted.dry_run || matched == 0 {
        return Ok(HealedAll { matched, asked: 0 });
    }
    let asked: Vec<(String, Uuid)> = sqlx::query_as(
        "SELECT entity_type::text, source_id
         FROM reconciliation.heal($1, NULL, $2::text[]::reconciliation.finding_class[], $3, NULL, $4)",
    )
    .bind(run)
    .bind(&classes)
    .bind(&actor.subject)
    .bind(MOST_HEALED)
    .fetch_all(&mut *transaction)
    .await?;
    let count = i64::try_from(asked.len()).unwrap_or(i64::MAX);
    let entry = Entry {
        action: Action::ManualSync,
        operation: "reconciliation.healed",
        entity_type: "reconciliation",
        entity_id: Some(run.to_string()),
        succeeded: true,
        request: json!({"classes": classes}),
        response: json!({"matched": matched, "asked": count}),
        metadata: json!({}),
    };
    entry.insert(&mut transaction, actor).await?;
    transaction.commit().await?;
    service::failpoint!("admin.before_hint");
    hint(state, &asked);
    Ok(HealedAll { matched, asked: count })
}

fn hint(state: &State, asked: &[(String, Uuid)]) {
    for kind in EntityType::ALL {
        let ids: Vec<Uuid> = asked.iter().filter(|(of, _)| of == kind.as_str()).map(|(_, id)| *id).collect();
        if !ids.is_empty() {
            state.broker.hints().publish(SyncRequested { entity_type: *kind, ids });
        }
    }
}
