//! A page of FlashERP's records in staging: each reduced to what is compared, and written together with the slice's checkpoint.
//!
//! Page and checkpoint are one transaction over two unlogged tables: a process that dies leaves both or neither, a database that crashes neither. Each
//! statement is sent whole: a process that is frozen between two of them is idle in a transaction, which PostgreSQL ends. No time limit would end a COPY.

use domain::instant::to_millis;
use domain::mapping::{Marks, Record, control_amount};
use domain::{EntityType, Money};
use service::metrics::Counter;
use sqlx::AssertSqlSafe;
use time::OffsetDateTime;
use uuid::Uuid;

use crate::run::{Run, StepError};
use crate::shown::plain;
use crate::slices::Slice;

/// Stores a page; `next` is where the next one begins, none when this was the last.
///
/// # Errors
/// The slice is another's by now, or the database can't be reached. Nothing is stored then.
pub(crate) async fn store(run: &Run, slice: &Slice, records: &[Record], next: Option<&str>) -> Result<(), StepError> {
    // A FlashERP that overlooks the filter must not make every slice hold all of it.
    let own = records.iter().filter(|record| slice.from <= record.created_at && record.created_at < slice.to);
    let page = Page::of(slice, own);
    let count = i64::try_from(page.targets.len()).unwrap_or(i64::MAX);
    let mut transaction = run.begin().await?;
    if count > 0 {
        let statement = format!(
            "INSERT INTO {} (entity_type, slice_from, target_id, source_id, target_created_at, target_updated_at, marks, currency, minor)
             SELECT $1::text::sync.entity_type, $2, * FROM unnest($3::text[], $4::uuid[], $5::timestamptz[], $6::timestamptz[], $7::bytea[], $8::text[], $9::bigint[])",
            run.staging()?
        );
        sqlx::query(AssertSqlSafe(statement))
            .bind(slice.kind.as_str())
            .bind(to_millis(slice.from))
            .bind(page.targets)
            .bind(page.sources)
            .bind(page.created)
            .bind(page.updated)
            .bind(page.marks)
            .bind(page.currencies)
            .bind(page.minors)
            .execute(&mut *transaction)
            .await?;
    }
    // The checkpoint last: the slice's row is what a successor needs.
    let moved = sqlx::query(
        "UPDATE reconciliation.slices SET cursor = $5, records = records + $6, pages = pages + 1,
            status = CASE WHEN $5::text IS NULL THEN 'done' ELSE 'running' END::reconciliation.slice_status
         WHERE run_id = $1 AND entity_type = $2::text::sync.entity_type AND slice_from = $3 AND owner = $4
            AND cursor IS NOT DISTINCT FROM $7 AND status IN ('pending', 'running')",
    )
    .bind(run.id)
    .bind(slice.kind.as_str())
    .bind(slice.from)
    .bind(run.owner)
    .bind(next)
    .bind(count)
    .bind(slice.cursor.as_deref())
    .execute(&mut *transaction)
    .await?;
    if moved.rows_affected() != 1 {
        return Err(StepError::Lost);
    }
    transaction.commit().await?;
    Counter::ReconciledRecords.add(u64::try_from(count).unwrap_or(0), &[("entity_type", slice.kind.as_str())]);
    Ok(())
}

/// Begins a slice anew: what was staged of it goes.
///
/// # Errors
/// [`StepError`].
pub(crate) async fn restart(run: &Run, slice: &Slice) -> Result<(), StepError> {
    let mut transaction = run.begin().await?;
    let moved = sqlx::query(
        "UPDATE reconciliation.slices SET cursor = NULL, records = 0, pages = 0, restarts = restarts + 1, status = 'pending'
         WHERE run_id = $1 AND entity_type = $2::text::sync.entity_type AND slice_from = $3 AND owner = $4",
    )
    .bind(run.id)
    .bind(slice.kind.as_str())
    .bind(slice.from)
    .bind(run.owner)
    .execute(&mut *transaction)
    .await?;
    if moved.rows_affected() != 1 {
        return Err(StepError::Lost);
    }
    let statement =
        format!("DELETE FROM {} WHERE entity_type = $1::text::sync.entity_type AND slice_from = $2", run.staging()?);
    sqlx::query(AssertSqlSafe(statement)).bind(slice.kind.as_str()).bind(slice.from).execute(&mut *transaction).await?;
    transaction.commit().await?;
    Ok(())
}

