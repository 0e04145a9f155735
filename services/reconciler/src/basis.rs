//! What a run is of: which FlashERP, and which types.
//!
//! Both are noted when the run is taken up first. A run that is gone on with under another configuration would hold the pages of one FlashERP against the
//! records of another, or count types of which it has read nothing: it begins anew instead, and what it had read and found is gone.

use domain::EntityType;
use domain::instant;
use syncs::reconciliation::Totals;
use syncs::target::Target;

use crate::run::{Run, StepError};

/// Notes it, or begins anew if it is not what was noted.
///
/// # Errors
/// [`StepError`].
pub(crate) async fn settle(run: &mut Run, target: &Target, types: &[EntityType]) -> Result<(), StepError> {
    let basis = of(target, types);
    if run.basis.as_ref() == Some(&basis) {
        return Ok(());
    }
    let mut transaction = run.begin().await?;
    run.fence(&mut transaction).await?;
    if run.basis.is_some() {
        tracing::warn!(run_id = %run.id, "the configuration is another one; a reconciliation begins anew");
    }
    for statement in [
        "DELETE FROM reconciliation.slices WHERE run_id = $1",
        "DELETE FROM reconciliation.suspects WHERE run_id = $1",
        "DELETE FROM reconciliation.findings WHERE run_id = $1",
    ] {
        sqlx::query(statement).bind(run.id).execute(&mut *transaction).await?;
    }
    sqlx::query(
        "UPDATE reconciliation.runs SET basis = $2, compared_at = NULL, totals = DEFAULT, error = NULL WHERE id = $1",
    )
    .bind(run.id)
    .bind(&basis)
    .execute(&mut *transaction)
    .await?;
    sqlx::query("SELECT reconciliation.close_staging($1)").bind(run.id).execute(&mut *transaction).await?;
    transaction.commit().await?;
    run.basis = Some(basis);
    run.staging = None;
    run.is_compared = false;
    run.totals = Totals::default();
    run.unread = None;
    Ok(())
}

/// Where FlashERP is, since when it has been this one (it is another one behind the same URL when the account changes), and the types.
fn of(target: &Target, types: &[EntityType]) -> String {
    let since = target.adopted_at.map(instant::text).unwrap_or_default();
    let types: Vec<&str> = types.iter().map(|kind| kind.as_str()).collect();
    format!("{} since {since}: {}", target.base_url, types.join(", "))
}
