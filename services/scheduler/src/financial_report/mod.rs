//! `financial-report`: the figures of the day before, per currency, as a row that FlashERP is sent; and of the days before that, where their past has changed.
//! What each figure means: docs/financial-reports.md.
//!
//! All rows are written in one transaction, whose trigger asks for the syncs of those that changed: who dies before it has written nothing, and the next
//! run writes the same.

mod figures;
mod sums;
#[cfg(test)]
mod tests;

use domain::ErrorCode;
use serde_json::json;
use sqlx::{PgConnection, PgPool};
use syncs::{StoredConfiguration, View};
use time::{Date, Duration, OffsetDateTime};

use crate::run::{Done, Failed, Run};
use figures::Report;
use sums::Sums;

/// Days before the last one that are looked at again.
const PAST: i64 = 93;

/// The job.
#[derive(Debug, Clone, Copy)]
pub(crate) struct FinancialReports {
    /// `FLASHERP_ENABLED=false`.
    pub(crate) disabled: bool,
}

impl FinancialReports {
    pub(crate) async fn work(&self, run: &Run) -> Result<Done, Failed> {
        let failed = |error: sqlx::Error| Failed {
            code: ErrorCode::InternalError,
            message: format!("the database: {error}"),
            done: Done::default(),
        };
        let now = run.now().await.map_err(failed)?;
        if !self.in_scope(&run.pool).await.map_err(failed)? {
            return Ok(Done { items: 0, result: json!({"skipped": "financial reports are not in scope"}) });
        }
        let written = write(&run.pool, now).await.map_err(failed)?;
        let done = Done {
            items: written.changed,
            result: json!({"day": written.day.to_string(), "changed": written.changed, "refused": written.refused}),
        };
        if written.refused.is_empty() {
            return Ok(done);
        }
        let message = format!("no report can be made of {}", written.refused.join("; "));
        Err(Failed { code: ErrorCode::ValidationError, message, done })
    }

    async fn in_scope(&self, pool: &PgPool) -> Result<bool, sqlx::Error> {
        let stored = StoredConfiguration::load_as(pool, View::Scheduler).await?;
        Ok(!self.disabled
            && stored.is_some_and(|stored| stored.is_enabled() && stored.holds(domain::EntityType::FinancialReport)))
    }
}

/// What was written.
#[derive(Debug)]
pub(crate) struct Written {
    /// The last day that is over.
    pub(crate) day: Date,
    /// Reports that are new or changed.
    pub(crate) changed: u64,
    /// Days and currencies whose amounts can't be told in ISO 4217, and why.
    pub(crate) refused: Vec<String>,
}

/// Writes the report of the day before `now`, of days since the last report that have none, and of reported days of the last quarter.
pub(crate) async fn write(pool: &PgPool, now: OffsetDateTime) -> Result<Written, sqlx::Error> {
    let today = now.to_offset(time::UtcOffset::UTC).date();
    let yesterday = today.previous_day().unwrap_or(today);
    let mut transaction = pool.begin().await?;
    // One at a time: two would write the same rows in another order.
    sqlx::query("SELECT pg_advisory_xact_lock(hashtextextended('scheduling.reports', 0))")
        .execute(&mut *transaction)
        .await?;
    let earliest = yesterday - Duration::days(PAST);
    let first: Option<Date> = sqlx::query_scalar(
        "SELECT (min(period_start) AT TIME ZONE 'UTC')::date FROM scheduling.reports
         WHERE period = 'daily' AND period_start >= ($1::date)::timestamp AT TIME ZONE 'UTC'",
    )
    .bind(earliest)
    .fetch_one(&mut *transaction)
    .await?;
    let from = first.unwrap_or(yesterday).min(yesterday);
    let sums = sums::read(&mut transaction, from, today).await?;
    let (reports, refused) = reports(&sums);
    let changed = store(&mut transaction, from, today, &reports, &refused).await?;
    service::failpoint!("scheduler.before_report");
    transaction.commit().await?;
    service::failpoint!("scheduler.after_report");
    Ok(Written { day: yesterday, changed, refused: refused.into_iter().map(|(_, _, why)| why).collect() })
}

