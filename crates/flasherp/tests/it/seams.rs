//! What surrounds a call: the gate before it, the limit, the observer after it, the trace through it.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use domain::{EntityType, ErrorCode, SyncId};
use flasherp::{Aftermath, CallError, Client, Gate, Observation, Observer, Operation, Refusal, Subject};
use futures::future::{BoxFuture, join_all, ready};
use opentelemetry::trace::{TraceContextExt, TracerProvider};
use opentelemetry_sdk::{propagation::TraceContextPropagator, trace::SdkTracerProvider};
use tracing::Instrument;
use tracing_opentelemetry::OpenTelemetrySpanExt;
use tracing_subscriber::layer::SubscriberExt;

use crate::support::*;

#[derive(Default)]
struct Notes {
    refusal: Option<Refusal>,
    takes_over: bool,
    entered: Mutex<Vec<Subject>>,
    left: Mutex<Vec<Option<ErrorCode>>>,
    observed: Mutex<Vec<Observation>>,
}

impl Gate for Notes {
    fn enter(&self, subject: Subject) -> BoxFuture<'_, Result<(), Refusal>> {
        self.entered.lock().expect("nobody panics with it").push(subject);
        Box::pin(ready(self.refusal.clone().map_or(Ok(()), Err)))
    }

    fn leave<'a>(&'a self, _: Subject, failure: Option<&'a CallError>) -> BoxFuture<'a, Aftermath> {
        self.left.lock().expect("nobody panics with it").push(failure.map(|failure| failure.code));
        Box::pin(ready(if self.takes_over { Aftermath::HandedBack } else { Aftermath::Stands }))
    }
}

impl Observer for Notes {
    fn observed(&self, observation: &Observation) {
        self.observed.lock().expect("nobody panics with it").push(*observation);
    }
}

fn watched(url: &str, notes: &Arc<Notes>) -> Client {
    Client::with(options(url), Arc::clone(notes) as Arc<dyn Gate>, Some(Arc::clone(notes) as Arc<dyn Observer>))
        .expect("a client")
}

fn last(notes: &Notes) -> Observation {
    *notes.observed.lock().expect("nobody panics with it").last().expect("one was told")
}

#[tokio::test]
async fn a_closed_gate_hands_the_call_back_unsent() {
    let server = always(json(201, RECORD)).await;
    let refusal = Refusal {
        code: ErrorCode::ServiceUnavailable,
        message: "the breaker is open".to_owned(),
        retry_after: Some(Duration::from_secs(60)),
    };
    let notes = Arc::new(Notes { refusal: Some(refusal), ..Notes::default() });
    let client = watched(&server.uri(), &notes);
    let call = call().for_sync(SyncId(REQUEST), std::time::Instant::now() + Duration::from_secs(600));
    let error = client.create(&call, EntityType::Transaction, body(), &key(true)).await.expect_err("closed");
    assert!(error.handed_back && error.definite && !error.sent && !error.counts_for_breaker());
    assert_eq!(error.failure().retry_after, Some(Duration::from_secs(60)));
    assert_eq!(requests(&server).await, 0);
    let asked =
        Subject { operation: Operation::Create, entity: Some(EntityType::Transaction), sync_id: Some(SyncId(REQUEST)) };
    assert_eq!(*notes.entered.lock().expect("nobody panics with it"), [asked]);
    assert!(notes.left.lock().expect("nobody panics with it").is_empty());
    assert_eq!((last(&notes).tries, last(&notes).failure), (0, Some(ErrorCode::ServiceUnavailable)));
}

#[tokio::test]
async fn a_failure_that_the_gate_takes_over_costs_no_retry_but_an_unknown_one_stays_unknown() {
    let notes = Arc::new(Notes { takes_over: true, ..Notes::default() });
    let definite = always(own_error(429, "RATE_LIMIT_EXCEEDED")).await;
    let create = async |url: &str| {
        let created = watched(url, &notes).create(&call(), EntityType::Transaction, body(), &key(false)).await;
        created.expect_err("it must fail")
    };
    assert!(create(&definite.uri()).await.handed_back);
    let unknown = always(html(502)).await;
    let error = create(&unknown.uri()).await;
    assert!(!error.handed_back && !error.definite);
}

#[tokio::test]
async fn every_call_is_told_to_the_observer_once_with_its_tries() {
    let notes = Arc::new(Notes::default());
    let server = in_turn([html(502), html(502), json(200, r#"{"status":"ok"}"#)]).await;
    watched(&server.uri(), &notes).health(&call()).await.expect("healthy");
    let told = last(&notes);
    assert_eq!((told.subject.operation, told.tries, told.failure), (Operation::Health, 3, None));
    assert_eq!(*notes.left.lock().expect("nobody panics with it"), [None]);

    let server = always(own_error(400, "VALIDATION_ERROR")).await;
    let refused = watched(&server.uri(), &notes).report(&call(), body(), &key(false)).await;
    refused.expect_err("it must fail");
    let told = last(&notes);
    assert_eq!((told.tries, told.failure, told.http_status), (1, Some(ErrorCode::ValidationError), Some(400)));
    assert_eq!(notes.observed.lock().expect("nobody panics with it").len(), 2);
}

#[tokio::test]
async fn no_more_calls_than_the_limit_are_in_flight() {
    let server = BareServer::start(Trouble::Silence).await;
    let mut options = options(&server.url());
    options.in_flight = 2;
    options.timeout = Duration::from_secs(30);
    let client = Client::new(options).expect("a client");
    let call = call().once();
    let calls = join_all((0..6).map(|_| client.health(&call)));
    let heard_three = async {
        while server.heard().len() < 3 {
            tokio::task::yield_now().await;
        }
    };
    let raised = async {
        while server.heard().len() < 2 {
            tokio::task::yield_now().await;
        }
        assert_eq!(server.heard().len(), 2);
        client.limiter().set_limit(3);
        heard_three.await;
    };
    tokio::select! {
        _ = calls => panic!("nobody answers"),
        () = raised => assert_eq!(server.heard().len(), 3),
        () = tokio::time::sleep(Duration::from_secs(20)) => panic!("heard {}", server.heard().len()),
    }
}

#[tokio::test]
async fn the_trace_goes_along_with_every_try() {
    opentelemetry::global::set_text_map_propagator(TraceContextPropagator::new());
    let provider = SdkTracerProvider::builder().build();
    let subscriber =
        tracing_subscriber::registry().with(tracing_opentelemetry::layer().with_tracer(provider.tracer("test")));
    let _guard = tracing::subscriber::set_default(subscriber);

    let server = in_turn([html(502), json(200, r#"{"status":"ok"}"#)]).await;
    let span = tracing::info_span!("sync");
    let trace_id = span.context().span().span_context().trace_id().to_string();
    client(&server.uri()).health(&call()).instrument(span).await.expect("healthy");

    let received = server.received_requests().await.expect("requests are recorded");
    assert_eq!(received.len(), 2);
    for request in &received {
        let parent = request.headers["traceparent"].to_str().expect("ASCII");
        assert!(parent.starts_with(&format!("00-{trace_id}-")), "{parent}");
    }
    assert_ne!(received[0].headers["traceparent"], received[1].headers["traceparent"], "each try is a span of its own");
}
