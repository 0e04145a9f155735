//! A trace goes on from the publisher's span to the consumer's, directly and through the outbox.

use std::sync::{Arc, Once};

use events::traffic::{Durable, Party};
use events::{AnyEvent, Event, SyncRequested};
use messaging::consumer::{self, ConsumerOptions, Disposition, Dispositions, Handler, Received};
use messaging::{Heard, Outbox, PendingFact, Relay, fanout};
use opentelemetry::trace::TracerProvider as _;
use opentelemetry_sdk::propagation::TraceContextPropagator;
use opentelemetry_sdk::trace::SdkTracerProvider;
use service::telemetry::propagation::current_trace_id;
use testkit::{TestBroker, TestDatabase};
use tokio::sync::{Notify, mpsc};
use tokio_util::sync::CancellationToken;
use tracing_subscriber::layer::SubscriberExt as _;

use crate::support::{SOON, completed, hint, on};

/// Traces for this process.
fn init() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        opentelemetry::global::set_text_map_propagator(TraceContextPropagator::new());
        let tracer = SdkTracerProvider::builder().build().tracer("test");
        let subscriber = tracing_subscriber::registry().with(tracing_opentelemetry::layer().with_tracer(tracer));
        tracing::subscriber::set_global_default(subscriber).expect("nobody else sets one");
    });
}

/// Tells the trace id that it runs under.
struct TraceTeller(mpsc::UnboundedSender<Option<String>>);

impl Handler for TraceTeller {
    type Message = Event<SyncRequested>;

    async fn handle(&self, _batch: Vec<Received<Self::Message>>) -> Dispositions {
        // The test may be over.
        let _unheard = self.0.send(current_trace_id());
        Dispositions::all(Disposition::Ack)
    }
}

#[tokio::test]
async fn a_hint_carries_the_trace_to_its_handler() {
    init();
    let test = TestBroker::new().await;
    let broker = on(&test, Party::SyncWorker).await;
    broker.topology().ensure_durable(Durable::SyncWorkerOutbound).await.expect("made");
    let (sender, mut told) = mpsc::unbounded_channel();
    let stop = CancellationToken::new();
    let task = tokio::spawn(consumer::run(
        broker.clone(),
        Durable::SyncWorkerOutbound,
        ConsumerOptions::default(),
        Arc::new(TraceTeller(sender)),
        stop.clone(),
    ));
    let published = tracing::info_span!("publish").in_scope(|| {
        broker.hints().publish(hint([1]));
        current_trace_id()
    });
    assert!(published.is_some());
    assert_eq!(tokio::time::timeout(SOON, told.recv()).await.expect("in time").expect("told"), published);
    stop.cancel();
    task.await.expect("it ends");
}

#[tokio::test]
async fn a_fact_carries_the_trace_through_the_outbox() {
    init();
    let (test, database) = (TestBroker::new().await, TestDatabase::new().await);
    let outbox = Outbox::new("sync", Party::SyncWorker);
    let (broker, pool) = (on(&test, Party::SyncWorker).await, database.pool("erp_sync_worker").await);
    let listener = on(&test, Party::ConfigApi).await;
    let (sender, mut heard) = mpsc::unbounded_channel();
    let stop = CancellationToken::new();
    let on_heard = move |event: Heard<AnyEvent>| {
        // The test may be over.
        let _unheard = sender.send(event);
    };
    let listening = tokio::spawn(fanout::run(listener, on_heard, stop.clone()));
    assert!(matches!(tokio::time::timeout(SOON, heard.recv()).await.expect("in time"), Some(Heard::Gap)));

    let (fact, trace_id): (PendingFact, _) =
        tracing::info_span!("finish").in_scope(|| (outbox.fact(completed(1)), current_trace_id().expect("a trace")));
    let mut transaction = pool.begin().await.expect("begun");
    outbox.insert(&mut transaction, &[fact]).await.expect("inserted");
    transaction.commit().await.expect("committed");
    let relay = Relay::new(outbox, pool.clone(), broker, Arc::new(Notify::new()));
    let relaying = tokio::spawn(relay.run(stop.clone()));
    let Some(Heard::Event(received)) = tokio::time::timeout(SOON, heard.recv()).await.expect("in time") else {
        panic!("a gap")
    };
    let traceparent = received.traceparent.expect("a trace context");
    assert!(traceparent.contains(&trace_id), "{traceparent} {trace_id}");
    stop.cancel();
    listening.await.expect("it ends");
    relaying.await.expect("it ends");
}
