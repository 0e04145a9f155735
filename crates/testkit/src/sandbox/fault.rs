//! Faults, as the control API takes them.

use serde::Serialize;

/// A fault of some calls. What isn't narrowed applies to all.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Fault {
    #[serde(skip_serializing_if = "Option::is_none")]
    method: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    path: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    rate: Option<f64>,
    skip: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    times: Option<u64>,
    action: FaultAction,
}

/// What happens to a call.
#[derive(Debug, Clone, Serialize)]
#[serde(tag = "kind", rename_all = "kebab-case", rename_all_fields = "camelCase")]
pub enum FaultAction {
    /// Answered with this status instead.
    Status {
        /// 400 to 599.
        status: u16,
        /// What the answer holds.
        body: FaultBody,
        /// The header `Retry-After`.
        #[serde(skip_serializing_if = "Option::is_none")]
        retry_after: Option<RetryAfter>,
        /// Whether the write takes effect first.
        after_write: bool,
    },
    /// Answered with this status and FlashERP's error of another code than the status' own; no write takes effect.
    #[serde(rename = "status")]
    Code {
        /// 400 to 599.
        status: u16,
        /// As `QUOTA_EXCEEDED`.
        code: &'static str,
        /// The header `Retry-After`.
        #[serde(skip_serializing_if = "Option::is_none")]
        retry_after: Option<RetryAfter>,
    },
    /// The connection ends, and the write never takes effect.
    CutBeforeWrite,
    /// The write takes effect, and the connection ends.
    CutAfterWrite,
    /// The connection ends at once, and the write takes effect later.
    LateWrite {
        /// At most 60,000.
        delay_ms: u64,
    },
    /// The write takes effect, and the answer breaks off in its body.
    CutInBody,
    /// The call takes longer.
    Delay {
        /// Before its write; at most 60,000.
        before_ms: u64,
        /// After it.
        after_ms: u64,
    },
    /// The write takes effect, and the body comes in pieces.
    SlowBody {
        /// Bytes of each piece.
        chunk_bytes: u64,
        /// The pause after each.
        pause_ms: u64,
    },
    /// The write takes effect, and the body is not JSON.
    GarbageBody,
    /// Only of lists: once the page is made, some records change.
    ChangeWhilePaged {
        /// So many, drawn from all.
        records: u64,
        /// What is put into each; only `updatedAt` moves if nothing is.
        fields: serde_json::Map<String, serde_json::Value>,
    },
}

/// What the answer of [`FaultAction::Status`] holds.
#[derive(Debug, Clone, Copy, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum FaultBody {
    /// FlashERP's error body.
    Json,
    /// A page of HTML.
    Html,
    /// Nothing.
    Empty,
}

/// The header `Retry-After`.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum RetryAfter {
    /// A number of seconds.
    Seconds(u64),
    /// An HTTP date so many seconds ahead.
    DateInSeconds(u64),
    /// This text, whatever it is.
    Text(String),
}

impl Fault {
    /// This fault, for every call.
    pub fn new(action: FaultAction) -> Self {
        Self { method: None, path: None, rate: None, skip: 0, times: None, action }
    }

    /// Answered with FlashERP's error of this status; no write takes effect.
    pub fn status(status: u16) -> Self {
        Self::new(FaultAction::Status { status, body: FaultBody::Json, retry_after: None, after_write: false })
    }

    /// Only calls of one operation, as `("POST", "/transactions")` or `("GET", "/customers/{id}")`.
    pub fn on(self, method: &str, path: &str) -> Self {
        Self { method: Some(method.into()), path: Some(path.into()), ..self }
    }

    /// Only a share of the calls, 0 to 1.
    pub fn rate(self, rate: f64) -> Self {
        Self { rate: Some(rate), ..self }
    }

    /// Only after so many fitting calls have passed.
    pub fn skip(self, skip: u64) -> Self {
        Self { skip, ..self }
    }

    /// Only so often.
    pub fn times(self, times: u64) -> Self {
        Self { times: Some(times), ..self }
    }
}
