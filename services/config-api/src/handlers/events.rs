//! `GET /api/erp/events`: what happens, as it happens.

use std::time::Duration;

use actix_web::http::header::CONTENT_TYPE;
use actix_web::{HttpRequest, HttpResponse, get, web};
use domain::ErrorCode;
use service::auth::Viewer;
use service::http::ApiError;
use time::OffsetDateTime;

use crate::input::{Nothing, Query};
use crate::{State, live};

/// Clients of one process; each costs a connection and next to no memory.
const MOST_CLIENTS: usize = 1000;
/// When one that finds no room comes again.
const COMES_AGAIN: Duration = Duration::from_secs(10);

/// Live events
///
/// Server-sent events of the types sync, webhook, health, circuit, reconciliation, job, batch, config and alert: thin, they say what to fetch
/// again. `resync` says that events were missed and everything is to be fetched again. A comment comes every 15 seconds. The stream ends when
/// the token does.
#[utoipa::path(
    tag = "operation",
    operation_id = "streamEvents",
    params(("Last-Event-ID" = Option<String>, Header, description = "The id of the last event seen; what came since is sent, or `resync`")),
    responses((status = 200, description = "The stream", body = String, content_type = "text/event-stream")),
)]
#[get("/api/erp/events")]
pub(crate) async fn stream(
    viewer: Viewer,
    _: Query<Nothing>,
    request: HttpRequest,
    state: web::Data<State>,
) -> Result<HttpResponse, ApiError> {
    if state.live.clients() >= MOST_CLIENTS {
        let message = "too many listen already; try again, or look without live events";
        return Err(ApiError::new(ErrorCode::ServiceUnavailable, message).retry_after(COMES_AGAIN));
    }
    let last_seen = request.headers().get("last-event-id").map(|id| id.to_str().unwrap_or_default());
    let lasts = Duration::try_from(viewer.expires_at - OffsetDateTime::now_utc()).unwrap_or_default();
    let text = live::stream(state.live.subscribe(last_seen), lasts, state.shutdown.clone());
    // The second header keeps a proxy before us from collecting what is to arrive at once.
    Ok(HttpResponse::Ok()
        .insert_header((CONTENT_TYPE, "text/event-stream"))
        .insert_header(("x-accel-buffering", "no"))
        .streaming(text))
}
