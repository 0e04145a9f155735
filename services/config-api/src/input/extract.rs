//! The extractors of handlers: a query, a body. What is wrong is answered with 400 and the name of every field that is.

use actix_web::dev::Payload;
use actix_web::http::StatusCode;
use actix_web::http::header::CONTENT_TYPE;
use actix_web::{FromRequest, HttpRequest, web};
use domain::ErrorCode;
use futures::FutureExt as _;
use futures::future::{LocalBoxFuture, Ready, ready};
use serde_json::{Map, Value};
use service::http::{ApiError, BODY_DEADLINE, BodyError, Detail, read_body};

use super::{Fields, FromFields, json};

/// The parameters of a query.
#[derive(Clone, Copy, Debug)]
pub struct Query<T>(pub T);

impl<T: FromFields> FromRequest for Query<T> {
    type Error = ApiError;
    type Future = Ready<Result<Self, ApiError>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let read = Fields::of_query(request.query_string()).read();
        ready(read.map(Self).map_err(|issues| refused("the query can't be used; see details", issues)))
    }
}

/// A JSON body of at most 1 MiB. No body is an empty object.
#[derive(Clone, Copy, Debug)]
pub struct Body<T>(pub T);

impl<T: FromFields> FromRequest for Body<T> {
    type Error = ApiError;
    type Future = LocalBoxFuture<'static, Result<Self, ApiError>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let content_type = request.headers().get(CONTENT_TYPE).cloned();
        let payload = web::Payload::from_request(request, payload).into_inner();
        async move {
            let payload =
                payload.map_err(|_| ApiError::new(ErrorCode::InvalidRequest, "the body could not be read"))?;
            let bytes = read_body(payload, BODY_DEADLINE).await.map_err(unread)?;
            if bytes.is_empty() {
                return parsed(Value::Object(Map::new()));
            }
            let content_type = content_type.as_ref().and_then(|value| value.to_str().ok()).unwrap_or_default();
            if !is_json(content_type) {
                return Err(ApiError::new(ErrorCode::InvalidRequest, "send the body as application/json")
                    .with_status(StatusCode::UNSUPPORTED_MEDIA_TYPE));
            }
            parsed(json::parse(&bytes).map_err(unusable)?)
        }
        .boxed_local()
    }
}

fn parsed<T: FromFields>(document: Value) -> Result<Body<T>, ApiError> {
    Fields::of_json(document).read().map(Body).map_err(unusable)
}

fn is_json(content_type: &str) -> bool {
    let essence = content_type.split(';').next().unwrap_or_default().trim();
    essence.eq_ignore_ascii_case("application/json")
}

fn unread(error: BodyError) -> ApiError {
    match error {
        BodyError::TooLarge => ApiError::new(ErrorCode::InvalidRequest, "the body is too large; send at most 1 MiB")
            .with_status(StatusCode::PAYLOAD_TOO_LARGE),
        BodyError::TooSlow => ApiError::new(ErrorCode::Timeout, "the body did not arrive in time; send it again")
            .with_status(StatusCode::REQUEST_TIMEOUT),
        BodyError::Broken(_) => ApiError::new(ErrorCode::InvalidRequest, "the body could not be read; send it again"),
    }
}

fn unusable(issues: Vec<Detail>) -> ApiError {
    refused("the body can't be used; see details", issues)
}

fn refused(message: &str, issues: Vec<Detail>) -> ApiError {
    issues.into_iter().fold(ApiError::new(ErrorCode::ValidationError, message), |error, Detail { field, issue }| {
        error.with_detail(field, issue)
    })
}
