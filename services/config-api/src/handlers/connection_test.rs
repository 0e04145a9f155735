//! `POST /api/erp/config/test`: tries a connection.

use actix_web::{post, web};
use service::http::ApiError;

use crate::connection_test::{self, Candidate, ConnectionTest};
use crate::input::{Body, Nothing, Query};
use crate::{Actor, State};

/// Try a connection to FlashERP
///
/// With the candidate's values, and the configuration's for those that are absent. 200 also when the connection fails.
#[utoipa::path(
    tag = "configuration",
    operation_id = "testConnection",
    request_body = Candidate,
    responses((status = 200, body = ConnectionTest)),
)]
#[post("/api/erp/config/test")]
pub(crate) async fn test(
    actor: Actor,
    _: Query<Nothing>,
    state: web::Data<State>,
    Body(candidate): Body<Candidate>,
) -> Result<web::Json<ConnectionTest>, ApiError> {
    Ok(web::Json(Box::pin(connection_test::test(&state, &actor, &candidate)).await?))
}
