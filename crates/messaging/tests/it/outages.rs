//! Consumers when the broker goes away, comes back, or comes back empty.

use events::traffic::{Durable, Party, Stream};
use events::{AnyEvent, Event, EventType};
use messaging::{Broker, Heard, fanout};
use testkit::{PrivateBroker, TestBroker, eventually};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::recorder::{Recording, ids_of, record_acked};
use crate::support::{SOON, completed, connected, connecting, durable_info, hint, on, publish_stored, store_hint};

/// Publishes hints until one is handled: those before the consumer is there again may be lost, which hints may.
async fn hints_arrive_again(sender: &Broker, recording: &mut Recording, id: u128) {
    let mut seen = Vec::new();
    eventually(SOON, "a hint is handled", || {
        sender.hints().publish(hint([id]));
        while let Ok(batch) = recording.batches.try_recv() {
            seen.extend(batch.iter().flat_map(ids_of));
        }
        let arrived = seen.contains(&id);
        async move { arrived }
    })
    .await;
}

#[tokio::test]
async fn a_consumer_goes_on_after_the_broker_was_killed_and_restarted() {
    let mut private = PrivateBroker::start().await;
    let broker = connected(&private.url_for("admin"), "", Party::SyncWorker).await;
    let mut recording = record_acked(&broker);
    hints_arrive_again(&broker, &mut recording, 1).await;
    private.nats.kill().await.expect("killed");
    eventually(SOON, "the broker is missed", || async { !broker.is_connected() }).await;
    private.nats.restart().await.expect("restarted");
    hints_arrive_again(&broker, &mut recording, 2).await;
    recording.stopped().await;
}

#[tokio::test]
async fn a_consumer_recovers_when_the_brokers_storage_was_deleted_while_it_was_stopped() {
    let mut private = PrivateBroker::start().await;
    let broker = connected(&private.url_for("admin"), "", Party::SyncWorker).await;
    let mut recording = record_acked(&broker);
    hints_arrive_again(&broker, &mut recording, 1).await;
    private.nats.stop().await.expect("stopped");
    private.nats.delete_storage().expect("deleted");
    private.nats.restart().await.expect("restarted");
    hints_arrive_again(&broker, &mut recording, 2).await;
    let info = durable_info(&broker, Durable::SyncWorkerOutbound).await;
    assert_eq!(info.config.filter_subject, "sync.requested.*");
    recording.stopped().await;
}

#[tokio::test]
async fn a_consumer_that_was_deleted_and_a_stream_that_was_deleted_are_made_again() {
    let test = TestBroker::new().await;
    let broker = on(&test, Party::SyncWorker).await;
    let mut recording = record_acked(&broker);
    hints_arrive_again(&broker, &mut recording, 1).await;
    let stream = broker.namespace().stream(Stream::Sync);
    let durable = Durable::SyncWorkerOutbound.name();
    broker.jetstream().delete_consumer_from_stream(durable, &stream).await.expect("deleted");
    hints_arrive_again(&broker, &mut recording, 2).await;
    broker.jetstream().delete_stream(&stream).await.expect("deleted");
    hints_arrive_again(&broker, &mut recording, 3).await;
    recording.stopped().await;
}

#[tokio::test]
async fn a_service_starts_with_the_broker_down_and_works_when_it_comes() {
    let mut private = PrivateBroker::start().await;
    private.nats.stop().await.expect("stopped");
    let broker = connecting(&private.url_for("admin"), "", Party::SyncWorker).await;
    assert!(!broker.is_connected());
    let mut recording = record_acked(&broker);
    private.nats.restart().await.expect("restarted");
    hints_arrive_again(&broker, &mut recording, 1).await;
    assert_eq!(broker.state().borrow().connections, 1);
    recording.stopped().await;
}

#[tokio::test]
async fn a_consumer_stops_while_the_broker_is_down() {
    let mut private = PrivateBroker::start().await;
    let broker = connected(&private.url_for("admin"), "", Party::SyncWorker).await;
    let mut recording = record_acked(&broker);
    hints_arrive_again(&broker, &mut recording, 1).await;
    private.nats.stop().await.expect("stopped");
    recording.stopped().await;
    broker.close().await;
}

#[tokio::test]
async fn a_replica_is_told_of_the_gap_when_the_broker_came_back_empty_and_hears_again() {
    let mut private = PrivateBroker::start().await;
    let broker = connected(&private.url_for("admin"), "", Party::ConfigApi).await;
    let (heard, mut hears) = mpsc::unbounded_channel();
    let stop = CancellationToken::new();
    let task = tokio::spawn(fanout::run(
        broker.clone(),
        move |event: Heard<AnyEvent>| {
            // The test may be over.
            let _unheard = heard.send(event);
        },
        stop.clone(),
    ));
    let mut next = async || tokio::time::timeout(SOON, hears.recv()).await.expect("in time").expect("it runs");
    assert!(matches!(next().await, Heard::Gap));
    private.nats.stop().await.expect("stopped");
    private.nats.delete_storage().expect("deleted");
    private.nats.restart().await.expect("restarted");
    assert!(matches!(next().await, Heard::Gap));
    let fact = Event::now(Party::SyncWorker, completed(5));
    publish_stored(&broker, &fact.data.subject(), fact.to_json()).await;
    assert!(matches!(next().await, Heard::Event(received) if received.message == AnyEvent::from(fact)));
    stop.cancel();
    task.await.expect("it ends");
}

#[tokio::test]
async fn hints_from_before_a_durable_was_there_are_left_to_the_timer() {
    let test = TestBroker::new().await;
    let broker = on(&test, Party::SyncWorker).await;
    broker.topology().ensure_stream(Stream::Sync).await.expect("made");
    store_hint(&broker, 1).await;
    broker.topology().ensure_durable(Durable::SyncWorkerOutbound).await.expect("made");
    store_hint(&broker, 2).await;
    let mut recording = record_acked(&broker);
    assert_eq!(ids_of(&recording.hint().await), [2]);
    recording.stopped().await;
}
