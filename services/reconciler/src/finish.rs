//! The end of a run: its status, whether its totals are proven, healing by itself, and the fact, in one transaction.

use domain::{EntityType, FindingClass};

use events::{EntityCounts, ReconciliationCompleted, ReconciliationStatus, SyncRequested};
use service::metrics::Counter;
use syncs::reconciliation::TypeTotals;
use uuid::Uuid;

use crate::OUTBOX;
use crate::run::{Run, StepError};
use crate::runner::Runner;

/// Who heals when nobody does.
const BY_ITSELF: &str = "reconciler";

/// A run of which everything was judged that could be.
///
/// # Errors
/// [`StepError`]; the run goes on then.
pub(crate) async fn ended(runner: &Runner, run: &Run) -> Result<(), StepError> {
    let status = if run.unread.is_none() { ReconciliationStatus::Completed } else { ReconciliationStatus::Incomplete };
    close(runner, run, status).await
}

/// A run of which nothing could be compared.
///
/// # Errors
/// [`StepError`]; the run is tried again then.
pub(crate) async fn failed(runner: &Runner, run: &Run, why: &str) -> Result<(), StepError> {
    tracing::error!(run_id = %run.id, error = why, "a reconciliation failed");
    let run = Run { unread: Some(why.to_owned()), ..run.clone() };
    close(runner, &run, ReconciliationStatus::Failed).await
}

async fn close(runner: &Runner, run: &Run, status: ReconciliationStatus) -> Result<(), StepError> {
    let word = match status {
        ReconciliationStatus::Completed => "completed",
        ReconciliationStatus::Incomplete => "incomplete",
        ReconciliationStatus::Failed => "failed",
    };
    let proven = status == ReconciliationStatus::Completed && run.totals.is_proven();
    let mut transaction = run.begin().await?;
    run.fence(&mut transaction).await?;
    sqlx::query("SELECT reconciliation.close_staging($1)").bind(run.id).execute(&mut *transaction).await?;
    sqlx::query("DELETE FROM reconciliation.slices WHERE run_id = $1").bind(run.id).execute(&mut *transaction).await?;
    sqlx::query("DELETE FROM reconciliation.suspects WHERE run_id = $1")
        .bind(run.id)
        .execute(&mut *transaction)
        .await?;
    let healed: Vec<(String, Uuid)> = if run.auto_heal && status == ReconciliationStatus::Completed {
        let classes: Vec<&str> =
            FindingClass::ALL.iter().filter(|class| class.is_healed_by_itself()).map(|class| class.as_str()).collect();
        sqlx::query_as(
            "SELECT entity_type::text, source_id
             FROM reconciliation.heal($1, NULL, $2::text[]::reconciliation.finding_class[], $3, 'asked for with the run', $4)",
        )
        .bind(run.id)
        .bind(classes)
        .bind(BY_ITSELF)
        .bind(i64::from(runner.settings.auto_heal_cap))
        .fetch_all(&mut *transaction)
        .await?
    } else {
        Vec::new()
    };
    let took: i64 = sqlx::query_scalar(
        "UPDATE reconciliation.runs SET status = $2::text::reconciliation.reconciliation_status, finished_at = clock_timestamp(),
            lease_owner = NULL, lease_until = NULL, proven = $3, error = $4, heals_requested = $5
         WHERE id = $1
         RETURNING (1000 * extract(epoch FROM finished_at - started_at))::bigint",
    )
    .bind(run.id)
    .bind(word)
    .bind((status != ReconciliationStatus::Failed).then_some(proven))
    .bind(run.unread.as_deref())
    .bind(i32::try_from(healed.len()).unwrap_or(i32::MAX))
    .fetch_one(&mut *transaction)
    .await?;
    let fact = OUTBOX.fact(ReconciliationCompleted {
        run_id: run.id,
        status,
        from: run.from,
        to: run.to,
        proven,
        discrepancies: run.totals.types.iter().map(|totals| totals.open).sum(),
        heals_requested: healed.len() as u64,
        counts: run.totals.types.iter().map(counts).collect(),
        duration_ms: u64::try_from(took).unwrap_or_default(),
    });
    OUTBOX.insert(&mut transaction, &[fact]).await?;
    transaction.commit().await?;
    runner.stated.notify_one();
    service::failpoint!("reconciler.before_hint");
    hint(runner, &healed);
    Counter::Reconciliations.increment(&[("status", word)]);
    tracing::info!(run_id = %run.id, status = word, proven, duration_ms = took, "a reconciliation ended");
    Ok(())
}

/// Tells the workers which syncs were asked for. Losing it costs a moment.
fn hint(runner: &Runner, healed: &[(String, Uuid)]) {
    for kind in EntityType::ALL {
        let ids: Vec<Uuid> = healed.iter().filter(|(of, _)| of == kind.as_str()).map(|(_, id)| *id).collect();
        if !ids.is_empty() {
            runner.hints.publish(SyncRequested { entity_type: *kind, ids });
        }
    }
}

fn counts(totals: &TypeTotals) -> EntityCounts {
    EntityCounts {
        entity_type: totals.entity_type,
        checked: totals.matched + totals.records.values().sum::<u64>(),
        matched: totals.matched,
        missing_in_flasherp: totals.records_of(FindingClass::MissingInFlasherp),
        missing_in_upcoach: totals.records_of(FindingClass::MissingInUpcoach),
        mismatched: totals.records_of(FindingClass::Mismatch),
        duplicates: totals.records_of(FindingClass::DuplicateInFlasherp),
        orphaned: totals.records_of(FindingClass::OrphanedSync),
    }
}
