//! FlashERP's error bodies: `{code, message, details?, requestId}`.

use serde::Serialize;
use uuid::Uuid;

use super::Reply;
use crate::schema::{Invalid, Issue, Malformed};

/// The codes that FlashERP answers with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, serde::Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Code {
    /// 400 or 422
    ValidationError,
    /// 400 or 422
    MissingRequiredField,
    /// 401
    InvalidApiKey,
    /// 401
    InvalidApiSecret,
    /// 403
    AuthFailed,
    /// 404
    ResourceNotFound,
    /// 409
    ResourceAlreadyExists,
    /// 409
    ResourceConflict,
    /// 429
    RateLimitExceeded,
    /// 429
    QuotaExceeded,
    /// 500
    ServerError,
    /// 502, 503, 504
    ServiceUnavailable,
}

impl Code {
    /// What the contract says for a status.
    pub fn of_status(status: u16) -> Self {
        match status {
            401 => Code::InvalidApiKey,
            403 => Code::AuthFailed,
            404 => Code::ResourceNotFound,
            409 => Code::ResourceConflict,
            429 => Code::RateLimitExceeded,
            502..=504 => Code::ServiceUnavailable,
            500.. => Code::ServerError,
            _ => Code::ValidationError,
        }
    }
}

/// An error as FlashERP itself answers it.
#[derive(Debug, Clone)]
pub struct ApiError {
    status: u16,
    code: Code,
    message: String,
    details: Vec<Detail>,
}

#[derive(Debug, Clone, Serialize)]
struct Detail {
    field: String,
    issue: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ErrorBody<'a> {
    code: Code,
    message: &'a str,
    #[serde(skip_serializing_if = "<[Detail]>::is_empty")]
    details: &'a [Detail],
    request_id: Uuid,
}

impl ApiError {
    /// An error without details.
    pub fn new(status: u16, code: Code, message: impl Into<String>) -> Self {
        Self { status, code, message: message.into(), details: Vec::new() }
    }

    /// 404.
    pub fn not_found(message: &str) -> Self {
        Self::new(404, Code::ResourceNotFound, message)
    }

    /// 400 for one field, parameter or header.
    pub fn field(field: &str, issue: impl Into<String>) -> Self {
        Self::fields(vec![Issue { field: field.into(), issue: issue.into() }])
    }

    /// 400 for several of them.
    pub fn fields(issues: Vec<Issue>) -> Self {
        Invalid { issues, only_missing: false }.into()
    }

    /// Its answer, with a request id of its own.
    pub fn reply(&self) -> Reply {
        let body =
            ErrorBody { code: self.code, message: &self.message, details: &self.details, request_id: Uuid::new_v4() };
        let body = serde_json::to_vec(&body).expect("strings and a uuid always serialise");
        Reply::new(self.status, body.into())
    }
}

impl From<Invalid> for ApiError {
    fn from(invalid: Invalid) -> Self {
        let (code, message) = match invalid.only_missing {
            true => (Code::MissingRequiredField, "required fields are missing"),
            false => (Code::ValidationError, "the request is not valid"),
        };
        let details = invalid.issues.into_iter().map(|Issue { field, issue }| Detail { field, issue }).collect();
        Self { details, ..Self::new(400, code, message) }
    }
}

impl From<Malformed> for ApiError {
    fn from(malformed: Malformed) -> Self {
        Self::new(400, Code::ValidationError, format!("the body is {malformed}"))
    }
}
