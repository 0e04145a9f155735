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

#[cfg(test)]
mod tests {
    //! Fuzz target (`./justw fuzz`): whatever FlashERP, or whoever answers in its place, sends, the client bears it and repeats no secret.

    use secrecy::SecretString;

    use super::*;

    const SECRET: &str = "sk_live_4711";

    /// Every answer that can't be read as a success, and what is read as one.
    fn look_at<T>(status: u16, body: &[u8], reader: Reader<T>) {
        let answer = Answer { status, retry_after: None, body: body.to_vec() };
        let redactor = Redactor::new([SecretString::from(SECRET)]);
        let Err(error) = read(&answer, reader, &redactor) else {
            assert!(answer.is_success());
            return;
        };
        let told = format!("{error} {:?}", error.details);
        assert!(!told.contains(SECRET), "it repeats a secret");
        assert!(error.message.chars().count() <= 700, "{} characters", error.message.chars().count());
        assert!(error.details.len() <= MAX_ISSUES);
        // what a proxy says is never FlashERP's own word, and only that is definite
        let is_own = serde_json::from_slice::<serde_json::Value>(body)
            .is_ok_and(|body| body["code"].is_string() && body["message"].is_string());
        assert!(is_own || !error.own_word);
        assert!(error.own_word || !error.definite);
    }

    #[test]
    fn fuzz_answer() {
        let examples: [&[u8]; 6] = [
            br#"{"code":"VALIDATION_ERROR","message":"amount sk_live_4711 is wrong","details":[{"field":"amount","issue":"too small"},{"field":"currency"}]}"#,
            br#"{"error":"Too Many Requests","code":"RATE_LIMIT_EXCEEDED","message":"slow down","details":null,"requestId":"r"}"#,
            br#"<html><body>502 Bad Gateway sk_live_4711</body></html>"#,
            br#"{"id":"txn_1","upcoachReference":"r","amount":10.990,"currency":"USD","status":"completed","createdAt":"2026-11-24T12:00:00.000Z","updatedAt":"2026-11-24T12:00:00.000Z"}"#,
            br#"{"data":[{"id":"txn_1","createdAt":"2026-11-24T12:00:00.000Z","updatedAt":"2026-11-24T12:00:00.000Z"}],"nextCursor":"sk_live_4711"}"#,
            br#"{"status":"healthy","version":"1.4","capabilities":["idempotency-key","updated-since"]}"#,
        ];
        fuzzing::run(&examples, |body| {
            for status in [200, 400, 401, 409, 429, 503] {
                look_at(status, body, record);
            }
            look_at(204, body, record_or_nothing);
            look_at(200, body, page);
            look_at(200, body, health);
            look_at(201, body, object);
        });
    }
}
