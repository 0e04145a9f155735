//! From an answer to what was asked for, or to the error it is.

use serde::Deserialize;
use serde_json::value::RawValue;

use domain::mapping::Record;

use crate::{
    answer::Answer,
    error::{CallError, CallResult, FieldIssue},
    health::Health,
    page::Page,
    redact::Redactor,
};

/// More complaints than this help nobody.
const MAX_ISSUES: usize = 50;

/// How a success is read. What it cannot read is no success.
pub(crate) type Reader<T> = fn(&str) -> Result<T, String>;

pub(crate) fn record(body: &str) -> Result<Record, String> {
    Record::parse(body).map_err(|error| error.to_string())
}

/// A record, or nothing at all (204).
pub(crate) fn record_or_nothing(body: &str) -> Result<Option<Record>, String> {
    if body.trim().is_empty() { Ok(None) } else { record(body).map(Some) }
}

pub(crate) fn page(body: &str) -> Result<Page, String> {
    Page::parse(body)
}

pub(crate) fn health(body: &str) -> Result<Health, String> {
    Health::parse(body).map_err(|error| error.to_string())
}

/// Any JSON object: FlashERP repeats what it took.
pub(crate) fn object(body: &str) -> Result<(), String> {
    let is_object = body.trim_start().starts_with('{');
    match serde_json::from_str::<&RawValue>(body) {
        Ok(_) if is_object => Ok(()),
        Ok(_) => Err("not an object".to_owned()),
        Err(error) => Err(error.to_string()),
    }
}

/// Reads an answer.
pub(crate) fn read<T>(answer: &Answer, reader: Reader<T>, redactor: &Redactor) -> CallResult<T> {
    let text = std::str::from_utf8(&answer.body).ok();
    if answer.is_success() {
        let why = match text.map(reader) {
            Some(Ok(value)) => return Ok(value),
            Some(Err(why)) => redactor.clean(&why),
            None => "not UTF-8".to_owned(),
        };
        let message = format!("FlashERP answered {} with {} ({why})", answer.status, answer.looks_like());
        return Err(CallError::unreadable(answer.status, message));
    }
    let error = match text.and_then(OwnError::parse) {
        Some(own) => CallError::told(answer.status, &own.code, redactor.clean(&own.message), own.issues(redactor)),
        None => {
            let message =
                format!("an answer that is not FlashERP's own: {} with {}", answer.status, answer.looks_like());
            CallError::unreadable(answer.status, message)
        }
    };
    Err(CallError { retry_after: answer.retry_after, ..error })
}

/// FlashERP's error body. Anything else is somebody else's answer.
#[derive(Deserialize)]
struct OwnError<'a> {
    code: String,
    message: String,
    #[serde(borrow)]
    details: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct Issue {
    #[serde(default)]
    field: String,
    #[serde(default)]
    issue: String,
}

impl<'a> OwnError<'a> {
    fn parse(body: &'a str) -> Option<Self> {
        serde_json::from_str(body).ok()
    }

    /// The complaints; of an unexpected form they are left out, for the error stands without them.
    fn issues(&self, redactor: &Redactor) -> Vec<FieldIssue> {
        let issues: Vec<Issue> =
            self.details.and_then(|details| serde_json::from_str(details.get()).ok()).unwrap_or_default();
        let clean =
            |issue: Issue| FieldIssue { field: redactor.clean(&issue.field), issue: redactor.clean(&issue.issue) };
        issues.into_iter().take(MAX_ISSUES).map(clean).collect()
    }
}
