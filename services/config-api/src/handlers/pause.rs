//! `/api/erp/pause` and `/api/erp/resume`: outbound work by hand.

use actix_web::{post, web};
use service::http::ApiError;

use crate::input::{Body, Nothing, Query};
use crate::pause::{self as outbound, MaybeReason, Pause, Reason};
use crate::{Actor, State};

/// Pause outbound work
///
/// Nothing is sent to FlashERP until it is resumed; what is asked for waits. Webhooks are still taken and applied.
#[utoipa::path(tag = "operation", operation_id = "pauseOutbound", request_body = Reason, responses((status = 200, body = Pause)))]
#[post("/api/erp/pause")]
pub(crate) async fn pause(
    actor: Actor,
    _: Query<Nothing>,
    state: web::Data<State>,
    Body(Reason { reason }): Body<Reason>,
) -> Result<web::Json<Pause>, ApiError> {
    Ok(web::Json(outbound::pause(&state, &actor, &reason).await?))
}

/// Resume outbound work
#[utoipa::path(
    tag = "operation",
    operation_id = "resumeOutbound",
    request_body = MaybeReason,
    responses((status = 200, body = Pause)),
)]
#[post("/api/erp/resume")]
pub(crate) async fn resume(
    actor: Actor,
    _: Query<Nothing>,
    state: web::Data<State>,
    Body(MaybeReason { reason }): Body<MaybeReason>,
) -> Result<web::Json<Pause>, ApiError> {
    Ok(web::Json(outbound::resume(&state, &actor, reason.as_deref()).await?))
}
