//! A page of FlashERP's records in staging: each reduced to what is compared, and copied in together with the slice's checkpoint.
//!
//! Page and checkpoint are one transaction over two unlogged tables: a process that dies leaves both or neither, a database that crashes neither.

use std::fmt::Write as _;

use domain::instant;
use domain::mapping::{Marks, Record, control_amount};
use domain::{EntityType, Money};
use service::metrics::Counter;
use sqlx::AssertSqlSafe;
use uuid::Uuid;

use crate::run::{Run, StepError};
use crate::shown::plain;
use crate::slices::Slice;

/// Stores a page; `next` is where the next one begins, none when this was the last.
///
/// # Errors
/// The slice is another's by now, or the database can't be reached. Nothing is stored then.
pub(crate) async fn store(run: &Run, slice: &Slice, records: &[Record], next: Option<&str>) -> Result<(), StepError> {
    let mut text = String::with_capacity(records.len() * 320);
    let mut count = 0_i64;
    // A FlashERP that overlooks the filter must not make every slice hold all of it.
    for record in records.iter().filter(|record| slice.from <= record.created_at && record.created_at < slice.to) {
        line(&mut text, slice, record);
        count += 1;
    }
    let mut transaction = run.begin().await?;
    if count > 0 {
        let statement = format!(
            "COPY {} (entity_type, target_id, source_id, slice_from, target_created_at, target_updated_at, marks, currency, minor) FROM STDIN",
            run.staging()?
        );
        let mut copy = transaction.copy_in_raw(&statement).await?;
        copy.send(text.into_bytes()).await?;
        copy.finish().await?;
    }
    // The checkpoint last: no time limit ends a COPY whose sender is frozen, and the slice's row is what a successor needs.
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

/// A line of COPY's text format.
fn line(text: &mut String, slice: &Slice, record: &Record) {
    let source: Option<Uuid> = record.reference().and_then(|reference| reference.parse().ok());
    let money = counted(slice.kind, record);
    text.push_str(slice.kind.as_str());
    text.push('\t');
    escape(text, record.id.as_str());
    text.push('\t');
    match source {
        // Writing to a String does not fail.
        Some(id) => drop(write!(text, "{id}")),
        None => text.push_str("\\N"),
    }
    for at in [slice.from, record.created_at, record.updated_at] {
        text.push('\t');
        text.push_str(&instant::text(at));
    }
    text.push_str("\t\\\\x");
    text.push_str(&hex::encode(Marks::of(&record.fields).as_bytes()));
    text.push('\t');
    match money {
        Some(money) => drop(write!(text, "{}\t{}", money.code(), money.minor())),
        None => text.push_str("\\N\t\\N"),
    }
    text.push('\n');
}

/// As COPY reads it back.
fn escape(text: &mut String, value: &str) {
    for character in value.chars() {
        match character {
            '\\' => text.push_str("\\\\"),
            '\t' => text.push_str("\\t"),
            '\n' => text.push_str("\\n"),
            '\r' => text.push_str("\\r"),
            other => text.push(other),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use time::macros::datetime;

    #[test]
    fn a_record_is_one_line() {
        let record = Record::parse(
            r#"{"id":"ftx_1","createdAt":"2026-11-24T09:30:00.123Z","updatedAt":"2026-11-24T10:00:00Z","amount":10.99,
                "currency":"EUR","type":"refund","upcoachReference":"0189d7c2-0f4b-7a31-9c55-6d2f6f0f7d11"}"#,
        )
        .expect("a record");
        let slice = Slice {
            kind: EntityType::Transaction,
            from: datetime!(2026-11-24 09:00 UTC),
            to: datetime!(2026-11-24 10:00 UTC),
            cursor: None,
            restarts: 0,
            pages: 0,
        };
        let mut text = String::new();
        line(&mut text, &slice, &record);
        let cells: Vec<&str> = text.trim_end_matches('\n').split('\t').collect();
        assert_eq!(
            cells[..4],
            ["transaction", "ftx_1", "0189d7c2-0f4b-7a31-9c55-6d2f6f0f7d11", "2026-11-24T09:00:00.000Z"]
        );
        assert_eq!(cells[4..6], ["2026-11-24T09:30:00.123Z", "2026-11-24T10:00:00.000Z"]);
        assert!(cells[6].starts_with("\\\\x"), "{text}");
        assert_eq!(cells[7..], ["EUR", "-1099"]);
        assert_eq!(text.matches('\n').count(), 1);
        let mut id = String::new();
        escape(&mut id, "a\tb\\c\nd\re");
        assert_eq!(id, "a\\tb\\\\c\\nd\\re", "whatever is in it");
    }

    #[test]
    fn what_is_not_ours_or_no_amount_is_null() {
        let record = Record::parse(
            r#"{"id":"1","createdAt":"2026-11-24T09:30:00Z","updatedAt":"2026-11-24T09:30:00Z","upcoachReference":"theirs","amount":"x"}"#,
        )
        .expect("a record");
        let slice = Slice {
            kind: EntityType::Transaction,
            from: datetime!(2026-11-24 09:00 UTC),
            to: datetime!(2026-11-24 10:00 UTC),
            cursor: None,
            restarts: 0,
            pages: 0,
        };
        let mut text = String::new();
        line(&mut text, &slice, &record);
        let cells: Vec<&str> = text.trim_end_matches('\n').split('\t').collect();
        assert_eq!((cells[2], cells[7], cells[8]), ("\\N", "\\N", "\\N"));
    }
}
