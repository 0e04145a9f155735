//! The two long lists: the sync history and the audit log, as pages or as CSV.

use actix_web::{HttpRequest, HttpResponse, get, web};
use domain::ErrorCode;
use service::auth::Viewer;
use service::http::ApiError;

use crate::State;
use crate::audit_log::AuditLog;
use crate::audit_log::filter::{LogFilter, LogParameters};
use crate::input::Query;
use crate::listing::csv::CsvRow;
use crate::listing::{self, List, Listed, export};
use crate::paging::{Page, PagingParameters};
use crate::records::Sync;
use crate::records::history::{History, HistoryParameters};

/// Syncs, newest attempt first
///
/// One that was never tried stands where it was made. With `Accept: text/csv` all that match, as a file.
#[utoipa::path(
    tag = "records",
    params(PagingParameters, HistoryParameters),
    responses((status = 200, description = "A page, or the file", content((Page<Sync> = "application/json"), (String = "text/csv")))),
)]
#[get("/api/erp/sync-history")]
pub(crate) async fn sync_history(
    _: Viewer,
    state: web::Data<State>,
    request: HttpRequest,
    Query(asked): Query<Listed<History>>,
) -> Result<HttpResponse, ApiError> {
    answer(&state, &request, asked, "sync-history").await
}

/// What was done, by whom, newest first
///
/// With `Accept: text/csv` all that match, as a file.
#[utoipa::path(
    tag = "records",
    params(PagingParameters, LogParameters),
    responses((status = 200, description = "A page, or the file", content((Page<AuditLog> = "application/json"), (String = "text/csv")))),
)]
#[get("/api/erp/audit-logs")]
pub(crate) async fn audit_logs(
    _: Viewer,
    state: web::Data<State>,
    request: HttpRequest,
    Query(asked): Query<Listed<LogFilter>>,
) -> Result<HttpResponse, ApiError> {
    answer(&state, &request, asked, "audit-logs").await
}

/// A page, or with `Accept: text/csv` all that match.
pub(super) async fn answer<L: List>(
    state: &State,
    request: &HttpRequest,
    asked: Listed<L>,
    name: &str,
) -> Result<HttpResponse, ApiError>
where
    L::Row: CsvRow,
{
    if !export::wants_csv(request) {
        return Ok(HttpResponse::Ok().json(listing::page(&state.pool, &asked.filter, asked.paging).await?));
    }
    if asked.is_paged {
        return Err(ApiError::new(ErrorCode::ValidationError, "an export is whole: leave page, limit and cursor out")
            .with_detail("query", "page, limit and cursor can't be used with Accept: text/csv"));
    }
    export::answer(&state.pool, asked.filter, name).await
}
