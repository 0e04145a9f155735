//! A list exported whole, streamed: read in chunks by cursor, in one snapshot of the database, so that nothing is there twice or missing although
//! rows move while it runs. A client that goes away ends it; an error ends the answer without its last chunk, so that nobody takes it for whole.

use std::time::Duration;

use actix_web::http::header::{ACCEPT, CONTENT_DISPOSITION};
use actix_web::web::Bytes;
use actix_web::{Error, HttpRequest, HttpResponse};
use domain::ErrorCode;
use futures::{Stream, TryStreamExt as _, stream};
use service::http::ApiError;
use sqlx::{PgPool, Postgres, Transaction};
use tokio::sync::{Semaphore, SemaphorePermit};

use super::csv::{self, CsvRow};
use super::{List, Place, rows};
use crate::paging::Cursor;

/// Rows read at once.
const CHUNK: i64 = 1_000;
/// Exports at a time: each holds one of the pool's connections.
static EXPORTS: Semaphore = Semaphore::const_new(2);

/// Whether the caller wants CSV rather than JSON.
#[must_use]
pub fn wants_csv(request: &HttpRequest) -> bool {
    let accepts = request.headers().get_all(ACCEPT).filter_map(|value| value.to_str().ok());
    accepts.flat_map(|value| value.split(',')).any(|range| {
        let mut parts = range.split(';').map(str::trim);
        let is_csv = parts.next().is_some_and(|kind| kind.eq_ignore_ascii_case("text/csv"));
        is_csv && !parts.any(|parameter| matches!(parameter, "q=0" | "q=0.0" | "q=0.00" | "q=0.000"))
    })
}

/// All that a filter matches, as a file.
///
/// # Errors
/// The database, or too many exports at a time; nothing was sent then.
pub async fn answer<L: List>(pool: &PgPool, filter: L, name: &str) -> Result<HttpResponse, ApiError>
where
    L::Row: CsvRow,
{
    let Ok(permit) = EXPORTS.try_acquire() else {
        let busy =
            ApiError::new(ErrorCode::ServiceUnavailable, "other exports are running; try again when they are done");
        return Err(busy.retry_after(Duration::from_secs(5)));
    };
    let mut snapshot = pool.begin_with("BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY").await?;
    // The first chunk is read before the answer begins, so that a database that is away is 503 and not a broken file.
    let mut first = chunk(&mut snapshot, &filter, None).await?;
    first.text.insert_str(0, &csv::header::<L::Row>());
    let running = Running { snapshot, filter, next: Some(first), _permit: permit };
    Ok(HttpResponse::Ok()
        .content_type("text/csv; charset=utf-8; header=present")
        .insert_header((CONTENT_DISPOSITION, format!("attachment; filename=\"{name}.csv\"")))
        .streaming(body(running)))
}

/// An export under way.
struct Running<L: List> {
    snapshot: Transaction<'static, Postgres>,
    filter: L,
    next: Option<Chunk>,
    _permit: SemaphorePermit<'static>,
}

struct Chunk {
    text: String,
    /// Where it goes on; none behind the last.
    behind: Option<Cursor>,
}

async fn chunk<L: List>(
    snapshot: &mut Transaction<'static, Postgres>,
    filter: &L,
    behind: Option<Cursor>,
) -> Result<Chunk, ApiError>
where
    L::Row: CsvRow,
{
    let read = rows(&mut *snapshot, filter, Place { behind, offset: 0, limit: CHUNK }).await?;
    let is_full = i64::try_from(read.len()).is_ok_and(|read| read == CHUNK);
    let lines: Result<String, _> = read.iter().map(csv::row).collect();
    let text = lines.map_err(|error| ApiError::internal(anyhow::Error::new(error).context("a row as CSV")))?;
    Ok(Chunk { text, behind: read.last().filter(|_| is_full).map(L::place) })
}

fn body<L: List>(running: Running<L>) -> impl Stream<Item = Result<Bytes, Error>>
where
    L::Row: CsvRow,
{
    let chunks = stream::try_unfold(running, |mut running| async move {
        // An empty chunk would end the answer, and there is nothing behind it.
        let Some(Chunk { text, behind }) = running.next.take().filter(|chunk| !chunk.text.is_empty()) else {
            return Ok(None);
        };
        if let Some(behind) = behind {
            running.next = Some(chunk(&mut running.snapshot, &running.filter, Some(behind)).await?);
        }
        Ok(Some((Bytes::from(text), running)))
    });
    chunks.map_err(|error: ApiError| {
        tracing::error!(error = &error as &dyn std::error::Error, "an export was broken off");
        error.into()
    })
}

#[cfg(test)]
mod tests {
    use actix_web::test::TestRequest;

    use super::*;

    #[test]
    fn csv_is_given_only_to_those_who_ask_for_it() {
        let wants = |accept: &str| wants_csv(&TestRequest::get().insert_header((ACCEPT, accept)).to_http_request());
        assert!(wants("text/csv") && wants("text/CSV;q=0.9, */*") && wants("application/json, text/csv"));
        assert!(!wants("*/*") && !wants("application/json") && !wants("text/csv;q=0"));
        assert!(!wants_csv(&TestRequest::get().to_http_request()));
    }
}
