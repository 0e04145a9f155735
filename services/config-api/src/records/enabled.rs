//! Whether work may be asked for: only of an integration that is configured and switched on.

use actix_web::http::StatusCode;
use domain::ErrorCode;
use service::http::ApiError;

use crate::State;
use crate::configuration::DisabledBy;

/// Refuses with 503 where there is no configuration, or the integration is off.
///
/// # Errors
/// The refusal, or the database.
pub(crate) async fn check(state: &State) -> Result<(), ApiError> {
    let is_enabled: Option<bool> =
        sqlx::query_scalar("SELECT is_enabled FROM config.erp_configurations WHERE deleted_at IS NULL")
            .fetch_optional(&state.pool)
            .await?;
    let refused = |code, message: &str| Err(ApiError::new(code, message).with_status(StatusCode::SERVICE_UNAVAILABLE));
    let Some(is_enabled) = is_enabled else {
        return refused(ErrorCode::ConfigNotFound, "there is no configuration; save one first");
    };
    match DisabledBy::of(is_enabled, state.config.first.enabled) {
        None => Ok(()),
        Some(by) => refused(ErrorCode::ConfigDisabled, "the integration is switched off; `details` says where")
            .map_err(|error: ApiError| error.with_detail("disabledBy", by.as_str())),
    }
}
