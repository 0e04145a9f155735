//! Both sides joined. Postgres joins, in one statement a type; what comes of it is read as it comes, mapped by the rules that a sync maps by, and held
//! against the marks of what FlashERP has. Memory does not grow with the records.
//!
//! What differs, and what is only on one side, becomes a suspect. Suspects, counts and the word that the pages were compared are one transaction: a
//! process that dies before has compared nothing, and staging is still there.

mod sorter;
mod statement;

use domain::EntityType;
use futures::TryStreamExt as _;
use sqlx::types::Json;
use sqlx::{AssertSqlSafe, PgConnection};
use syncs::reconciliation::{Totals, TypeTotals};

use crate::run::{Run, StepError};
use sorter::Sorter;

/// Compares what was staged of these types, in so many slices.
///
/// # Errors
/// [`StepError`]; nothing is compared then.
pub(crate) async fn compare(run: &mut Run, types: &[EntityType], slices: usize) -> Result<(), StepError> {
    sqlx::query("SELECT reconciliation.analyze_staging($1)").bind(run.id).execute(&run.pool).await?;
    let mut writing = run.pool.begin().await?;
    // The statement that is read takes its time, and meanwhile there may be nothing to write.
    sqlx::query("SET LOCAL idle_in_transaction_session_timeout = '15min'").execute(&mut *writing).await?;
    let mut totals = Totals::default();
    for kind in types {
        totals.types.push(one_type(run, *kind, &mut writing).await?);
    }
    run.fence(&mut writing).await?;
    sqlx::query(
        "UPDATE reconciliation.runs SET compared_at = clock_timestamp(), totals = $2, error = $3 WHERE id = $1",
    )
    .bind(run.id)
    .bind(Json(&totals))
    .bind(run.unread.as_deref())
    .execute(&mut *writing)
    .await?;
    let closed =
        sqlx::query("DELETE FROM reconciliation.slices WHERE run_id = $1").bind(run.id).execute(&mut *writing).await?;
    if usize::try_from(closed.rows_affected()) != Ok(slices) {
        // The database has crashed since they were read, and what was staged is gone with them.
        return Err(StepError::Lost);
    }
    sqlx::query("SELECT reconciliation.close_staging($1)").bind(run.id).execute(&mut *writing).await?;
    service::failpoint!("reconciler.before_compared");
    writing.commit().await?;
    run.totals = totals;
    run.is_compared = true;
    Ok(())
}

async fn one_type(run: &Run, kind: EntityType, writing: &mut PgConnection) -> Result<TypeTotals, StepError> {
    let absent = run.unread.is_none();
    let mut reading = run.pool.begin().await?;
    for setting in [
        "SET LOCAL statement_timeout = 0",
        "SET LOCAL work_mem = '64MB'",
        // Compiling takes longer than it saves, and the plan's many joins look dear.
        "SET LOCAL jit = off",
    ] {
        sqlx::query(setting).execute(&mut *reading).await?;
    }
    let mut sorter = Sorter::new(run, kind, absent);
    let joined = statement::joined(kind, &run.staging(), absent);
    {
        let mut rows =
            sqlx::query(AssertSqlSafe(joined)).persistent(false).bind(run.from).bind(run.to).fetch(&mut *reading);
        while let Some(row) = rows.try_next().await? {
            sorter.take(&row)?;
            if sorter.is_full() {
                sorter.flush(writing).await?;
            }
        }
    }
    sorter.flush(writing).await?;
    let staged: Vec<(i64, Option<String>, String)> =
        sqlx::query_as(AssertSqlSafe(statement::staged_sums(&run.staging())))
            .bind(kind.as_str())
            .fetch_all(&mut *reading)
            .await?;
    reading.commit().await?;

    let Sorter { mut totals, staged: seen, .. } = sorter;
    let mut count = 0_u64;
    for (records, currency, sum) in staged {
        count += u64::try_from(records).unwrap_or_default();
        if let Some(currency) = currency {
            // Digits, as numeric writes them; what were none would show in the totals.
            totals.currency(&currency).theirs += sum.parse::<i128>().unwrap_or(i128::MAX / 2);
        }
    }
    totals.unaccounted = count.abs_diff(seen);
    totals.flasherp = totals.matched;
    Ok(totals)
}
