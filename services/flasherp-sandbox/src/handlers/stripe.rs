//! Stripe's API over HTTP, below `/stripe`: key, version, and what it was told to do wrong.

use actix_web::{
    HttpRequest, HttpResponse,
    http::{StatusCode, header},
    web::{self, Data, Path},
};
use base64::{Engine, prelude::BASE64_STANDARD};
use secrecy::ExposeSecret;
use serde_json::json;
use subtle::ConstantTimeEq;
use uuid::Uuid;

use crate::{
    sandbox::Sandbox,
    stripe::{ApiShape, api},
};

/// `GET /stripe/v1/{path}`
pub(crate) async fn get(sandbox: Data<Sandbox>, request: HttpRequest, path: Path<String>) -> HttpResponse {
    sandbox.counters.stripe_call(path.split('/').next().unwrap_or_default());
    if let Some(status) = sandbox.stripe_outage.next() {
        return error(status, "api_error", "the sandbox was told to fail this call");
    }
    if !is_allowed(&sandbox, &request) {
        return error(401, "invalid_request_error", "Invalid API Key provided");
    }
    let version = request.headers().get("stripe-version").and_then(|version| version.to_str().ok());
    let shape = version.map(ApiShape::of_version);
    let (query, now_ms) = (request.query_string().to_owned(), sandbox.clock.now_ms());
    // The first look at a long run tells all of its stories.
    let answered = web::block(move || api::answer(&sandbox.history, &path, &query, shape, now_ms)).await;
    match answered {
        Ok(reply) => {
            let status = StatusCode::from_u16(reply.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
            HttpResponse::build(status).insert_header(("request-id", request_id())).json(reply.body)
        }
        Err(_) => error(500, "api_error", "the sandbox broke off"),
    }
}

/// Everything else below `/stripe`: it can only be read.
pub(crate) async fn unknown(request: HttpRequest) -> HttpResponse {
    let message = format!("Unrecognized request URL ({}: {}).", request.method(), request.path());
    error(404, "invalid_request_error", &message)
}

/// The key as a bearer token, or as the user of basic authentication.
fn is_allowed(sandbox: &Sandbox, request: &HttpRequest) -> bool {
    let Some(key) = &sandbox.stripe_api_key else { return false };
    let header = request.headers().get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    let Some((scheme, token)) = header.and_then(|header| header.split_once(' ')) else { return false };
    let given = if scheme.eq_ignore_ascii_case("basic") {
        let decoded = BASE64_STANDARD.decode(token.trim()).unwrap_or_default();
        decoded.split(|byte| *byte == b':').next().unwrap_or_default().to_vec()
    } else if scheme.eq_ignore_ascii_case("bearer") {
        token.trim().as_bytes().to_vec()
    } else {
        return false;
    };
    given.ct_eq(key.expose_secret().as_bytes()).into()
}

fn error(status: u16, kind: &str, message: &str) -> HttpResponse {
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let body = json!({ "error": { "type": kind, "message": message } });
    HttpResponse::build(status).insert_header(("request-id", request_id())).json(body)
}

fn request_id() -> String {
    format!("req_{}", Uuid::new_v4().simple())
}
