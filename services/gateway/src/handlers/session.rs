//! `/api/auth/session`: a bearer token for a cookie that no script can read, for the panel.
//!
//! The session is the token and ends with it; nothing is kept here. `DELETE` takes the cookie away. Whoever copied the token elsewhere has it
//! until it expires.

use std::time::Duration;

use actix_web::http::StatusCode;
use actix_web::http::header::{ALLOW, AUTHORIZATION, SET_COOKIE};
use actix_web::{HttpRequest, HttpResponse, web};
use domain::ErrorCode;
use serde_json::json;
use service::auth::Refusal;
use service::http::ApiError;
use time::OffsetDateTime;
use time::macros::format_description;

use crate::Gateway;
use crate::access::{Caller, caller, cleared, csrf_token, is_from_own_page, is_secure, session_cookie};

/// Browsers keep cookies of up to 4 KiB, name and attributes included.
const LONGEST_COOKIE: usize = 3800;

/// Who is signed in, and what unsafe methods have to send along.
pub(crate) async fn show(request: HttpRequest, gateway: web::Data<Gateway>) -> Result<HttpResponse, ApiError> {
    let caller = caller(&request, &gateway).await?;
    Ok(HttpResponse::Ok().json(described(&caller)))
}

/// Begins a session with the token in `Authorization`.
pub(crate) async fn begin(request: HttpRequest, gateway: web::Data<Gateway>) -> Result<HttpResponse, ApiError> {
    own_page(&request, &gateway)?;
    // A cookie is no ground for a new one.
    if !request.headers().contains_key(AUTHORIZATION) {
        return Err(Refusal::Missing.into());
    }
    let caller = caller(&request, &gateway).await?;
    if caller.token.len() > LONGEST_COOKIE {
        let message = "the token is too long for a cookie; send it as a bearer token with each request";
        return Err(ApiError::new(ErrorCode::InvalidRequest, message));
    }
    let left: Duration = (caller.principal.expires_at - OffsetDateTime::now_utc()).try_into().unwrap_or_default();
    let cookie = session_cookie(&caller.token, left, is_secure(&request, gateway.public.as_ref()));
    Ok(HttpResponse::Ok().insert_header((SET_COOKIE, cookie)).json(described(&caller)))
}

/// Ends the session, also one that has expired.
pub(crate) async fn end(request: HttpRequest, gateway: web::Data<Gateway>) -> Result<HttpResponse, ApiError> {
    own_page(&request, &gateway)?;
    let cookie = cleared(is_secure(&request, gateway.public.as_ref()));
    Ok(HttpResponse::NoContent().insert_header((SET_COOKIE, cookie)).finish())
}

/// Any other method.
pub(crate) async fn other_method() -> HttpResponse {
    HttpResponse::MethodNotAllowed().insert_header((ALLOW, "GET, POST, DELETE")).finish()
}

/// Nobody's page but ours signs people in or out.
fn own_page(request: &HttpRequest, gateway: &Gateway) -> Result<(), ApiError> {
    if is_from_own_page(request, gateway.public.as_ref()) {
        return Ok(());
    }
    let message = "sessions begin and end from a page of this origin";
    Err(ApiError::new(ErrorCode::AuthFailed, message).with_status(StatusCode::FORBIDDEN))
}

fn described(caller: &Caller) -> serde_json::Value {
    let format = format_description!("[year]-[month]-[day]T[hour]:[minute]:[second].[subsecond digits:3]Z");
    json!({
        "subject": caller.principal.subject,
        "role": caller.principal.role,
        "expiresAt": caller.principal.expires_at.format(format).unwrap_or_default(),
        "csrfToken": csrf_token(&caller.token),
    })
}
