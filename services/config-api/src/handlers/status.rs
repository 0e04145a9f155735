//! `GET /api/erp/status`: how it all stands.

use actix_web::{get, web};
use service::auth::Viewer;
use service::http::{ApiError, ErrorBody};

use crate::State;
use crate::input::{Nothing, Query};
use crate::status::{self, Status};

/// How it all stands
#[utoipa::path(
    tag = "operation",
    operation_id = "readStatus",
    responses(
        (status = 200, body = Status),
        (status = 503, description = "CONFIG_NOT_FOUND, or CONFIG_DISABLED with `disabledBy` in `details`", body = ErrorBody),
    ),
)]
#[get("/api/erp/status")]
pub(crate) async fn read(_: Viewer, _: Query<Nothing>, state: web::Data<State>) -> Result<web::Json<Status>, ApiError> {
    Ok(web::Json(status::read(&state).await?))
}