type Refused = (Date, String, String);

fn reports(sums: &[Sums]) -> (Vec<Report>, Vec<Refused>) {
    let mut reports = Vec::with_capacity(sums.len());
    let mut refused = Vec::new();
    for sum in sums {
        match Report::of(sum) {
            Ok(report) => reports.push(report),
            Err(error) => {
                refused.push((sum.day, sum.currency.clone(), format!("{} {}: {error}", sum.day, sum.currency)));
            }
        }
    }
    (reports, refused)
}

/// Rows that are new or whose figures differ; rows of which nothing is left become zero. What a day was worth a month (MRR, ARR) stays as it was first told.
async fn store(
    connection: &mut PgConnection,
    from: Date,
    until: Date,
    reports: &[Report],
    refused: &[Refused],
) -> Result<u64, sqlx::Error> {
    let written = sqlx::query(
        "INSERT INTO scheduling.reports AS r (period, period_start, period_end, currency, revenue, costs, profit, mrr, arr, fees_incomplete)
         SELECT 'daily', day::timestamp AT TIME ZONE 'UTC', (day + 1)::timestamp AT TIME ZONE 'UTC', currency, revenue, costs,
            revenue - costs, mrr, arr, fees_incomplete
         FROM unnest($1::date[], $2::text[], $3::bigint[], $4::bigint[], $5::bigint[], $6::bigint[], $7::boolean[])
            AS given (day, currency, revenue, costs, mrr, arr, fees_incomplete)
         ORDER BY day, currency
         ON CONFLICT (period, period_start, currency) DO UPDATE SET revenue = excluded.revenue, costs = excluded.costs,
            profit = excluded.profit, fees_incomplete = excluded.fees_incomplete, revision = r.revision + 1,
            updated_at = clock_timestamp()
         WHERE (r.revenue, r.costs, r.fees_incomplete) IS DISTINCT FROM (excluded.revenue, excluded.costs, excluded.fees_incomplete)",
    )
    .bind(reports.iter().map(|report| report.day).collect::<Vec<_>>())
    .bind(reports.iter().map(|report| report.currency.as_str()).collect::<Vec<_>>())
    .bind(reports.iter().map(|report| report.revenue).collect::<Vec<_>>())
    .bind(reports.iter().map(|report| report.costs).collect::<Vec<_>>())
    .bind(reports.iter().map(|report| report.mrr).collect::<Vec<_>>())
    .bind(reports.iter().map(|report| report.arr).collect::<Vec<_>>())
    .bind(reports.iter().map(|report| report.fees_incomplete).collect::<Vec<_>>())
    .execute(&mut *connection)
    .await?
    .rows_affected();
    let kept: Vec<(Date, &str)> = reports
        .iter()
        .map(|report| (report.day, report.currency.as_str()))
        .chain(refused.iter().map(|(day, currency, _)| (*day, currency.as_str())))
        .collect();
    let emptied = sqlx::query(
        "UPDATE scheduling.reports r SET revenue = 0, costs = 0, profit = 0, fees_incomplete = false, revision = r.revision + 1,
            updated_at = clock_timestamp()
         WHERE r.period = 'daily' AND r.period_start >= ($1::date)::timestamp AT TIME ZONE 'UTC'
            AND r.period_start < ($2::date)::timestamp AT TIME ZONE 'UTC' AND (r.revenue, r.costs, r.fees_incomplete) <> (0, 0, false)
            AND NOT EXISTS (SELECT FROM unnest($3::date[], $4::text[]) AS k (day, currency)
                WHERE k.day::timestamp AT TIME ZONE 'UTC' = r.period_start AND k.currency = r.currency)",
    )
    .bind(from)
    .bind(until)
    .bind(kept.iter().map(|(day, _)| *day).collect::<Vec<_>>())
    .bind(kept.iter().map(|(_, currency)| *currency).collect::<Vec<_>>())
    .execute(connection)
    .await?
    .rows_affected();
    Ok(written + emptied)
}