/// Gives a slice up.
///
/// # Errors
/// [`StepError`].
pub(crate) async fn give_up(run: &Run, slice: &Slice, why: &str) -> Result<(), StepError> {
    let moved = sqlx::query(
        "UPDATE reconciliation.slices SET status = 'failed', error = $5
         WHERE run_id = $1 AND entity_type = $2::text::sync.entity_type AND slice_from = $3 AND owner = $4",
    )
    .bind(run.id)
    .bind(slice.kind.as_str())
    .bind(slice.from)
    .bind(run.owner)
    .bind(plain(why))
    .execute(&run.pool)
    .await?;
    if moved.rows_affected() == 1 { Ok(()) } else { Err(StepError::Lost) }
}

/// What a record counts for; none of a type that is not counted, and of an amount that is none.
pub(crate) fn counted(kind: EntityType, record: &Record) -> Option<Money> {
    control_amount(kind, &record.fields)?.ok()
}

/// A page, column by column.
#[derive(Debug, Default, PartialEq, Eq)]
struct Page<'a> {
    targets: Vec<&'a str>,
    sources: Vec<Option<Uuid>>,
    created: Vec<OffsetDateTime>,
    updated: Vec<OffsetDateTime>,
    marks: Vec<Vec<u8>>,
    currencies: Vec<Option<&'static str>>,
    minors: Vec<Option<i64>>,
}

impl<'a> Page<'a> {
    fn of(slice: &Slice, records: impl Iterator<Item = &'a Record>) -> Self {
        let mut page = Self::default();
        for record in records {
            let money = counted(slice.kind, record);
            page.targets.push(record.id.as_str());
            page.sources.push(record.reference().and_then(|reference| reference.parse().ok()));
            page.created.push(to_millis(record.created_at));
            page.updated.push(to_millis(record.updated_at));
            page.marks.push(Marks::of(&record.fields).as_bytes().to_vec());
            page.currencies.push(money.map(|money| money.code()));
            page.minors.push(money.map(|money| money.minor()));
        }
        page
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use time::macros::datetime;

    fn slice() -> Slice {
        Slice {
            kind: EntityType::Transaction,
            from: datetime!(2026-11-24 09:00 UTC),
            to: datetime!(2026-11-24 10:00 UTC),
            cursor: None,
            restarts: 0,
            pages: 0,
        }
    }

    #[test]
    fn a_record_is_one_row() {
        let record = Record::parse(
            r#"{"id":"ftx_1","createdAt":"2026-11-24T09:30:00.123Z","updatedAt":"2026-11-24T10:00:00Z","amount":10.99,
                "currency":"EUR","type":"refund","upcoachReference":"0189d7c2-0f4b-7a31-9c55-6d2f6f0f7d11"}"#,
        )
        .expect("a record");
        let page = Page::of(&slice(), [&record].into_iter());
        let expected = Page {
            targets: vec!["ftx_1"],
            sources: vec!["0189d7c2-0f4b-7a31-9c55-6d2f6f0f7d11".parse().ok()],
            created: vec![datetime!(2026-11-24 09:30:00.123 UTC)],
            updated: vec![datetime!(2026-11-24 10:00 UTC)],
            marks: vec![Marks::of(&record.fields).as_bytes().to_vec()],
            currencies: vec![Some("EUR")],
            minors: vec![Some(-1099)],
        };
        assert_eq!(page, expected);
    }

    #[test]
    fn what_is_not_ours_or_no_amount_is_null() {
        let record = Record::parse(
            r#"{"id":"1","createdAt":"2026-11-24T09:30:00Z","updatedAt":"2026-11-24T09:30:00Z","upcoachReference":"theirs","amount":"x"}"#,
        )
        .expect("a record");
        let page = Page::of(&slice(), [&record].into_iter());
        assert_eq!((page.sources, page.currencies, page.minors), (vec![None], vec![None], vec![None]));
    }
}
