//! The one shape of an error answer: `{"error", "code", "message", "requestId", "details"}`.
//!
//! What the client is told and what the log keeps are different fields: `message` says what to do about it, the cause goes to the log
//! once and never into the answer.

use std::fmt;
use std::time::Duration;

use actix_web::http::StatusCode;
use actix_web::http::header::{RETRY_AFTER, WWW_AUTHENTICATE};
use actix_web::{HttpResponse, ResponseError};
use domain::ErrorCode;
use serde::Serialize;
use utoipa::ToSchema;

use super::RequestId;

/// What is wrong with one field.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct Detail {
    /// Its name, `syncScope.invoices` for one within another; `body`, `query` or `path` where it is the whole.
    pub field: String,
    pub issue: String,
}

/// The body of an error answer.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = Error)]
#[serde(rename_all = "camelCase")]
pub struct ErrorBody<'a> {
    /// HTTP's reason phrase.
    pub error: &'a str,
    /// One of the 24.
    pub code: &'a str,
    /// What to do about it.
    pub message: &'a str,
    #[schema(value_type = Option<String>, required)]
    pub request_id: Option<RequestId>,
    pub details: &'a [Detail],
}

/// An error on its way to the client.
#[derive(Debug)]
pub struct ApiError {
    code: ErrorCode,
    status: StatusCode,
    message: String,
    details: Vec<Detail>,
    retry_after: Option<Duration>,
    cause: Option<anyhow::Error>,
}

impl ApiError {
    /// An error with the HTTP status that belongs to its code.
    #[must_use]
    pub fn new(code: ErrorCode, message: impl Into<String>) -> Self {
        let status = StatusCode::from_u16(code.admin_status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        Self { code, status, message: message.into(), details: Vec::new(), retry_after: None, cause: None }
    }

    /// A fault of ours: the client learns that there was one, the log learns which.
    #[must_use]
    pub fn internal(cause: impl Into<anyhow::Error>) -> Self {
        let message = "something went wrong here; try again, and if it stays name the requestId to the operators";
        Self::new(ErrorCode::InternalError, message).caused_by(cause)
    }

    /// An error for an answer that only has a status.
    pub(super) fn from_status(status: StatusCode) -> Self {
        let (code, message) = match status {
            StatusCode::UNAUTHORIZED => (ErrorCode::AuthFailed, "sign in, or send a bearer token"),
            StatusCode::FORBIDDEN => (ErrorCode::AuthFailed, "your role does not allow this"),
            StatusCode::NOT_FOUND => (ErrorCode::ResourceNotFound, "there is nothing at this path"),
            StatusCode::METHOD_NOT_ALLOWED => (ErrorCode::InvalidRequest, "this path does not take this method"),
            StatusCode::REQUEST_TIMEOUT => (ErrorCode::Timeout, "the request did not arrive in time; send it again"),
            StatusCode::CONFLICT => (ErrorCode::ResourceConflict, "it has changed meanwhile; read it again"),
            StatusCode::PAYLOAD_TOO_LARGE => (ErrorCode::InvalidRequest, "the body is too large; send at most 1 MiB"),
            StatusCode::UNSUPPORTED_MEDIA_TYPE => {
                (ErrorCode::InvalidRequest, "this content type or encoding is not taken")
            }
            StatusCode::TOO_MANY_REQUESTS => (ErrorCode::RateLimitExceeded, "too many requests; wait and try again"),
            StatusCode::SERVICE_UNAVAILABLE => {
                (ErrorCode::ServiceUnavailable, "not available at the moment; try again")
            }
            status if status.is_client_error() => (ErrorCode::InvalidRequest, "the request can't be understood"),
            _ => (ErrorCode::InternalError, "something went wrong here; try again"),
        };
        Self::new(code, message).with_status(status)
    }

    /// Where a route documents another status than the code's own.
    #[must_use]
    pub fn with_status(mut self, status: StatusCode) -> Self {
        self.status = status;
        self
    }

    /// Names a field that is wrong; call it for each.
    #[must_use]
    pub fn with_detail(mut self, field: impl Into<String>, issue: impl Into<String>) -> Self {
        self.details.push(Detail { field: field.into(), issue: issue.into() });
        self
    }

    /// Sends `Retry-After`, in whole seconds, rounded up.
    #[must_use]
    pub fn retry_after(mut self, wait: Duration) -> Self {
        self.retry_after = Some(wait);
        self
    }

    /// What the log is to know and the client is not.
    #[must_use]
    pub fn caused_by(mut self, cause: impl Into<anyhow::Error>) -> Self {
        self.cause = Some(cause.into());
        self
    }

    #[must_use]
    pub fn code(&self) -> ErrorCode {
        self.code
    }

    /// The cause with its own causes on one line.
    pub(super) fn cause_chain(&self) -> Option<String> {
        self.cause.as_ref().map(|cause| format!("{cause:#}"))
    }
}

/// What the database refuses: 503 where it is away or busy, so that the caller tries again; a fault of ours else.
impl From<sqlx::Error> for ApiError {
    fn from(error: sqlx::Error) -> Self {
        if is_away(&error) {
            return Self::from_status(StatusCode::SERVICE_UNAVAILABLE)
                .retry_after(Duration::from_secs(1))
                .caused_by(anyhow::Error::new(error).context("the database"));
        }
        Self::internal(anyhow::Error::new(error).context("the database"))
    }
}

/// Not there, not migrated yet, overloaded, or a statement that took too long.
fn is_away(error: &sqlx::Error) -> bool {
    match error {
        sqlx::Error::Io(_) | sqlx::Error::Tls(_) | sqlx::Error::PoolTimedOut | sqlx::Error::PoolClosed => true,
        sqlx::Error::WorkerCrashed => true,
        sqlx::Error::Database(error) => error.code().is_some_and(|code| {
            // Connections, resources, an operator's hand (also a cancelled statement); locks; a schema that is still to come.
            ["08", "53", "57"].iter().any(|class| code.starts_with(class))
                || ["40001", "40P01", "55P03", "3F000", "42P01"].contains(&code.as_ref())
        }),
        _ => false,
    }
}

impl fmt::Display for ApiError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.code, self.message)
    }
}

impl std::error::Error for ApiError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.cause.as_ref().map(AsRef::as_ref)
    }
}

impl ResponseError for ApiError {
    fn status_code(&self) -> StatusCode {
        self.status
    }

    fn error_response(&self) -> HttpResponse {
        let mut answer = HttpResponse::build(self.status);
        if let Some(wait) = self.retry_after {
            let seconds = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
            answer.insert_header((RETRY_AFTER, seconds.to_string()));
        }
        if self.status == StatusCode::UNAUTHORIZED {
            answer.insert_header((WWW_AUTHENTICATE, "Bearer"));
        }
        answer.json(ErrorBody {
            error: self.status.canonical_reason().unwrap_or("Error"),
            code: self.code.as_str(),
            message: &self.message,
            request_id: RequestId::current(),
            details: &self.details,
        })
    }
}
