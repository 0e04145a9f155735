//! The answers to a delivery: two shapes of body, each with the request's id.

use std::time::Duration;

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use actix_web::http::header::{CONTENT_TYPE, HeaderName, HeaderValue, RETRY_AFTER};
use domain::ErrorCode;
use service::http::{Detail, ErrorBody, RequestId};

const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
const JSON: HeaderValue = HeaderValue::from_static("application/json");

/// 200: the event is durable.
pub(super) fn received(request_id: &RequestId, duplicate: bool) -> HttpResponse {
    // A request id holds nothing that JSON would have to escape.
    let body = format!(r#"{{"received":true,"requestId":"{request_id}","duplicate":{duplicate}}}"#);
    with_headers(StatusCode::OK, request_id, body)
}

/// Why a delivery was not taken.
#[derive(Debug)]
pub(super) struct Refusal {
    pub(super) status: StatusCode,
    pub(super) code: ErrorCode,
    /// What to do about it.
    pub(super) message: String,
    pub(super) details: Vec<Detail>,
    pub(super) retry_after: Option<Duration>,
    /// A short name of the reason, for metrics and the log.
    pub(super) reason: &'static str,
}

impl Refusal {
    pub(super) fn new(status: StatusCode, code: ErrorCode, reason: &'static str, message: impl Into<String>) -> Self {
        Self { status, code, message: message.into(), details: Vec::new(), retry_after: None, reason }
    }

    pub(super) fn retry_after(mut self, wait: Duration) -> Self {
        self.retry_after = Some(wait);
        self
    }

    pub(super) fn with_detail(mut self, field: &str, issue: &str) -> Self {
        self.details.push(Detail { field: field.to_owned(), issue: issue.to_owned() });
        self
    }

    pub(super) fn answer(&self, request_id: &RequestId) -> HttpResponse {
        let body = ErrorBody {
            error: self.status.canonical_reason().unwrap_or("Error"),
            code: self.code.as_str(),
            message: &self.message,
            request_id: Some(request_id.clone()),
            details: &self.details,
        };
        let body = serde_json::to_string(&body).expect("a struct of strings is JSON");
        let mut response = with_headers(self.status, request_id, body);
        if let Some(wait) = self.retry_after {
            let seconds = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
            response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(seconds.max(1)));
        }
        response
    }
}

fn with_headers(status: StatusCode, request_id: &RequestId, body: String) -> HttpResponse {
    let mut response = HttpResponse::with_body(status, actix_web::body::BoxBody::new(body));
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, JSON);
    if let Ok(id) = HeaderValue::from_str(request_id.as_str()) {
        headers.insert(X_REQUEST_ID, id);
    }
    response
}
