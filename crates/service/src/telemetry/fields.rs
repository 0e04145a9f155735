//! Takes the fields of spans and events as JSON, leaving out the values of those that are named like secrets.
//!
//! Secrets live in `SecretString`, which shows nothing; this is the second line, for a header or a payload key that someone logs by
//! name.

use std::error::Error;
use std::fmt;

use serde_json::{Map, Value};
use tracing::field::{Field, Visit};

/// A field whose name contains one of these is not written.
const SECRET_NAMES: &[&str] =
    &["secret", "password", "authorization", "api_key", "apikey", "cookie", "credential", "private_key", "jwt"];

/// The fields of one span or event.
#[derive(Clone, Debug, Default)]
pub(crate) struct Fields(pub(crate) Map<String, Value>);

impl Fields {
    fn put(&mut self, field: &Field, value: impl FnOnce() -> Value) {
        let name = field.name();
        // Events of the `log` crate bring their origin so; the line has it already.
        if name.starts_with("log.") {
            return;
        }
        let value = if is_secret(name) { Value::from("[redacted]") } else { value() };
        self.0.insert(name.to_owned(), value);
    }
}

fn is_secret(name: &str) -> bool {
    SECRET_NAMES.iter().any(|secret| name.len() >= secret.len() && name.to_ascii_lowercase().contains(secret))
}

impl Visit for Fields {
    fn record_f64(&mut self, field: &Field, value: f64) {
        self.put(field, || value.into());
    }
    fn record_i64(&mut self, field: &Field, value: i64) {
        self.put(field, || value.into());
    }
    fn record_u64(&mut self, field: &Field, value: u64) {
        self.put(field, || value.into());
    }
    fn record_bool(&mut self, field: &Field, value: bool) {
        self.put(field, || value.into());
    }
    fn record_str(&mut self, field: &Field, value: &str) {
        self.put(field, || value.into());
    }
    fn record_error(&mut self, field: &Field, value: &(dyn Error + 'static)) {
        self.put(field, || chain(value).into());
    }
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.put(field, || format!("{value:?}").into());
    }
}

/// An error and its causes on one line.
fn chain(error: &(dyn Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    text
}
