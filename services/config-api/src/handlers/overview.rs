//! How it stands as a whole, and what is done about failures of one kind.

use actix_web::{HttpResponse, get, post, web};
use domain::ErrorCode;
use serde::Serialize;
use service::auth::Viewer;
use service::http::{ApiError, ErrorBody};
use syncs::batch::{SyncFilter, What};
use utoipa::ToSchema;

use crate::input::{Body, Fields, FromFields, Nothing, Query};
use crate::overview::error_groups::{self, ErrorGroups};
use crate::overview::exposure::{self as exposed, Exposure};
use crate::overview::metrics::Metrics;
use crate::records::bulk::{self, Bulk, BulkResult};
use crate::{Actor, State};

/// Counts, durations, failures by code, health
#[utoipa::path(tag = "overview", operation_id = "readMetrics", responses((status = 200, body = Metrics)))]
#[get("/api/erp/metrics")]
pub(crate) async fn metrics(_: Viewer, _: Query<Nothing>, state: web::Data<State>) -> Result<HttpResponse, ApiError> {
    Ok(HttpResponse::Ok().json(&*state.overview.metrics(&state.pool).await?))
}

/// Money not yet in FlashERP, per currency and age
#[utoipa::path(tag = "overview", operation_id = "readExposure", responses((status = 200, body = Exposure)))]
#[get("/api/erp/exposure")]
pub(crate) async fn exposure(_: Viewer, _: Query<Nothing>, state: web::Data<State>) -> Result<HttpResponse, ApiError> {
    Ok(HttpResponse::Ok().json(exposed::read(&state.pool).await?))
}

/// How many kinds of failures are shown.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Shown(i64);

impl FromFields for Shown {
    fn read(fields: &mut Fields) -> Self {
        Self(fields.integer("limit", 1..=100).unwrap_or(50))
    }
}

/// Failed syncs by kind, those with the most first
#[utoipa::path(
    tag = "errors",
    operation_id = "listErrorGroups",
    params(("limit" = Option<i64>, Query, minimum = 1, maximum = 100, description = "Kinds at most; 50 where nothing is said")),
    responses((status = 200, body = ErrorGroups)),
)]
#[get("/api/erp/error-groups")]
pub(crate) async fn groups(
    _: Viewer,
    state: web::Data<State>,
    Query(Shown(limit)): Query<Shown>,
) -> Result<HttpResponse, ApiError> {
    Ok(HttpResponse::Ok().json(error_groups::read(&state.pool, None, limit).await?))
}

/// Why, and whether they are only counted.
#[derive(Clone, Debug)]
pub(crate) struct GroupAction {
    reason: Option<String>,
    dry_run: bool,
}

impl FromFields for GroupAction {
    fn read(fields: &mut Fields) -> Self {
        Self { reason: fields.text("reason"), dry_run: fields.flag("dryRun").unwrap_or_default() }
    }
}

/// In the caller's words.
#[derive(Clone, Debug)]
pub(crate) struct Note(Option<String>);

impl FromFields for Note {
    fn read(fields: &mut Fields) -> Self {
        Self(fields.text("note"))
    }
}

/// What was done, in words.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct GroupAcknowledged {
    message: &'static str,
}

/// Queue all failed syncs of a kind
#[utoipa::path(
    tag = "errors",
    operation_id = "retryErrorGroup",
    params(("fingerprint" = String, Path, pattern = "^[0-9a-f]{32}$")),
    request_body = crate::handlers::bodies::GroupActionMembers,
    responses(
        (status = 200, body = BulkResult),
        (status = 404, description = "No failed sync is of this kind", body = ErrorBody),
    ),
)]
#[post("/api/erp/error-groups/{fingerprint}/retry")]
pub(crate) async fn retry(
    actor: Actor,
    fingerprint: web::Path<String>,
    _: Query<Nothing>,
    state: web::Data<State>,
    Body(asked): Body<GroupAction>,
) -> Result<HttpResponse, ApiError> {
    change(&state, &actor, &fingerprint, asked, What::Retry).await
}

/// Take all failed syncs of a kind out of the way
#[utoipa::path(
    tag = "errors",
    operation_id = "skipErrorGroup",
    params(("fingerprint" = String, Path, pattern = "^[0-9a-f]{32}$")),
    request_body = crate::handlers::bodies::GroupActionMembers,
    responses(
        (status = 200, body = BulkResult),
        (status = 404, description = "No failed sync is of this kind", body = ErrorBody),
    ),
)]
#[post("/api/erp/error-groups/{fingerprint}/skip")]
pub(crate) async fn skip(
    actor: Actor,
    fingerprint: web::Path<String>,
    _: Query<Nothing>,
    state: web::Data<State>,
    Body(asked): Body<GroupAction>,
) -> Result<HttpResponse, ApiError> {
    change(&state, &actor, &fingerprint, asked, What::Skip).await
}

/// Note that somebody has seen to failures of a kind
///
/// What fails so later shows as new.
#[utoipa::path(
    tag = "errors",
    operation_id = "acknowledgeErrorGroup",
    params(("fingerprint" = String, Path, pattern = "^[0-9a-f]{32}$")),
    request_body = crate::handlers::bodies::NoteMembers,
    responses(
        (status = 200, body = GroupAcknowledged),
        (status = 404, description = "No failed sync is of this kind", body = ErrorBody),
    ),
)]
#[post("/api/erp/error-groups/{fingerprint}/acknowledge")]
pub(crate) async fn acknowledge(
    actor: Actor,
    fingerprint: web::Path<String>,
    _: Query<Nothing>,
    state: web::Data<State>,
    Body(Note(note)): Body<Note>,
) -> Result<HttpResponse, ApiError> {
    known(&state, &fingerprint).await?;
    error_groups::acknowledge(&state.pool, &actor, &fingerprint, note.as_deref()).await?;
    Ok(HttpResponse::Ok().json(GroupAcknowledged { message: "acknowledged" }))
}

async fn change(
    state: &State,
    actor: &Actor,
    fingerprint: &str,
    GroupAction { reason, dry_run }: GroupAction,
    what: fn(SyncFilter) -> What,
) -> Result<HttpResponse, ApiError> {
    known(state, fingerprint).await?;
    let bulk = Bulk { filter: error_groups::filter(fingerprint), dry_run, reason };
    Ok(HttpResponse::Ok().json(bulk::run(&state.pool, actor, bulk, what).await?))
}

/// Whether there are failures of this kind.
async fn known(state: &State, fingerprint: &str) -> Result<(), ApiError> {
    let is_one = fingerprint.len() == 32 && fingerprint.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    if !is_one {
        return Err(ApiError::new(ErrorCode::ValidationError, "the path can't be used; see details")
            .with_detail("fingerprint", "must be 32 hexadecimal digits in lower case"));
    }
    if error_groups::read(&state.pool, Some(fingerprint), 1).await?.data.is_empty() {
        return Err(ApiError::new(ErrorCode::ResourceNotFound, "no failed sync is of this kind"));
    }
    Ok(())
}
