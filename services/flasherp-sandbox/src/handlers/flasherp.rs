//! FlashERP's calls: from HTTP to a [`Call`], through what the sandbox was told to do wrong, back to HTTP.

use std::sync::Arc;

use actix_web::{
    HttpRequest, HttpResponse, Route,
    http::{
        Method,
        header::{self, HeaderMap, HeaderName, HeaderValue},
    },
    web::{self, Bytes, Data},
};

use crate::{
    api::{self, ApiError, Body, Call, Code, Endpoint},
    connection::Connection,
    limits::{Form, Standing},
    misbehaviour::{Outcome, http_date_in, json_response, perform},
    sandbox::Sandbox,
};

/// The route of an operation; that of `Unknown` takes every method.
pub(crate) fn route(endpoint: Endpoint) -> Route {
    let route = match endpoint {
        Endpoint::Unknown => web::route(),
        known => web::method(Method::from_bytes(known.method().as_bytes()).unwrap_or_default()),
    };
    route.to(move |sandbox: Data<Sandbox>, request: HttpRequest, body: Result<Bytes, actix_web::Error>| {
        answer(endpoint, sandbox.into_inner(), request, body)
    })
}

async fn answer(
    endpoint: Endpoint,
    sandbox: Arc<Sandbox>,
    request: HttpRequest,
    body: Result<Bytes, actix_web::Error>,
) -> HttpResponse {
    let _in_flight = sandbox.counters.arrived(endpoint);
    let call = read(&sandbox, endpoint, &request, body);
    let standing = call.access.ok().and_then(|()| sandbox.limits.count(endpoint, sandbox.clock.now_ms()));
    if let Some(refusal) = standing.and_then(|standing| too_many(&standing)) {
        sandbox.counters.answered(refusal.status().as_u16());
        return refusal;
    }
    let outcome = match sandbox.misbehaviour.judge(endpoint) {
        None => Outcome::Answered(json_response(&api::answer(&sandbox, &call))),
        Some(verdict) => Box::pin(perform(&sandbox, call, verdict, request.conn_data::<Connection>())).await,
    };
    match outcome {
        Outcome::Answered(mut response) => {
            if let Some(standing) = standing {
                tell(&mut response, &standing);
            }
            sandbox.counters.answered(response.status().as_u16());
            response
        }
        Outcome::Cut => {
            sandbox.counters.cut();
            // Nobody reads it: the connection is gone.
            HttpResponse::ServiceUnavailable().force_close().finish()
        }
    }
}

/// 429, if the call is one too many.
fn too_many(standing: &Standing) -> Option<HttpResponse> {
    let (code, seconds) = standing.refused?;
    let message = if code == Code::QuotaExceeded { "the day's quota is used up" } else { "too many calls" };
    let mut response = json_response(&ApiError::new(429, code, message).reply());
    let retry_after = match standing.form {
        Form::Seconds => seconds.to_string(),
        Form::Date => http_date_in(seconds),
    };
    if let Ok(value) = HeaderValue::from_str(&retry_after) {
        response.headers_mut().insert(header::RETRY_AFTER, value);
    }
    tell(&mut response, standing);
    Some(response)
}

/// What is left. A proxy in front, which answers HTML or nothing, knows nothing of it.
fn tell(response: &mut HttpResponse, standing: &Standing) {
    let is_json = |value: &HeaderValue| value.as_bytes().starts_with(b"application/json");
    if !response.headers().get(header::CONTENT_TYPE).is_some_and(is_json) {
        return;
    }
    let headers = response.headers_mut();
    headers.insert(HeaderName::from_static("x-ratelimit-limit"), standing.limit.into());
    headers.insert(HeaderName::from_static("x-ratelimit-remaining"), standing.remaining.into());
    headers.insert(HeaderName::from_static("x-ratelimit-reset"), standing.reset.into());
}

fn read(sandbox: &Sandbox, endpoint: Endpoint, request: &HttpRequest, body: Result<Bytes, actix_web::Error>) -> Call {
    let headers = request.headers();
    let bytes = |name: &str| headers.get(name).map(HeaderValue::as_bytes);
    let key = bytes("idempotency-key").map(|key| String::from_utf8_lossy(key).into_owned());
    Call {
        endpoint,
        access: sandbox.credentials.check(bytes("authorization"), bytes("x-api-secret")),
        id: request.match_info().get("id").unwrap_or_default().to_owned(),
        query: request.query_string().to_owned(),
        idempotency_key: key,
        body: match body {
            Ok(bytes) if !endpoint.is_write() || endpoint == Endpoint::Cancel || is_json(headers) => Body::Json(bytes),
            Ok(_) => Body::NotJson,
            Err(_) => Body::TooLarge,
        },
    }
}

fn is_json(headers: &HeaderMap) -> bool {
    let content_type = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let media_type = content_type.split(';').next().unwrap_or_default().trim();
    media_type.eq_ignore_ascii_case("application/json")
}
