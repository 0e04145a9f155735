//! Connections, and questions to the broker.

use std::time::Duration;

use async_nats::jetstream::consumer::{Info, PullConsumer};
use async_nats::{Client, Subscriber};
use events::traffic::{Durable, Party, Stream};
use events::{Event, EventType, SyncCompleted, SyncRequested};
use messaging::{Broker, BrokerOptions, Namespace};
use testkit::TestBroker;
use uuid::Uuid;

/// For what must come true at once, on a machine that may be busy.
pub(crate) const SOON: Duration = Duration::from_secs(60);

/// A connection that is being made.
pub(crate) async fn connecting(url: &str, prefix: &str, party: Party) -> Broker {
    let namespace: Namespace = prefix.parse().expect("a prefix");
    let options = BrokerOptions { url: url.to_owned().into(), party, namespace };
    Broker::connect(options).await.expect("the address is one")
}

/// A connection that is there.
pub(crate) async fn connected(url: &str, prefix: &str, party: Party) -> Broker {
    let broker = connecting(url, prefix, party).await;
    let mut state = broker.state();
    tokio::time::timeout(SOON, state.wait_for(|state| state.connected))
        .await
        .expect("in time")
        .expect("the client lives");
    broker
}

/// A connection under a prefix of the test's own.
pub(crate) async fn on(test: &TestBroker, party: Party) -> Broker {
    connected(test.url(), test.prefix(), party).await
}

/// Waits until the server has done everything that this connection asked before, subscriptions included: a flush only hands
/// it to the socket.
pub(crate) async fn round_trip(client: &Client) {
    async_nats::jetstream::new(client.clone()).query_account().await.expect("answered");
}

/// Hears everything that is published on a subject (without prefix) from now on, repeats included.
pub(crate) async fn listen(broker: &Broker, subject: &str) -> Subscriber {
    let subscriber = broker.client().subscribe(broker.namespace().subject(subject)).await.expect("subscribed");
    round_trip(broker.client()).await;
    subscriber
}

/// What the broker says of a durable consumer.
pub(crate) async fn durable_info(broker: &Broker, durable: Durable) -> Info {
    let stream = broker.namespace().stream(durable.stream());
    let mut consumer: PullConsumer =
        broker.jetstream().get_consumer_from_stream(durable.name(), stream).await.expect("the consumer is there");
    consumer.info().await.expect("it can be asked").clone()
}

/// How many messages a stream holds.
pub(crate) async fn messages_in(broker: &Broker, stream: Stream) -> u64 {
    let stream = broker.jetstream().get_stream(broker.namespace().stream(stream)).await.expect("the stream is there");
    stream.cached_info().state.messages
}

/// Publishes and waits until the stream has it.
pub(crate) async fn publish_stored(broker: &Broker, subject: &str, body: Vec<u8>) {
    let subject = broker.namespace().subject(subject);
    let ack = broker.jetstream().publish(subject, body.into()).await.expect("published");
    ack.await.expect("stored");
}

/// A hint for one id, stored.
pub(crate) async fn store_hint(broker: &Broker, id: u128) {
    let hint = hint([id]);
    let subject = hint.subject();
    publish_stored(broker, &subject, Event::now(Party::Ingress, hint).to_json()).await;
}

pub(crate) fn hint(ids: impl IntoIterator<Item = u128>) -> SyncRequested {
    SyncRequested { entity_type: domain::EntityType::Transaction, ids: ids.into_iter().map(Uuid::from_u128).collect() }
}

/// A fact about the sync of that number.
pub(crate) fn completed(sync: u128) -> SyncCompleted {
    SyncCompleted { sync_id: Uuid::from_u128(sync).into(), ..SyncCompleted::examples().remove(0) }
}
