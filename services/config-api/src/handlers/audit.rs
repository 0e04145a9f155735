//! `GET /api/erp/audit/verify`: whether the audit log is what was sealed.

use actix_web::{get, web};
use service::auth::Viewer;
use service::http::ApiError;

use crate::State;
use crate::audit_check::{self, Asked, AuditCheck};
use crate::input::Query;

/// Check the audit log against its seals
///
/// The chain of seals is checked whole, the rows of the newest seals one by one. What was found is the answer, also when it is a break.
#[utoipa::path(
    tag = "records",
    operation_id = "verifyAuditLog",
    params(
        ("rows" = Option<i64>, Query, minimum = 0, maximum = 200_000, description = "Rows to compare, at least; 20000 where nothing is said"),
        ("head" = Option<String>, Query, pattern = "^([0-9]{1,18}:)?[0-9a-fA-F]{64}$", description = "A head that was kept outside, after its seal's number and a colon if that was kept, too"),
    ),
    responses((status = 200, body = AuditCheck)),
)]
#[get("/api/erp/audit/verify")]
pub(crate) async fn verify(
    _: Viewer,
    state: web::Data<State>,
    Query(asked): Query<Asked>,
) -> Result<web::Json<AuditCheck>, ApiError> {
    Ok(web::Json(audit_check::check(&state.pool, asked).await?))
}
