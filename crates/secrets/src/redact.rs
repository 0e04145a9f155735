//! Takes secrets and personal data out of payloads before they are kept in the audit log: what happened stays readable, who it
//! happened to is told by ids alone.

use std::borrow::Cow;

use serde_json::Value;

/// What stands in the place of what was taken out.
pub const REDACTED: &str = "[redacted]";

/// A key that contains one of these holds a secret. Keys are compared in lower case, without `_`, `-` and spaces.
const SECRET_PARTS: &[&str] = &[
    "secret",
    "password",
    "passwd",
    "token",
    "apikey",
    "authorization",
    "cookie",
    "credential",
    "privatekey",
    "signature",
];

/// A key that ends in one of these holds personal data.
const PERSONAL_ENDINGS: &[&str] = &[
    "email",
    "phone",
    "phonenumber",
    "address",
    "firstname",
    "lastname",
    "fullname",
    "customername",
    "holdername",
    "displayname",
];

/// A key that is one of these holds personal data.
const PERSONAL_KEYS: &[&str] = &[
    "name",
    "line1",
    "line2",
    "city",
    "postalcode",
    "zip",
    "shipping",
    "billingdetails",
    "customershipping",
    "taxid",
    "taxids",
    "birthdate",
    "dateofbirth",
    "ip",
    "iban",
    "last4",
    "fingerprint",
];

/// Text that starts so is a secret wherever it stands.
const SECRET_STARTS: &[&str] = &["sk_live_", "sk_test_", "rk_live_", "rk_test_", "whsec_", "bearer ", "basic "];

/// A copy of the payload without secrets and personal data. Nulls stay, so that it shows what was empty.
#[must_use]
pub fn redact(payload: &Value) -> Value {
    match payload {
        Value::Object(fields) => fields
            .iter()
            .map(|(key, value)| {
                let value =
                    if is_sensitive_key(key) && !value.is_null() { Value::from(REDACTED) } else { redact(value) };
                (key.clone(), value)
            })
            .collect(),
        Value::Array(items) => items.iter().map(redact).collect(),
        Value::String(text) => Value::from(redact_text(text)),
        Value::Null | Value::Bool(_) | Value::Number(_) => payload.clone(),
    }
}

/// Text, say an error message, without what looks like an e-mail address or a credential.
#[must_use]
pub fn redact_text(text: &str) -> Cow<'_, str> {
    let lower = text.to_ascii_lowercase();
    if SECRET_STARTS.iter().any(|start| lower.starts_with(start)) {
        return Cow::Borrowed(REDACTED);
    }
    if !text.split(is_boundary).any(is_sensitive_word) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len());
    for piece in text.split_inclusive(is_boundary) {
        let word = piece.trim_end_matches(is_boundary);
        out.push_str(if is_sensitive_word(word) { REDACTED } else { word });
        out.push_str(&piece[word.len()..]);
    }
    Cow::Owned(out)
}

fn is_sensitive_key(key: &str) -> bool {
    let key: String = key.chars().filter(|c| !matches!(c, '_' | '-' | ' ')).flat_map(char::to_lowercase).collect();
    SECRET_PARTS.iter().any(|part| key.contains(part))
        || PERSONAL_ENDINGS.iter().any(|ending| key.ends_with(ending))
        || PERSONAL_KEYS.contains(&key.as_str())
}

fn is_boundary(c: char) -> bool {
    c.is_whitespace()
        || matches!(
            c,
            '"' | '\'' | '`' | '<' | '>' | '(' | ')' | '[' | ']' | '{' | '}' | ',' | ';' | ':' | '=' | '/' | '?' | '&'
        )
}

fn is_sensitive_word(word: &str) -> bool {
    is_email(word)
        || SECRET_STARTS.iter().any(|start| word.len() > start.len() && word.to_ascii_lowercase().starts_with(start))
}

fn is_email(word: &str) -> bool {
    word.split_once('@').is_some_and(|(local, domain)| !local.is_empty() && domain.trim_end_matches('.').contains('.'))
}
