//! The outermost layer around a request: gives it its id, and makes sure that every answer carries the id, the security headers and,
//! where it is an error without a body of ours, a body of ours. Counts and times what it lets through.

use std::rc::Rc;
use std::time::Instant;

use actix_web::body::{BodySize, BoxBody, EitherBody, MessageBody};
use actix_web::dev::{Service, ServiceRequest, ServiceResponse, Transform, forward_ready};
use actix_web::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, REFERRER_POLICY,
    X_CONTENT_TYPE_OPTIONS,
};
use actix_web::{Error, HttpMessage as _, ResponseError as _};
use futures::future::{LocalBoxFuture, Ready, ready};

use super::request_id::CURRENT;
use super::{ApiError, RequestId};
use crate::metrics::{Counter, Histogram};

const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// For answers that say nothing else: no caching, no sniffing, no embedding, nothing to load.
const SECURITY_HEADERS: [(HeaderName, HeaderValue); 4] = [
    (CACHE_CONTROL, HeaderValue::from_static("no-store")),
    (X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
    (REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
    (CONTENT_SECURITY_POLICY, HeaderValue::from_static("default-src 'none'; frame-ancestors 'none'")),
];

/// The middleware; to be wrapped last, so that it is the outermost.
#[derive(Clone, Copy, Debug, Default)]
pub struct RequestScope;

impl<S, B> Transform<S, ServiceRequest> for RequestScope
where
    S: Service<ServiceRequest, Response = ServiceResponse<B>, Error = Error> + 'static,
    B: MessageBody + 'static,
{
    type Response = ServiceResponse<EitherBody<B, BoxBody>>;
    type Error = Error;
    type Transform = RequestScopeService<S>;
    type InitError = ();
    type Future = Ready<Result<Self::Transform, ()>>;

    fn new_transform(&self, service: S) -> Self::Future {
        ready(Ok(RequestScopeService { service: Rc::new(service) }))
    }
}

/// The middleware around one worker's service.
pub struct RequestScopeService<S> {
    service: Rc<S>,
}

impl<S, B> Service<ServiceRequest> for RequestScopeService<S>
where
    S: Service<ServiceRequest, Response = ServiceResponse<B>, Error = Error> + 'static,
    B: MessageBody + 'static,
{
    type Response = ServiceResponse<EitherBody<B, BoxBody>>;
    type Error = Error;
    type Future = LocalBoxFuture<'static, Result<Self::Response, Error>>;

    forward_ready!(service);

    fn call(&self, request: ServiceRequest) -> Self::Future {
        let begun = Instant::now();
        let given = request.headers().get(X_REQUEST_ID).and_then(|value| value.to_str().ok());
        let id = given.and_then(RequestId::parse).unwrap_or_else(RequestId::generate);
        request.extensions_mut().insert(id.clone());
        let service = Rc::clone(&self.service);
        Box::pin(CURRENT.scope(id.clone(), async move {
            let response = with_error_body(service.call(request).await?);
            count(&response, begun);
            Ok(with_headers(response, &id))
        }))
    }
}

/// Errors that actix makes itself (no such path, wrong method, a body too large) get the same body as all others.
fn with_error_body<B: MessageBody>(response: ServiceResponse<B>) -> ServiceResponse<EitherBody<B, BoxBody>> {
    let status = response.status();
    let is_error = status.is_client_error() || status.is_server_error();
    let is_ours =
        response.headers().get(CONTENT_TYPE).is_some_and(|kind| kind.as_bytes().starts_with(b"application/json"));
    let is_bare = response.response().error().is_some()
        || matches!(response.response().body().size(), BodySize::None | BodySize::Sized(0));
    if !is_error || is_ours || !is_bare {
        return response.map_into_left_body();
    }
    let (request, bare) = response.into_parts();
    let mut answer = ApiError::from_status(status).error_response();
    for (name, value) in bare.headers() {
        if !answer.headers().contains_key(name) {
            answer.headers_mut().append(name.clone(), value.clone());
        }
    }
    ServiceResponse::new(request, answer.map_into_right_body())
}

fn with_headers<B>(mut response: ServiceResponse<B>, id: &RequestId) -> ServiceResponse<B> {
    let headers = response.headers_mut();
    if let Ok(value) = HeaderValue::from_str(id.as_str()) {
        headers.insert(X_REQUEST_ID, value);
    }
    for (name, value) in SECURITY_HEADERS {
        insert_if_absent(headers, name, value);
    }
    response
}

fn insert_if_absent(headers: &mut HeaderMap, name: HeaderName, value: HeaderValue) {
    if !headers.contains_key(&name) {
        headers.insert(name, value);
    }
}

fn count<B>(response: &ServiceResponse<B>, begun: Instant) {
    let route = response.request().match_pattern();
    let route = route.as_deref().unwrap_or("unmatched");
    let method = response.request().method().as_str();
    Counter::HttpRequests.increment(&[("route", route), ("method", method), ("status", response.status().as_str())]);
    Histogram::HttpDuration.observe(begun.elapsed(), &[("route", route), ("method", method)]);
}
