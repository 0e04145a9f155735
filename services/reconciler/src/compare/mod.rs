//! Both sides joined. Postgres joins, in one statement a type; what comes of it is fetched by and by, mapped by the rules that a sync maps by, and held
//! against the marks of what FlashERP has. Memory does not grow with the records.
//!
//! What differs, and what is only on one side, becomes a suspect. Suspects are written batch by batch, each batch fenced; the counts and the word that
//! the pages were compared come last. A process that dies before has compared nothing: staging is still there, and its suspects go. One that is frozen
//! holds nothing that its successor needs: no row, but for a moment; and of tables only what is dropped when it can be.

mod sorter;
mod statement;

use domain::EntityType;
use sqlx::types::Json;
use sqlx::{AssertSqlSafe, PgConnection};
use syncs::reconciliation::{Totals, TypeTotals};

use crate::run::{Run, StepError};
use sorter::Sorter;

/// Rows fetched at once.
const AT_ONCE: usize = 1_000;

/// Compares what was staged of these types, in so many slices.
///
/// # Errors
/// [`StepError`]; nothing is compared then.
pub(crate) async fn compare(run: &mut Run, types: &[EntityType], slices: usize) -> Result<(), StepError> {
    sqlx::query("SELECT reconciliation.analyze_staging($1)").bind(run.id).execute(&run.pool).await?;
    let mut clearing = run.begin().await?;
    run.fence(&mut clearing).await?;
    sqlx::query("DELETE FROM reconciliation.suspects WHERE run_id = $1").bind(run.id).execute(&mut *clearing).await?;
    clearing.commit().await?;
    let mut totals = Totals::default();
    for kind in types {
        totals.types.push(one_type(run, *kind).await?);
    }
    let mut writing = run.begin().await?;
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
    run.staging = None;
    run.totals = totals;
    run.is_compared = true;
    Ok(())
}

async fn one_type(run: &Run, kind: EntityType) -> Result<TypeTotals, StepError> {
    let absent = run.unread.is_none();
    let staging = run.staging()?;
    let mut reading = run.begin().await?;
    for setting in [
        "SET LOCAL statement_timeout = 0",
        "SET LOCAL work_mem = '64MB'",
        // Compiling takes longer than it saves, and the plan's many joins look dear.
        "SET LOCAL jit = off",
        // All of it is fetched.
        "SET LOCAL cursor_tuple_fraction = 1",
    ] {
        sqlx::query(setting).execute(&mut *reading).await?;
    }
    let mut sorter = Sorter::new(run, kind, absent);
    // Streamed, the statement would be under way for as long as its reader sleeps, and no time limit would end it.
    let declare = format!("DECLARE joined NO SCROLL CURSOR FOR {}", statement::joined(kind, &staging, absent));
    sqlx::query(AssertSqlSafe(declare)).persistent(false).bind(run.from).bind(run.to).execute(&mut *reading).await?;
    let fetch = format!("FETCH {AT_ONCE} FROM joined");
    loop {
        let rows = sqlx::query(AssertSqlSafe(fetch.as_str())).persistent(false).fetch_all(&mut *reading).await?;
        for row in &rows {
            sorter.take(row)?;
        }
        if rows.len() < AT_ONCE {
            break;
        }
        if sorter.is_full() {
            sorter.flush().await?;
        }
    }
    sorter.flush().await?;
    let Sorter { mut totals, staged: seen, .. } = sorter;
    let mut staged = sums(&mut reading, kind, statement::staged_sums(&staging)).await?;
    totals.unaccounted = staged.records.abs_diff(seen);
    if totals.unaccounted > 0 {
        staged = sums(&mut reading, kind, statement::sums_of_each(&staging)).await?;
    }
    reading.commit().await?;
    for (currency, sum) in staged.by_currency {
        // Digits, as numeric writes them; what were none would show in the totals.
        totals.currency(&currency).theirs += sum.parse::<i128>().unwrap_or(i128::MAX / 2);
    }
    totals.flasherp = totals.matched;
    Ok(totals)
}

/// What is staged of a type.
#[derive(Default)]
struct Staged {
    records: u64,
    by_currency: Vec<(String, String)>,
}

async fn sums(connection: &mut PgConnection, kind: EntityType, statement: String) -> Result<Staged, sqlx::Error> {
    let rows: Vec<(i64, Option<String>, String)> =
        sqlx::query_as(AssertSqlSafe(statement)).persistent(false).bind(kind.as_str()).fetch_all(connection).await?;
    let mut staged = Staged::default();
    for (records, currency, sum) in rows {
        staged.records += u64::try_from(records).unwrap_or_default();
        staged.by_currency.extend(currency.map(|currency| (currency, sum)));
    }
    Ok(staged)
}
