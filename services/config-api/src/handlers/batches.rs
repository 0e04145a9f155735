//! Batches: how far full syncs, bulk actions and imports are, and their end by hand.

use actix_web::{HttpResponse, delete, get, web};
use domain::{BatchId, ErrorCode};
use serde::Serialize;
use service::auth::Viewer;
use service::http::{ApiError, ErrorBody};
use syncs::batch;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::input::{Nothing, Query};
use crate::listing::{self, Listed};
use crate::paging::{Page, PagingParameters};
use crate::records::batches::{self, Batch, Batches, BatchesParameters};
use crate::records::bulk::asked;
use crate::{Actor, State};

/// What was done, in words.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct BatchCancelled {
    message: &'static str,
}

/// Batches, newest first
#[utoipa::path(
    tag = "batches",
    operation_id = "listBatches",
    params(PagingParameters, BatchesParameters),
    responses((status = 200, body = Page<Batch>)),
)]
#[get("/api/erp/batches")]
pub(crate) async fn list(
    _: Viewer,
    state: web::Data<State>,
    Query(asked): Query<Listed<Batches>>,
) -> Result<HttpResponse, ApiError> {
    Ok(HttpResponse::Ok().json(listing::page(&state.pool, &asked.filter, asked.paging).await?))
}

/// One batch
#[utoipa::path(
    tag = "batches",
    operation_id = "readBatch",
    params(("id" = Uuid, Path)),
    responses((status = 200, body = Batch), (status = 404, description = "There is no such batch", body = ErrorBody)),
)]
#[get("/api/erp/batches/{id}")]
pub(crate) async fn one(
    _: Viewer,
    id: web::Path<Uuid>,
    _: Query<Nothing>,
    state: web::Data<State>,
) -> Result<HttpResponse, ApiError> {
    let batch = batches::one(&state.pool, *id).await?.ok_or_else(|| not_found(*id))?;
    Ok(HttpResponse::Ok().json(batch))
}

/// End a batch
///
/// Nothing more is asked for, and what no worker has taken yet is taken back; what is on its way goes on.
#[utoipa::path(
    tag = "batches",
    operation_id = "cancelBatch",
    params(("id" = Uuid, Path)),
    responses(
        (status = 200, body = BatchCancelled),
        (status = 404, description = "There is no such batch", body = ErrorBody),
        (status = 409, description = "It is over already", body = ErrorBody),
    ),
)]
#[delete("/api/erp/batches/{id}")]
pub(crate) async fn cancel(
    actor: Actor,
    id: web::Path<Uuid>,
    _: Query<Nothing>,
    state: web::Data<State>,
) -> Result<HttpResponse, ApiError> {
    if batch::cancel(&state.pool, BatchId(*id), &asked(&actor, None)).await? {
        return Ok(HttpResponse::Ok().json(BatchCancelled { message: "cancelled; what is on its way goes on" }));
    }
    let there = batches::one(&state.pool, *id).await?.ok_or_else(|| not_found(*id))?;
    Err(ApiError::new(ErrorCode::ResourceConflict, "the batch is over already")
        .with_detail("status", format!("is {}", there.status)))
}

fn not_found(id: Uuid) -> ApiError {
    ApiError::new(ErrorCode::ResourceNotFound, format!("there is no batch {id}"))
}
