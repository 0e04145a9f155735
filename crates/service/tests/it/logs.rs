//! A line of the log has what it is found by, and no secret.

use std::io::{self, Write};
use std::sync::{Arc, Mutex, PoisonError};

use opentelemetry::trace::TracerProvider as _;
use opentelemetry_sdk::trace::{Sampler, SdkTracerProvider};
use secrecy::SecretString;
use serde_json::Value;
use service::Binary;
use service::telemetry::JsonLayer;
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::SubscriberExt as _;
use uuid::Uuid;

/// Collects what is logged.
#[derive(Clone, Default)]
struct Collected(Arc<Mutex<Vec<u8>>>);

impl Write for Collected {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(bytes);
        Ok(bytes.len())
    }
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Collected {
    type Writer = Self;
    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

const INSTANCE: Uuid = Uuid::from_u128(7);

/// Runs `work` with a log of its own and gives its lines.
pub(crate) fn logged(work: impl FnOnce()) -> Vec<Value> {
    let collected = Collected::default();
    let tracer = SdkTracerProvider::builder().with_sampler(Sampler::AlwaysOff).build().tracer("test");
    let subscriber = tracing_subscriber::registry()
        .with(tracing_opentelemetry::layer().with_tracer(tracer))
        .with(JsonLayer::new(Binary::Ingress, INSTANCE, collected.clone()));
    tracing::subscriber::with_default(subscriber, work);
    let bytes = collected.0.lock().unwrap_or_else(PoisonError::into_inner).clone();
    let text = String::from_utf8(bytes).expect("UTF-8");
    text.lines().map(|line| serde_json::from_str(line).expect("one JSON object a line")).collect()
}

#[test]
fn a_line_says_when_where_who_and_what() {
    let lines = logged(|| tracing::warn!(target: "ingress::store", events = 3, "stored late"));
    assert_eq!(lines.len(), 1);
    let line = &lines[0];
    assert_eq!(line["level"], "WARN");
    assert_eq!(line["target"], "ingress::store");
    assert_eq!(line["service"], "ingress");
    assert_eq!(line["instance"], INSTANCE.to_string());
    assert_eq!(line["message"], "stored late");
    assert_eq!(line["fields"]["events"], 3);
    let time = line["time"].as_str().expect("a time");
    assert!(time.len() == 24 && time.ends_with('Z') && time.as_bytes()[19] == b'.', "{time}");
}

#[test]
fn a_line_inside_spans_carries_their_ids_and_one_trace_id() {
    let lines = logged(|| {
        let request = tracing::info_span!("http_request", request_id = "r-1", status = tracing::field::Empty);
        let _in_request = request.enter();
        request.record("status", 200);
        tracing::info!("outer");
        let _in_sync = tracing::info_span!("push", sync_id = "s-1").entered();
        tracing::info!("inner");
    });
    assert_eq!(lines[0]["span"], "http_request");
    assert_eq!(lines[1]["span"], "push");
    assert_eq!(lines[1]["context"], serde_json::json!({"request_id": "r-1", "status": 200, "sync_id": "s-1"}));
    let trace_id = lines[0]["trace_id"].as_str().expect("a trace id");
    assert_eq!(trace_id.len(), 32);
    assert_ne!(trace_id, "0".repeat(32));
    assert_eq!(lines[1]["trace_id"], trace_id);
}

#[test]
fn no_secret_is_in_the_log() {
    let secret = SecretString::from("hunter2");
    let lines = logged(|| {
        tracing::info!(?secret, "by its type");
        tracing::info!(
            api_key = "hunter2",
            Authorization = "Bearer hunter2",
            webhook_secret = "hunter2",
            "by its name"
        );
        let _span = tracing::info_span!("call", password = "hunter2").entered();
        tracing::info!("in a span");
    });
    assert_eq!(lines.len(), 3);
    assert!(!format!("{lines:?}").contains("hunter2"), "{lines:?}");
    assert_eq!(lines[1]["fields"]["api_key"], "[redacted]");
}

#[test]
fn an_error_is_written_with_its_causes() {
    let error = io::Error::other(io::Error::new(io::ErrorKind::NotFound, "no such file"));
    let lines = logged(|| tracing::error!(error = &error as &dyn std::error::Error, "failed"));
    assert_eq!(lines[0]["fields"]["error"], "no such file");
}

#[test]
fn a_line_break_in_a_value_does_not_make_a_second_line() {
    let lines = logged(|| tracing::info!(agent = "a\n{\"level\":\"ERROR\"}", "hello\nworld"));
    assert_eq!(lines.len(), 1);
    assert_eq!(lines[0]["message"], "hello\nworld");
}
