//! `/api/erp/config`: the one configuration.

use actix_web::http::header::ETag;
use actix_web::{HttpResponse, delete, get, put, web};
use serde::Serialize;
use service::auth::Viewer;
use service::http::{ApiError, ErrorBody};
use utoipa::ToSchema;

use crate::configuration::{self, Change, Condition, Configuration, Row, etag, not_found};
use crate::input::{Body, Nothing, Query};
use crate::{Actor, State};

/// What was done, in words.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Message {
    pub(crate) message: &'static str,
}

/// The configuration
///
/// Secrets are masked. The `ETag` is for `If-Match`.
#[utoipa::path(
    tag = "configuration",
    operation_id = "readConfiguration",
    responses(
        (status = 200, body = Configuration, headers(("ETag" = String, description = "For `If-Match`"))),
        (status = 404, description = "CONFIG_NOT_FOUND: there is none", body = ErrorBody),
    ),
)]
#[get("/api/erp/config")]
pub(crate) async fn read(_: Viewer, _: Query<Nothing>, state: web::Data<State>) -> Result<HttpResponse, ApiError> {
    let row = Row::load(&state.pool).await?.ok_or_else(not_found)?;
    Ok(shown(&state, &row))
}

/// Change the configuration, or make the first
///
/// Any subset of the fields: what is absent keeps its value. With `If-Match` only the configuration that was read is changed.
#[utoipa::path(
    tag = "configuration",
    operation_id = "saveConfiguration",
    params(("If-Match" = Option<String>, Header, pattern = r#"^(\*|(W/)?"[!#-+\--~]*"( *, *(W/)?"[!#-+\--~]*")*)$"#, description = "The ETag of the configuration that is to be changed")),
    request_body = Change,
    responses(
        (status = 200, body = Configuration, headers(("ETag" = String, description = "For `If-Match`"))),
        (status = 412, description = "Another change came first", body = ErrorBody),
    ),
)]
#[put("/api/erp/config")]
pub(crate) async fn save(
    actor: Actor,
    _: Query<Nothing>,
    condition: Condition,
    state: web::Data<State>,
    Body(change): Body<Change>,
) -> Result<HttpResponse, ApiError> {
    let row = Box::pin(configuration::save(&state, &actor, &change, &condition)).await?;
    Ok(shown(&state, &row))
}

/// Delete the configuration
///
/// All work with FlashERP stops. What was synced stays, and a restart does not bring the configuration back.
#[utoipa::path(
    tag = "configuration",
    operation_id = "deleteConfiguration",
    params(("If-Match" = Option<String>, Header, pattern = r#"^(\*|(W/)?"[!#-+\--~]*"( *, *(W/)?"[!#-+\--~]*")*)$"#, description = "The ETag of the configuration that is to be deleted")),
    responses(
        (status = 200, body = Message),
        (status = 404, description = "CONFIG_NOT_FOUND: there is none", body = ErrorBody),
        (status = 412, description = "Another change came first", body = ErrorBody),
    ),
)]
#[delete("/api/erp/config")]
pub(crate) async fn delete(
    actor: Actor,
    _: Query<Nothing>,
    condition: Condition,
    state: web::Data<State>,
) -> Result<web::Json<Message>, ApiError> {
    configuration::delete(&state, &actor, &condition).await?;
    Ok(web::Json(Message { message: "the configuration is deleted: all work with FlashERP has stopped; syncs stay" }))
}

fn shown(state: &State, row: &Row) -> HttpResponse {
    let shown = Configuration::of(row, &state.config.keyring, state.config.first.enabled);
    HttpResponse::Ok().insert_header(ETag(etag(row))).json(shown)
}
