//! Who calls: by `Authorization: Bearer`, else by the session's cookie, which must prove for everything that changes something that the
//! call was meant.

use std::time::Duration;

use actix_web::HttpRequest;
use actix_web::http::StatusCode;
use actix_web::http::header::AUTHORIZATION;
use domain::ErrorCode;
use service::auth::{Principal, Refusal, bearer_token};
use service::http::{self, ApiError};
use service::metrics::Counter;

use super::{cookie, csrf, is_from_own_page, is_secure};
use crate::Gateway;

/// Who calls, and the token that says so.
pub(crate) struct Caller {
    pub(crate) principal: Principal,
    pub(crate) token: String,
}

/// Who calls, within what they may ask for.
///
/// # Errors
/// 401; 403 for a call of another site's page, or of ours without the CSRF token; 429.
pub(crate) async fn caller(request: &HttpRequest, gateway: &Gateway) -> Result<Caller, ApiError> {
    let headers = request.headers();
    let public = gateway.public.as_ref();
    let token = if headers.contains_key(AUTHORIZATION) {
        bearer_token(headers)?
    } else {
        let token = cookie::token(headers, is_secure(request, public)).ok_or(Refusal::Missing)?;
        let is_meant = || is_from_own_page(request, public) && csrf::is_meant(headers, token);
        if !request.method().is_safe() && !is_meant() {
            return Err(not_meant());
        }
        token
    };
    let principal = gateway.verifier.verify(token).await?;
    if let Some(limit) = &gateway.rate_limit {
        limit.check(http::Caller::signed_in(&principal.subject)).map_err(too_many)?;
    }
    Ok(Caller { principal, token: token.to_owned() })
}

fn not_meant() -> ApiError {
    Counter::AuthRefused.increment(&[("reason", "csrf")]);
    let message = "send X-CSRF-Token as GET /api/auth/session tells it, from a page of this origin";
    ApiError::new(ErrorCode::AuthFailed, message).with_status(StatusCode::FORBIDDEN)
}

fn too_many(wait: Duration) -> ApiError {
    Counter::AuthRefused.increment(&[("reason", "rate_limit")]);
    let message = "you have asked for more than your allowance; ask again after Retry-After seconds";
    ApiError::new(ErrorCode::RateLimitExceeded, message).retry_after(wait)
}
