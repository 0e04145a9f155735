//! The gateway's outer layer: refuses what is no plain request before anything reads its path, answers other sites' pages (which may not
//! call, unless they are named), and gives every answer the headers of this origin.

use actix_web::body::{BoxBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN,
    ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE, ACCESS_CONTROL_REQUEST_METHOD, ALLOW, HeaderValue, VARY,
};
use actix_web::http::{Method, StatusCode};
use actix_web::middleware::Next;
use actix_web::{Error, HttpResponse, ResponseError as _, web};
use domain::ErrorCode;
use service::http::ApiError;

use super::{Origin, headers, origin};
use crate::Gateway;
use crate::proxy::is_plain;

/// Names and values of a request's head, together. Tokens have 8 KiB of it at most.
const LARGEST_HEAD: usize = 16 << 10;

const METHODS: &str = "GET, HEAD, POST, PUT, DELETE";
const REQUEST_HEADERS: &str =
    "Accept, Authorization, Content-Type, Idempotency-Key, If-Match, If-None-Match, Last-Event-ID, X-Request-Id";
const ANSWER_HEADERS: &str = "ETag, Location, Retry-After, X-Request-Id";

/// The layer.
pub(crate) async fn guard(
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    let Some(gateway) = request.app_data::<web::Data<Gateway>>().cloned() else {
        return Err(ApiError::internal(anyhow::anyhow!("the routes were not given the gateway")).into());
    };
    let page = allowed_page(&request, &gateway);
    let mut answer = if let Err(error) = check(&request) {
        request.into_response(error.error_response())
    } else if !taken(request.method()) {
        request.into_response(not_taken())
    } else if page.is_some() && is_preflight(&request) {
        request.into_response(preflight())
    } else {
        next.call(request).await?.map_into_boxed_body()
    };
    headers::add(answer.headers_mut(), gateway.public.as_ref().is_some_and(Origin::is_https));
    if !gateway.cors_origins.is_empty() {
        // Whether there are others or not: caches must not give one page's answer to another.
        answer.headers_mut().append(VARY, HeaderValue::from_static("Origin"));
    }
    if let Some(page) = page.and_then(|page| HeaderValue::from_str(page.as_str()).ok()) {
        answer.headers_mut().insert(ACCESS_CONTROL_ALLOW_ORIGIN, page);
        answer.headers_mut().insert(ACCESS_CONTROL_EXPOSE_HEADERS, HeaderValue::from_static(ANSWER_HEADERS));
    }
    Ok(answer)
}

fn check(request: &ServiceRequest) -> Result<(), ApiError> {
    let head: usize = request.headers().iter().map(|(name, value)| name.as_str().len() + value.len()).sum();
    if head + request.uri().path_and_query().map_or(0, |target| target.as_str().len()) > LARGEST_HEAD {
        let status = StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE;
        return Err(ApiError::new(ErrorCode::InvalidRequest, "the headers are too large").with_status(status));
    }
    if !is_plain(request.uri().path()) {
        let message =
            "the path is not in its plain spelling: no empty or dotted segments, nothing escaped that need not be";
        return Err(ApiError::new(ErrorCode::InvalidRequest, message));
    }
    Ok(())
}

/// Whether any path takes the method, or tells by an answer of its own that it does not.
fn taken(method: &Method) -> bool {
    let methods =
        [Method::GET, Method::HEAD, Method::POST, Method::PUT, Method::PATCH, Method::DELETE, Method::OPTIONS];
    methods.contains(method)
}

/// Which methods the path itself takes is known to the service behind it; here, which are taken at all.
fn not_taken() -> HttpResponse {
    let error = ApiError::new(ErrorCode::InvalidRequest, "this method is not taken here");
    let mut answer = error.with_status(StatusCode::METHOD_NOT_ALLOWED).error_response();
    answer.headers_mut().insert(ALLOW, HeaderValue::from_static(METHODS));
    answer
}

/// The origin of the page that calls, if it is one of those named.
fn allowed_page(request: &ServiceRequest, gateway: &Gateway) -> Option<Origin> {
    origin::of_request(request.headers())?.filter(|page| gateway.cors_origins.contains(page))
}

fn is_preflight(request: &ServiceRequest) -> bool {
    request.method() == Method::OPTIONS && request.headers().contains_key(ACCESS_CONTROL_REQUEST_METHOD)
}

/// Without `Allow-Credentials`: such pages call with a bearer token, never with the cookie.
fn preflight() -> HttpResponse {
    HttpResponse::NoContent()
        .insert_header((ACCESS_CONTROL_ALLOW_METHODS, METHODS))
        .insert_header((ACCESS_CONTROL_ALLOW_HEADERS, REQUEST_HEADERS))
        .insert_header((ACCESS_CONTROL_MAX_AGE, "600"))
        .finish()
}
