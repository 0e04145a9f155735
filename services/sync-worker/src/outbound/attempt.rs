//! What came of one claimed sync: enough to finish its row, its audit rows and its facts.

use std::time::{Duration, Instant};

use domain::mapping::{Base, Record};
use domain::state::{Failure, Verdict};
use domain::{ErrorCode, FlashErpId, Outcome, RequestId, SyncId};
use events::SyncResult;
use flasherp::{CallError, FieldIssue};
use secrets::redact::redact_text;
use serde_json::{Value, json};
use time::OffsetDateTime;
use uuid::Uuid;

use super::claim::Claimed;

/// How an attempt ended.
#[derive(Debug, Clone)]
pub(super) enum End {
    /// Both sides are in step.
    Synced(SyncResult),
    /// It did not work.
    Failed {
        verdict: Verdict,
        error: AttemptError,
        /// The customer that it failed because of; its success asks for this sync again.
        because_of: Option<SyncId>,
    },
    /// Not to be synced.
    Skipped { reason: String },
}

/// Why an attempt failed, as kept in the row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct AttemptError {
    pub(super) code: ErrorCode,
    pub(super) message: String,
    pub(super) details: Vec<FieldIssue>,
    pub(super) http_status: Option<u16>,
}

impl AttemptError {
    pub(super) fn new(code: ErrorCode, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), details: Vec::new(), http_status: None }
    }

    /// The fields complained of, as JSON.
    pub(super) fn details_json(&self) -> Option<Value> {
        let issues = self
            .details
            .iter()
            .map(|issue| json!({"field": redact_text(&issue.field), "issue": redact_text(&issue.issue)}));
        (!self.details.is_empty()).then(|| Value::Array(issues.collect()))
    }
}

impl From<&CallError> for AttemptError {
    fn from(error: &CallError) -> Self {
        Self {
            code: error.code,
            message: error.message.clone(),
            details: error.details.clone(),
            http_status: error.http_status,
        }
    }
}

/// A call that wrote, or tried to.
#[derive(Debug, Clone)]
pub(super) struct WriteCall {
    /// create, update or cancel.
    pub(super) operation: &'static str,
    pub(super) key: Option<String>,
    /// Redacted.
    pub(super) request: Value,
    /// Redacted; none when it failed or FlashERP answered without a record.
    pub(super) response: Option<Value>,
    pub(super) error: Option<AttemptError>,
    /// Whether it is known what FlashERP made of it.
    pub(super) definite: bool,
    pub(super) duration: Duration,
}

/// What is known of the record in FlashERP; goes on from what the row knew.
#[derive(Debug, Clone)]
pub(super) struct Known {
    pub(super) target_id: Option<FlashErpId>,
    pub(super) generation: u32,
    pub(super) base: Base,
    pub(super) retry_count: u32,
    /// Whether what FlashERP made of the last write is known. A look-up makes it known, a lost answer unknown.
    pub(super) outcome: Outcome,
    pub(super) target_created_at: Option<OffsetDateTime>,
    pub(super) target_updated_at: Option<OffsetDateTime>,
}

impl Known {
    /// As the row had it.
    pub(super) fn of(claimed: &Claimed) -> Self {
        Self {
            target_id: claimed.target_id.clone(),
            generation: claimed.generation,
            base: claimed.base.clone(),
            retry_count: claimed.retry_count,
            outcome: claimed.outcome,
            target_created_at: None,
            target_updated_at: None,
        }
    }

    /// FlashERP holds this record for us.
    pub(super) fn holds(&mut self, record: &Record) {
        self.target_id = Some(record.id.clone());
        self.target_created_at = Some(record.created_at);
        self.target_updated_at = Some(record.updated_at);
    }

    /// FlashERP holds nothing any more of what we created: the next create is another one.
    pub(super) fn lost(&mut self) {
        self.target_id = None;
        self.base = Base::default();
        self.generation = self.generation.saturating_add(1);
    }
}

/// A claimed sync after its attempt.
#[derive(Debug, Clone)]
pub(super) struct Attempt {
    pub(super) claimed: Claimed,
    pub(super) request_id: RequestId,
    pub(super) end: End,
    pub(super) known: Known,
    pub(super) writes: Vec<WriteCall>,
    /// Further records with our reference, oldest first.
    pub(super) duplicates: Vec<FlashErpId>,
    pub(super) finished: Instant,
}

impl Attempt {
    /// An attempt that made no call.
    pub(super) fn without_call(claimed: Claimed, end: End) -> Self {
        let known = Known::of(&claimed);
        Self {
            claimed,
            request_id: RequestId(Uuid::new_v4()),
            end,
            known,
            writes: Vec::new(),
            duplicates: Vec::new(),
            finished: Instant::now(),
        }
    }

    /// Put back as if it had not been claimed, to be claimed from `not_before` on.
    pub(super) fn handed_back(claimed: Claimed, not_before: OffsetDateTime, message: &str) -> Self {
        let error = AttemptError::new(ErrorCode::ServiceUnavailable, message);
        let verdict = Verdict::PutBack { not_before };
        Self::without_call(claimed, End::Failed { verdict, error, because_of: None })
    }

    /// The target that a write of this attempt is known to have made or changed.
    pub(super) fn written(&self) -> Option<&FlashErpId> {
        let wrote = self.writes.iter().any(|write| write.error.is_none());
        if wrote { self.known.target_id.as_ref() } else { None }
    }

    pub(super) fn duration(&self) -> Duration {
        self.finished.saturating_duration_since(self.claimed.claimed)
    }

    /// Whether FlashERP's state is unknown after it.
    pub(super) fn leaves_unknown(&self) -> bool {
        self.known.outcome == Outcome::Unknown
    }
}

/// The failure of a read that nothing unknown hangs on.
pub(super) fn of_read(error: &CallError) -> Failure {
    error.failure().of_read()
}
