//! Errors of the control API, in the same form as FlashERP's: `{code, message}`.

use actix_web::{
    HttpRequest, HttpResponse,
    error::{InternalError, JsonPayloadError, PathError},
    http::StatusCode,
};

pub(crate) fn bad_json(error: JsonPayloadError, _: &HttpRequest) -> actix_web::Error {
    let response = refused(StatusCode::BAD_REQUEST, &error.to_string());
    InternalError::from_response(error, response).into()
}

pub(crate) fn bad_path(error: PathError, _: &HttpRequest) -> actix_web::Error {
    InternalError::from_response(error, not_found("no such path")).into()
}

pub(crate) async fn no_such_path() -> HttpResponse {
    not_found("no such path; FlashERP's API is under /v1")
}

pub(super) fn not_found(message: &str) -> HttpResponse {
    error(StatusCode::NOT_FOUND, "RESOURCE_NOT_FOUND", message)
}

pub(super) fn refused(status: StatusCode, message: &str) -> HttpResponse {
    error(status, "INVALID_REQUEST", message)
}

fn error(status: StatusCode, code: &str, message: &str) -> HttpResponse {
    HttpResponse::build(status).json(serde_json::json!({ "code": code, "message": message }))
}
