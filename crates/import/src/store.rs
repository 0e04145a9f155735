//! A batch's way into the database: one statement per type, and halves of it after a refusal, so that what the database refuses costs its own
//! line alone.

use std::collections::BTreeMap;

use domain::EntityType;
use sqlx::types::Json;
use sqlx::{Connection as _, PgConnection};
use uuid::Uuid;

use crate::batch::Batch;
use crate::error::{LineError, Problem};
use crate::progress::Counts;
use crate::reader::Place;
use crate::record::Record;

/// What became of a batch's records.
#[derive(Debug, Default)]
pub(crate) struct Written<'a> {
    pub(crate) counts: Counts,
    pub(crate) refused: Vec<(&'a Place, LineError)>,
}

#[derive(sqlx::FromRow)]
struct Row {
    outcome: String,
    holder: Option<Uuid>,
    taken_column: Option<String>,
}

/// Writes a batch in the transaction that the caller has begun.
pub(crate) async fn write<'a>(connection: &mut PgConnection, batch: &'a Batch) -> Result<Written<'a>, sqlx::Error> {
    let mut written = Written::default();
    for (kind, records) in batch.by_type() {
        let mut parts = vec![records.as_slice()];
        while let Some(part) = parts.pop() {
            match write_part(connection, kind, part).await {
                Ok(rows) => part.iter().zip(rows).for_each(|(record, row)| take(&mut written, record, &row)),
                Err(error) if is_of_a_record(&error) => match part {
                    [(place, record)] => written.refused.push((place, refusal(place, record, refused_by(&error)))),
                    _ => {
                        let (first, second) = part.split_at(part.len() / 2);
                        parts.extend([second, first]);
                    }
                },
                Err(error) => return Err(error),
            }
        }
    }
    written.counts.rejected = batch.rejected() + written.refused.len() as u64;
    written.counts.records = batch.lines();
    Ok(written)
}

/// All or, after an error, nothing.
async fn write_part(
    connection: &mut PgConnection,
    kind: EntityType,
    part: &[&(Place, Record)],
) -> Result<Vec<Row>, sqlx::Error> {
    let rows: Vec<_> = part.iter().map(|(_, record)| &record.members).collect();
    let mut savepoint = connection.begin().await?;
    let told: Vec<Row> =
        sqlx::query_as("SELECT outcome, holder, taken_column FROM upcoach.import_batch($1::sync.entity_type, $2)")
            .bind(kind.as_str())
            .bind(Json(rows))
            .fetch_all(&mut *savepoint)
            .await?;
    savepoint.commit().await?;
    Ok(told)
}

fn take<'a>(written: &mut Written<'a>, (place, record): &'a (Place, Record), row: &Row) {
    match row.outcome.as_str() {
        "created" => written.counts.created += 1,
        "updated" => written.counts.updated += 1,
        "unchanged" => written.counts.unchanged += 1,
        "stripes" => written.counts.left_to_stripe += 1,
        _ => {
            let column = row.taken_column.as_deref().unwrap_or_default();
            let name = crate::column::columns(record.kind)
                .and_then(|columns| crate::column::named(columns, column))
                .map_or(column, |column| column.name);
            let holder = row.holder.unwrap_or_default();
            let issue =
                format!("belongs to {} {holder} already; leave it out, or give the record that id", record.kind);
            written.refused.push((place, refusal(place, record, Problem::of(name, issue))));
        }
    }
}

fn refusal(place: &Place, record: &Record, problem: Problem) -> LineError {
    LineError { line: place.line, entity_type: Some(record.kind), id: Some(record.id), problems: vec![problem] }
}

/// Whether the statement was refused for what a record holds (data exception, integrity).
fn is_of_a_record(error: &sqlx::Error) -> bool {
    let code = error.as_database_error().and_then(|error| error.code());
    code.is_some_and(|code| code.starts_with("22") || code.starts_with("23"))
}

/// PostgreSQL's message names the constraint; values would be in its details.
fn refused_by(error: &sqlx::Error) -> Problem {
    let message = error.as_database_error().map_or("", |error| error.message());
    Problem::of_line(format!("the database refuses it: {message}"))
}

/// Places by line, for a file that is read by people.
pub(crate) fn in_order(refused: Vec<(&Place, LineError)>) -> impl Iterator<Item = (&Place, LineError)> {
    let by_line: BTreeMap<u64, _> = refused.into_iter().map(|(place, error)| (place.line, (place, error))).collect();
    by_line.into_values()
}
