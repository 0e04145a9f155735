//! Syncs queued again or taken out of the way, one by one or by filter.

use actix_web::{HttpResponse, post, web};
use domain::ErrorCode;
use serde::Serialize;
use service::http::{ApiError, ErrorBody};
use syncs::batch::What;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::input::{Body, Fields, FromFields, Nothing, Query};
use crate::records::Sync;
use crate::records::bulk::{self, Bulk, BulkMembers, BulkResult};
use crate::records::change::{self, Changed};
use crate::{Actor, State};

/// Why a sync is skipped, where nobody said.
const NO_REASON: &str = "skipped by hand";

/// What was done, and the sync as it is now.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct SyncChanged {
    message: &'static str,
    sync: Sync,
}

/// In the caller's words.
#[derive(Clone, Debug)]
pub(crate) struct Reason(Option<String>);

/// The members of [`Reason`], for the API's description.
#[derive(ToSchema)]
#[schema(as = Reason)]
#[expect(dead_code, reason = "describes what `Reason` reads")]
pub(crate) struct ReasonMembers {
    #[schema(nullable = false, min_length = 1, max_length = 2000)]
    reason: Option<String>,
}

impl FromFields for Reason {
    fn read(fields: &mut Fields) -> Self {
        Self(fields.text("reason"))
    }
}

/// Queue a failed sync at once
///
/// It gets its retries back. One whose outcome is unknown is still looked up first.
#[utoipa::path(
    tag = "syncs",
    operation_id = "retrySync",
    params(("syncId" = Uuid, Path)),
    responses(
        (status = 200, body = SyncChanged),
        (status = 404, description = "There is no such sync", body = ErrorBody),
        (status = 409, description = "It has not failed", body = ErrorBody),
    ),
)]
#[post("/api/erp/retry/{syncId}")]
pub(crate) async fn retry(
    actor: Actor,
    id: web::Path<Uuid>,
    _: Query<Nothing>,
    state: web::Data<State>,
    _: Body<Nothing>,
) -> Result<HttpResponse, ApiError> {
    answer(change::retry(&state, &actor, *id).await?, *id, "queued", "it has not failed; there is nothing to retry")
}

/// Take a sync out of the way
///
/// Nothing but a hand brings it back.
#[utoipa::path(
    tag = "syncs",
    operation_id = "skipSync",
    params(("syncId" = Uuid, Path)),
    request_body = ReasonMembers,
    responses(
        (status = 200, body = SyncChanged),
        (status = 404, description = "There is no such sync", body = ErrorBody),
        (status = 409, description = "It is synced already, or a worker has it in hand", body = ErrorBody),
    ),
)]
#[post("/api/erp/skip/{syncId}")]
pub(crate) async fn skip(
    actor: Actor,
    id: web::Path<Uuid>,
    _: Query<Nothing>,
    state: web::Data<State>,
    Body(Reason(reason)): Body<Reason>,
) -> Result<HttpResponse, ApiError> {
    let changed = change::skip(&state, &actor, *id, reason.as_deref().unwrap_or(NO_REASON)).await?;
    answer(changed, *id, "skipped", "it is synced already, or a worker has it in hand")
}

fn answer(changed: Changed, id: Uuid, message: &'static str, refused: &'static str) -> Result<HttpResponse, ApiError> {
    match changed {
        Changed::Done(sync) | Changed::Already(sync) => Ok(HttpResponse::Ok().json(SyncChanged { message, sync })),
        Changed::NotFound => Err(ApiError::new(ErrorCode::ResourceNotFound, format!("there is no sync {id}"))),
        Changed::Refused(sync) => Err(ApiError::new(ErrorCode::ResourceConflict, refused)
            .with_detail("syncStatus", format!("is {}", sync.sync_status))),
    }
}

/// Queue all failed syncs that match
///
/// What takes longer than the caller is kept waiting goes on as a batch.
#[utoipa::path(
    tag = "syncs",
    operation_id = "retrySyncs",
    request_body = BulkMembers,
    responses((status = 200, body = BulkResult)),
)]
#[post("/api/erp/syncs/retry")]
pub(crate) async fn retry_all(
    actor: Actor,
    _: Query<Nothing>,
    state: web::Data<State>,
    Body(asked): Body<Bulk>,
) -> Result<HttpResponse, ApiError> {
    Ok(HttpResponse::Ok().json(bulk::run(&state.pool, &actor, asked, What::Retry).await?))
}

/// Take all syncs that match and are not done out of the way
///
/// What takes longer than the caller is kept waiting goes on as a batch.
#[utoipa::path(
    tag = "syncs",
    operation_id = "skipSyncs",
    request_body = BulkMembers,
    responses((status = 200, body = BulkResult)),
)]
#[post("/api/erp/syncs/skip")]
pub(crate) async fn skip_all(
    actor: Actor,
    _: Query<Nothing>,
    state: web::Data<State>,
    Body(asked): Body<Bulk>,
) -> Result<HttpResponse, ApiError> {
    Ok(HttpResponse::Ok().json(bulk::run(&state.pool, &actor, asked, What::Skip).await?))
}
