//! What every replica hears.

use events::traffic::{Party, Stream};
use events::{AnyEvent, ConfigChanged, Event, EventType};
use messaging::{Broker, Heard, fanout};
use testkit::TestBroker;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::support::{SOON, completed, hint, on, publish_stored};

struct Listener<M> {
    heard: mpsc::UnboundedReceiver<Heard<M>>,
    stop: CancellationToken,
    task: JoinHandle<()>,
}

impl<M: fanout::Audible + std::fmt::Debug> Listener<M> {
    /// Begins to listen, and waits until it does.
    async fn start(broker: &Broker) -> Self {
        let (sender, heard) = mpsc::unbounded_channel();
        let stop = CancellationToken::new();
        let on_heard = move |event| {
            // The test may be over.
            let _unheard = sender.send(event);
        };
        let task = tokio::spawn(fanout::run::<M, _>(broker.clone(), on_heard, stop.clone()));
        let mut listener = Self { heard, stop, task };
        assert!(matches!(listener.next().await, Heard::Gap));
        listener
    }

    async fn next(&mut self) -> Heard<M> {
        tokio::time::timeout(SOON, self.heard.recv()).await.expect("in time").expect("it runs")
    }

    async fn event(&mut self) -> M {
        match self.next().await {
            Heard::Event(received) => received.message,
            Heard::Gap => panic!("a gap"),
        }
    }

    async fn stopped(self) {
        self.stop.cancel();
        self.task.await.expect("it ends");
    }
}

fn config(version: i64) -> ConfigChanged {
    ConfigChanged { version, ..ConfigChanged::examples().remove(0) }
}

async fn say<T: EventType>(broker: &Broker, data: T) {
    let event = Event::now(Party::ConfigApi, data);
    publish_stored(broker, &event.data.subject(), event.to_json()).await;
}

#[tokio::test]
async fn every_replica_hears_each_fact_and_only_what_is_new() {
    let test = TestBroker::new().await;
    let broker = on(&test, Party::Ingress).await;
    broker.topology().ensure_stream(Stream::Control).await.expect("made");
    say(&broker, config(1)).await;
    let mut first = Listener::<Event<ConfigChanged>>::start(&broker).await;
    let mut second = Listener::<Event<ConfigChanged>>::start(&on(&test, Party::Ingress).await).await;
    say(&broker, config(2)).await;
    say(&broker, config(3)).await;
    for listener in [&mut first, &mut second] {
        assert_eq!(listener.event().await.data.version, 2);
        assert_eq!(listener.event().await.data.version, 3);
    }
    first.stopped().await;
    second.stopped().await;
}

#[tokio::test]
async fn the_admin_api_hears_facts_of_all_streams_and_no_hints() {
    let test = TestBroker::new().await;
    let broker = on(&test, Party::ConfigApi).await;
    let mut listener = Listener::<AnyEvent>::start(&broker).await;
    say(&broker, hint([1])).await;
    say(&broker, completed(2)).await;
    say(&broker, config(3)).await;
    say(&broker, events::WebhookApplied::examples().remove(0)).await;
    let mut kinds = vec![listener.event().await.kind(), listener.event().await.kind(), listener.event().await.kind()];
    kinds.sort_unstable();
    assert_eq!(
        kinds,
        ["upcoach.erp.config.changed.v1", "upcoach.erp.sync.completed.v1", "upcoach.erp.webhook.applied.v1"]
    );
    listener.stopped().await;
}

#[tokio::test]
async fn a_message_that_cannot_be_read_does_not_end_the_listening() {
    let test = TestBroker::new().await;
    let broker = on(&test, Party::Ingress).await;
    let mut listener = Listener::<Event<ConfigChanged>>::start(&broker).await;
    publish_stored(&broker, "config.changed", b"not an event".to_vec()).await;
    say(&broker, config(9)).await;
    assert_eq!(listener.event().await.data.version, 9);
    listener.stopped().await;
}

#[tokio::test]
async fn a_party_that_hears_nothing_of_a_kind_waits_for_its_stop() {
    let test = TestBroker::new().await;
    let broker = on(&test, Party::Erpctl).await;
    let stop = CancellationToken::new();
    let task = tokio::spawn(fanout::run(broker, |_: Heard<AnyEvent>| {}, stop.clone()));
    stop.cancel();
    tokio::time::timeout(SOON, task).await.expect("in time").expect("it ends");
}
