//! The span of a request: continues the caller's trace, carries the request id into every log line, and logs what went wrong, once.

use actix_web::body::MessageBody;
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::{Error, HttpMessage as _};
use tracing::Span;
use tracing::field::Empty;
use tracing_actix_web::RootSpanBuilder;

use super::{ApiError, RequestId};
use crate::telemetry::propagation;

/// Builds the span for [`tracing_actix_web::TracingLogger`].
pub struct RequestSpan;

impl RootSpanBuilder for RequestSpan {
    fn on_request_start(request: &ServiceRequest) -> Span {
        let span = tracing::info_span!(
            "http_request",
            otel.kind = "server",
            otel.status_code = Empty,
            http.request.method = request.method().as_str(),
            http.route = request.match_pattern().unwrap_or_else(|| "unmatched".to_owned()),
            http.response.status_code = Empty,
            request_id = request.extensions().get::<RequestId>().map(RequestId::as_str),
        );
        propagation::continue_from_headers(&span, |name| {
            request.headers().get(name)?.to_str().ok().map(ToOwned::to_owned)
        });
        span
    }

    fn on_request_end<B: MessageBody>(span: Span, outcome: &Result<ServiceResponse<B>, Error>) {
        let (status, error) = match outcome {
            Ok(response) => (response.status(), response.response().error()),
            Err(error) => (error.as_response_error().status_code(), Some(error)),
        };
        span.record("http.response.status_code", status.as_u16());
        if status.is_server_error() {
            span.record("otel.status_code", "ERROR");
        }
        let Some(error) = error else { return };
        let ours = error.as_error::<ApiError>();
        let cause = ours.and_then(ApiError::cause_chain);
        let code = ours.map(|error| error.code().as_str());
        if status.is_server_error() {
            tracing::error!(status = status.as_u16(), code, cause, error = %error, "request failed");
        } else {
            tracing::debug!(status = status.as_u16(), code, cause, error = %error, "request refused");
        }
    }
}
