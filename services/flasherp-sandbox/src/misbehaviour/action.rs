//! What can happen to a call, as the control API spells it: `{"kind": "cut-after-write"}`.

use serde::{Deserialize, Serialize};

use crate::api::Code;

/// A fault.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case", rename_all_fields = "camelCase", deny_unknown_fields)]
pub enum Action {
    /// Answered with this status instead; the write takes effect only if `after_write` says so (a proxy that lost the answer).
    Status {
        /// 400 to 599.
        status: u16,
        /// What the answer holds.
        #[serde(default)]
        body: FaultBody,
        /// The `code` of a JSON body; the contract's for that status if left out.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        code: Option<Code>,
        /// The header `Retry-After`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        retry_after: Option<RetryAfter>,
        /// Whether the write takes effect first.
        #[serde(default)]
        after_write: bool,
    },
    /// The connection ends without an answer, and the write never takes effect.
    CutBeforeWrite,
    /// The write takes effect, and the connection ends without an answer.
    CutAfterWrite,
    /// The connection ends at once, and the write takes effect so much later.
    LateWrite {
        /// At most 60,000, as the contract promises.
        delay_ms: u64,
    },
    /// The write takes effect, and the connection ends in the middle of the answer's body.
    CutInBody,
    /// The call takes longer: before its write, after it, or both.
    Delay {
        /// At most 60,000.
        #[serde(default)]
        before_ms: u64,
        /// Any time: the caller decides when to give up.
        #[serde(default)]
        after_ms: u64,
    },
    /// The write takes effect, and the answer's body comes in pieces with pauses between them.
    SlowBody {
        /// At least 1.
        chunk_bytes: usize,
        /// The pause after each piece.
        pause_ms: u64,
    },
    /// The write takes effect, and the answer has the right status and a body that is not JSON.
    GarbageBody,
    /// Only of lists: once the page is made, some records change, those already seen and those still to come.
    ChangeWhilePaged {
        /// So many.
        #[serde(default = "one")]
        records: usize,
        /// What is put into each; when left out only `updatedAt` moves.
        #[serde(default)]
        fields: serde_json::Map<String, serde_json::Value>,
    },
}

fn one() -> usize {
    1
}

/// What the answer of [`Action::Status`] holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum FaultBody {
    /// FlashERP's error body.
    #[default]
    Json,
    /// A page of HTML, as a proxy in front answers.
    Html,
    /// Nothing.
    Empty,
}

/// The header `Retry-After`, in the two forms that HTTP has, and in others.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum RetryAfter {
    /// A number of seconds.
    Seconds(u64),
    /// An HTTP date so many seconds ahead.
    DateInSeconds(u64),
    /// This text, whatever it is.
    Text(String),
}

/// The longest time that the contract lets pass between a call's arrival and its effect.
pub(super) const EFFECT_WITHIN_MS: u64 = 60_000;

impl Action {
    /// What a proxy answers while FlashERP is away.
    pub(super) const fn unavailable() -> Self {
        Action::Status { status: 503, body: FaultBody::Html, code: None, retry_after: None, after_write: false }
    }

    /// Its name, in counters.
    pub fn name(&self) -> &'static str {
        match self {
            Action::Status { .. } => "status",
            Action::CutBeforeWrite => "cut-before-write",
            Action::CutAfterWrite => "cut-after-write",
            Action::LateWrite { .. } => "late-write",
            Action::CutInBody => "cut-in-body",
            Action::Delay { .. } => "delay",
            Action::SlowBody { .. } => "slow-body",
            Action::GarbageBody => "garbage-body",
            Action::ChangeWhilePaged { .. } => "change-while-paged",
        }
    }

    /// What is wrong with it, if something is.
    pub(super) fn problem(&self) -> Option<&'static str> {
        match self {
            Action::Status { status, .. } if !(400..=599).contains(status) => Some("status must be from 400 to 599"),
            Action::Status { retry_after: Some(RetryAfter::Text(text)), .. }
                if !text.bytes().all(|b| (b' '..=b'~').contains(&b)) =>
            {
                Some("retryAfter must be printable ASCII")
            }
            Action::LateWrite { delay_ms } if *delay_ms > EFFECT_WITHIN_MS => {
                Some("delayMs must be at most 60000: a write takes effect within 60 s of its arrival, or never")
            }
            Action::Delay { before_ms, .. } if *before_ms > EFFECT_WITHIN_MS => {
                Some("beforeMs must be at most 60000: a write takes effect within 60 s of its arrival, or never")
            }
            Action::ChangeWhilePaged { records, .. } if !(1..=1_000).contains(records) => {
                Some("records must be from 1 to 1000")
            }
            Action::SlowBody { chunk_bytes: 0, .. } => Some("chunkBytes must be at least 1"),
            _ => None,
        }
    }
}
