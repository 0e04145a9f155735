//! Stripe's API as far as missed events and what they leave out are fetched by it: the list of events, and objects by their id or by the
//! object that they belong to. Read only, without HTTP: path and query go in, status and JSON come out.
//!
//! Nothing is stored for it: ids tell their story, which is told again. Objects are as they are at their story's end.

mod events;
mod expand;
mod history;
mod objects;
mod page;
mod query;

pub use history::{History, Run};

use serde_json::{Value, json};

use super::ApiShape;
use query::Query;

/// An answer.
#[derive(Debug, Clone, PartialEq)]
pub struct ApiReply {
    /// HTTP status.
    pub status: u16,
    /// JSON.
    pub body: Value,
}

/// Why a call is refused, in Stripe's own form.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ApiError {
    /// 400
    #[error("{message}")]
    Invalid {
        /// The parameter.
        param: String,
        /// What is wrong with it.
        message: String,
    },
    /// 404
    #[error("No such {kind}: '{id}'")]
    Missing {
        /// `payment_intent`, ...
        kind: String,
        /// What was asked for.
        id: String,
    },
    /// 404
    #[error("Unrecognized request URL ({0}).")]
    Unknown(String),
}

impl ApiError {
    fn invalid(param: &str, message: impl Into<String>) -> Self {
        Self::Invalid { param: param.into(), message: message.into() }
    }

    fn reply(&self) -> ApiReply {
        let mut error = json!({ "type": "invalid_request_error", "message": self.to_string() });
        let status = match self {
            Self::Invalid { param, .. } => {
                error["param"] = json!(param);
                400
            }
            Self::Missing { .. } => {
                error["code"] = json!("resource_missing");
                error["param"] = json!("id");
                404
            }
            Self::Unknown(_) => 404,
        };
        ApiReply { status, body: json!({ "error": error }) }
    }
}

/// Answers `GET /v1/{path}?{query}`, at that time (unix milliseconds). `shape`: that of the caller's version, if it names one.
pub fn answer(history: &History, path: &str, query: &str, shape: Option<ApiShape>, now_ms: i64) -> ApiReply {
    let answer = Query::parse(query).and_then(|query| {
        let segments: Vec<&str> = path.trim_matches('/').split('/').collect();
        match segments.as_slice() {
            ["events"] => events::list(history, query, now_ms),
            ["events", id] => query.nothing_else().and_then(|()| events::get(history, id)),
            [collection] => objects::list(history, collection, query, shape),
            [collection, id] => objects::get(history, collection, id, query, shape),
            _ => Err(ApiError::Unknown(format!("GET: /v1/{path}"))),
        }
    });
    match answer {
        Ok(body) => ApiReply { status: 200, body },
        Err(error) => error.reply(),
    }
}
