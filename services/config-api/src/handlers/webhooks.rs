//! Received webhooks: listed, shown, replayed.

use actix_web::{HttpResponse, get, post, web};
use domain::ErrorCode;
use serde::Serialize;
use service::auth::Viewer;
use service::http::{ApiError, ErrorBody};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::input::{Body, Nothing, Query};
use crate::listing::{self, Listed};
use crate::paging::{Page, PagingParameters};
use crate::webhooks::{
    self, MOST_REPLAYED, Replay, ReplayMembers, Replayed, ReplayedOne, Webhook, WebhookDetails, Webhooks,
    WebhooksParameters,
};
use crate::{Actor, State};

/// What was done, in words.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct WebhookReplayed {
    message: &'static str,
}

/// Received events of both senders, newest first
#[utoipa::path(
    tag = "webhooks",
    operation_id = "listWebhooks",
    params(PagingParameters, WebhooksParameters),
    responses((status = 200, body = Page<Webhook>)),
)]
#[get("/api/erp/webhooks")]
pub(crate) async fn list(
    _: Viewer,
    state: web::Data<State>,
    Query(asked): Query<Listed<Webhooks>>,
) -> Result<HttpResponse, ApiError> {
    Ok(HttpResponse::Ok().json(listing::page(&state.pool, &asked.filter, asked.paging).await?))
}

/// One event with its payload and its attempts
#[utoipa::path(
    tag = "webhooks",
    operation_id = "readWebhook",
    params(("id" = Uuid, Path)),
    responses((status = 200, body = WebhookDetails), (status = 404, description = "There is no such event", body = ErrorBody)),
)]
#[get("/api/erp/webhooks/{id}")]
pub(crate) async fn one(
    _: Viewer,
    id: web::Path<Uuid>,
    _: Query<Nothing>,
    state: web::Data<State>,
) -> Result<HttpResponse, ApiError> {
    let found = webhooks::one(&state.pool, *id).await?.ok_or_else(|| not_found(*id))?;
    Ok(HttpResponse::Ok().json(found))
}

/// Apply an event again
#[utoipa::path(
    tag = "webhooks",
    operation_id = "replayWebhook",
    params(("id" = Uuid, Path)),
    responses(
        (status = 200, body = WebhookReplayed),
        (status = 404, description = "There is no such event", body = ErrorBody),
        (status = 409, description = "Its payload was erased, or it waits to be applied anyway", body = ErrorBody),
    ),
)]
#[post("/api/erp/webhooks/{id}/replay")]
pub(crate) async fn replay(
    actor: Actor,
    id: web::Path<Uuid>,
    _: Query<Nothing>,
    state: web::Data<State>,
    _: Body<Nothing>,
) -> Result<HttpResponse, ApiError> {
    match webhooks::replay_one(&state, &actor, *id).await? {
        ReplayedOne::Done => Ok(HttpResponse::Ok().json(WebhookReplayed { message: "it is applied again" })),
        ReplayedOne::NotFound => Err(not_found(*id)),
        ReplayedOne::Erased => {
            Err(ApiError::new(ErrorCode::ResourceConflict, "its payload was erased; it can't be applied again"))
        }
        ReplayedOne::Waiting => {
            Err(ApiError::new(ErrorCode::ResourceConflict, "it waits to be applied anyway; there is nothing to replay"))
        }
    }
}

/// Apply all events of a filter since a time again
#[utoipa::path(
    tag = "webhooks",
    operation_id = "replayWebhooks",
    request_body = ReplayMembers,
    responses((status = 200, body = Replayed)),
)]
#[post("/api/erp/webhooks/replay")]
pub(crate) async fn replay_all(
    actor: Actor,
    _: Query<Nothing>,
    state: web::Data<State>,
    Body(asked): Body<Replay>,
) -> Result<HttpResponse, ApiError> {
    let replayed = Box::pin(webhooks::replay_all(&state, &actor, &asked)).await?;
    let replayed = replayed.ok_or_else(|| {
        ApiError::new(ErrorCode::ValidationError, "too many events match; narrow the filter")
            .with_detail("since", format!("matches more than {MOST_REPLAYED} events"))
    })?;
    Ok(HttpResponse::Ok().json(replayed))
}

fn not_found(id: Uuid) -> ApiError {
    ApiError::new(ErrorCode::ResourceNotFound, format!("there is no event {id}"))
}
