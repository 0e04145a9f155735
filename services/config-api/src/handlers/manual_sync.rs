//! Syncs asked for by hand: of one record, waited for; of everything, as a batch.

use actix_web::http::header::LOCATION;
use actix_web::{HttpRequest, HttpResponse, post, web};
use domain::{EntityType, ErrorCode};
use service::http::{ApiError, ErrorBody};
use uuid::Uuid;

use crate::input::{Body, Nothing, Query};
use crate::records::full_sync::{self, FullSync, FullSyncMembers, FullSyncStarted};
use crate::records::manual::{self, Outcome};
use crate::records::{SyncResult, enabled};
use crate::wait::{Wait, WaitParameters};
use crate::{Actor, State};

/// Sync a transaction now
///
/// FlashERP itself is asked, whatever was sent last.
#[utoipa::path(
    tag = "syncs",
    operation_id = "syncTransaction",
    params(("id" = Uuid, Path, description = "The transaction, in UpCoach"), WaitParameters),
    responses(
        (status = 200, description = "The sync has ended, well or not", body = SyncResult),
        (status = 202, description = "It is under way still", body = SyncResult, headers(("Location" = String, description = "The sync"))),
        (status = 404, description = "RESOURCE_NOT_FOUND: UpCoach has no such record", body = ErrorBody),
        (status = 503, description = "CONFIG_NOT_FOUND or CONFIG_DISABLED, or not available at the moment", body = ErrorBody),
    ),
)]
#[post("/api/erp/sync/transaction/{id}")]
pub(crate) async fn transaction(
    actor: Actor,
    id: web::Path<Uuid>,
    wait: Query<Wait>,
    state: web::Data<State>,
    _: Body<Nothing>,
) -> Result<HttpResponse, ApiError> {
    answer(&state, &actor, EntityType::Transaction, *id, wait.0).await
}

/// Sync a subscription now
///
/// FlashERP itself is asked, whatever was sent last.
#[utoipa::path(
    tag = "syncs",
    operation_id = "syncSubscription",
    params(("id" = Uuid, Path, description = "The subscription, in UpCoach"), WaitParameters),
    responses(
        (status = 200, description = "The sync has ended, well or not", body = SyncResult),
        (status = 202, description = "It is under way still", body = SyncResult, headers(("Location" = String, description = "The sync"))),
        (status = 404, description = "RESOURCE_NOT_FOUND: UpCoach has no such record", body = ErrorBody),
        (status = 503, description = "CONFIG_NOT_FOUND or CONFIG_DISABLED, or not available at the moment", body = ErrorBody),
    ),
)]
#[post("/api/erp/sync/subscription/{id}")]
pub(crate) async fn subscription(
    actor: Actor,
    id: web::Path<Uuid>,
    wait: Query<Wait>,
    state: web::Data<State>,
    _: Body<Nothing>,
) -> Result<HttpResponse, ApiError> {
    answer(&state, &actor, EntityType::Subscription, *id, wait.0).await
}

/// Sync a user now
///
/// FlashERP itself is asked, whatever was sent last.
#[utoipa::path(
    tag = "syncs",
    operation_id = "syncCustomer",
    params(("userId" = Uuid, Path, description = "The user, in UpCoach"), WaitParameters),
    responses(
        (status = 200, description = "The sync has ended, well or not", body = SyncResult),
        (status = 202, description = "It is under way still", body = SyncResult, headers(("Location" = String, description = "The sync"))),
        (status = 404, description = "RESOURCE_NOT_FOUND: UpCoach has no such record", body = ErrorBody),
        (status = 503, description = "CONFIG_NOT_FOUND or CONFIG_DISABLED, or not available at the moment", body = ErrorBody),
    ),
)]
#[post("/api/erp/sync/customer/{userId}")]
pub(crate) async fn customer(
    actor: Actor,
    id: web::Path<Uuid>,
    wait: Query<Wait>,
    state: web::Data<State>,
    _: Body<Nothing>,
) -> Result<HttpResponse, ApiError> {
    answer(&state, &actor, EntityType::Customer, *id, wait.0).await
}

async fn answer(
    state: &State,
    actor: &Actor,
    kind: EntityType,
    id: Uuid,
    Wait(wait): Wait,
) -> Result<HttpResponse, ApiError> {
    enabled::check(state).await?;
    match Box::pin(manual::sync(state, actor, kind, id, wait)).await? {
        Outcome::NotFound => Err(ApiError::new(ErrorCode::ResourceNotFound, format!("UpCoach has no {kind} {id}"))),
        Outcome::Done(result) => Ok(HttpResponse::Ok().json(result)),
        Outcome::UnderWay(result) => {
            let location = format!("/api/erp/syncs/{}", result.sync_id);
            Ok(HttpResponse::Accepted().insert_header((LOCATION, location)).json(result))
        }
    }
}

/// Sync everything, or what a filter names
///
/// Answered at once; a batch tells how far it is.
#[utoipa::path(
    tag = "syncs",
    operation_id = "syncFull",
    params(("Idempotency-Key" = Option<String>, Header, min_length = 1, max_length = 255, pattern = "^[!-~]([ -~]*[!-~])?$", description = "Within 24 h the same key names the same full sync; 1 to 255 printable characters")),
    request_body = FullSyncMembers,
    responses(
        (status = 200, description = "A dry run's count", body = FullSyncStarted),
        (status = 202, description = "Started, or started before under this key", body = FullSyncStarted),
        (status = 409, description = "The key is another request's", body = ErrorBody),
        (status = 503, description = "CONFIG_NOT_FOUND or CONFIG_DISABLED, or not available at the moment", body = ErrorBody),
    ),
)]
#[post("/api/erp/sync/full")]
pub(crate) async fn full(
    actor: Actor,
    request: HttpRequest,
    _: Query<Nothing>,
    state: web::Data<State>,
    Body(wanted): Body<FullSync>,
) -> Result<HttpResponse, ApiError> {
    let key = idempotency_key(&request)?;
    enabled::check(&state).await?;
    match full_sync::start(&state.pool, &actor, wanted, key).await? {
        Some(started) if started.batch_id.is_none() => Ok(HttpResponse::Ok().json(started)),
        Some(started) => Ok(HttpResponse::Accepted().json(started)),
        None => Err(ApiError::new(
            ErrorCode::ResourceConflict,
            "this Idempotency-Key was used for something else within 24 h; use a new one",
        )
        .with_detail("Idempotency-Key", "belongs to another request")),
    }
}

/// The caller's `Idempotency-Key`, if there is one.
pub(super) fn idempotency_key(request: &HttpRequest) -> Result<Option<String>, ApiError> {
    let Some(value) = request.headers().get("idempotency-key") else { return Ok(None) };
    let is_printable = |text: &&str| text.bytes().all(|byte| matches!(byte, b' '..=b'~'));
    let text = value.to_str().ok().filter(|text| (1..=255).contains(&text.len())).filter(is_printable);
    match text {
        Some(text) => Ok(Some(text.to_owned())),
        None => Err(ApiError::new(ErrorCode::ValidationError, "the Idempotency-Key can't be used")
            .with_detail("Idempotency-Key", "must have 1 to 255 printable characters")),
    }
}
