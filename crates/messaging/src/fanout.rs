//! Fan-out: facts that every replica hears, through an ephemeral consumer of its own, new ones only.
//!
//! There is no ack: what a replica misses while it is away is gone for it, and it is told so ([`Heard::Gap`]), so that it
//! can look at the rows. What goes through here only hurries: `config.changed` is also polled, and whoever waits for a fact
//! reads the row after subscribing.

use std::time::Duration;

use async_nats::jetstream::consumer::pull::{Config, MessagesError, MessagesErrorKind};
use async_nats::jetstream::consumer::{AckPolicy, DeliverPolicy, StreamError};
use events::traffic::{Party, Stream, TRAFFIC, Way};
use events::{AnyEvent, Decode, Event, EventType};
use futures::StreamExt as _;
use futures::stream::{SelectAll, select_all};
use service::metrics::Counter;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::backoff::{Backoff, pause};
use crate::consumer::Received;
use crate::topology::TopologyError;
use crate::{Broker, trace};

/// The server tells this often that it is there, while there is no message.
const HEARTBEAT: Duration = Duration::from_secs(5);
/// A request for messages is renewed after this time.
const REQUEST_EXPIRES: Duration = Duration::from_secs(30);
/// The server forgets a consumer that nobody has read from for this long.
const FORGOTTEN_AFTER: Duration = Duration::from_secs(60);

/// What can be heard by fan-out: one type of event, or all that the party hears.
pub trait Audible: Decode {
    /// The subjects that `party` hears it on, without prefix.
    fn subjects(party: Party) -> Vec<&'static str>;
}

fn heard_by(party: Party) -> impl Iterator<Item = &'static str> {
    TRAFFIC
        .iter()
        .filter(move |flow| flow.party == party && flow.way == Way::ConsumesAll)
        .map(|flow| flow.event.subjects())
}

impl<T: EventType> Audible for Event<T> {
    fn subjects(party: Party) -> Vec<&'static str> {
        heard_by(party).filter(|subjects| *subjects == T::SUBJECTS).collect()
    }
}

impl Audible for AnyEvent {
    fn subjects(party: Party) -> Vec<&'static str> {
        heard_by(party).collect()
    }
}

/// What comes out of a fan-out.
#[derive(Clone, Debug)]
pub enum Heard<M> {
    /// An event.
    Event(Received<M>),
    /// Listening has begun, for the first time or again: what was said before was not heard. Comes after the subscription
    /// is in place, so that whoever reads the rows now misses nothing.
    Gap,
}

/// Why listening could not begin.
#[derive(Debug, thiserror::Error)]
enum ListenError {
    #[error("a stream can't be made sure of")]
    Topology(#[from] TopologyError),
    #[error("a consumer can't be made")]
    Consumer(#[from] async_nats::jetstream::stream::ConsumerError),
    #[error("messages can't be asked for")]
    Stream(#[from] StreamError),
}

/// Listens until `stop` is cancelled, and calls `on_heard`, which must not block. A party that hears nothing of the kind by
/// the table of traffic hears nothing here either.
pub async fn run<M, F>(broker: Broker, mut on_heard: F, stop: CancellationToken)
where
    M: Audible,
    F: FnMut(Heard<M>) + Send,
{
    let subjects = M::subjects(broker.party());
    if subjects.is_empty() {
        tracing::error!(party = broker.party().name(), "nothing of this kind is to be heard by the table of traffic");
        return stop.cancelled().await;
    }
    let mut backoff = Backoff::default();
    loop {
        let session = listen(&broker, &subjects, &mut on_heard, &mut backoff);
        tokio::select! {
            biased;
            () = stop.cancelled() => return,
            ended = session => {
                let wait = backoff.next();
                Counter::ConsumerReopened.increment(&[("consumer", "fan-out")]);
                tracing::warn!(
                    error = ended.as_ref().err().map(|error| error as &dyn std::error::Error),
                    wait_ms = u64::try_from(wait.as_millis()).unwrap_or(u64::MAX),
                    stage = "fan-out",
                    "listening ended unasked; begun again"
                );
                tokio::select! {
                    () = stop.cancelled() => return,
                    () = pause(wait) => {}
                }
            }
        }
    }
}

/// Listens until the messages end or the connection changes.
async fn listen<M, F>(
    broker: &Broker,
    subjects: &[&str],
    on_heard: &mut F,
    backoff: &mut Backoff,
) -> Result<(), ListenError>
where
    M: Audible,
    F: FnMut(Heard<M>) + Send,
{
    let connection = broker.connected().await;
    let mut messages = open(broker, subjects).await?;
    backoff.reset();
    on_heard(Heard::Gap);
    loop {
        let next = tokio::select! {
            next = messages.next() => next,
            () = broker.disconnected(connection) => return Ok(()),
        };
        match next {
            Some(Ok(message)) => {
                if let Some(received) = decode(broker, &message) {
                    on_heard(Heard::Event(received));
                }
            }
            // Any failure leaves a gap: begin again rather than guess which.
            Some(Err(error)) => {
                tracing::debug!(error = &error as &dyn std::error::Error, "fan-out failed");
                return Ok(());
            }
            None => return Ok(()),
        }
    }
}

type Messages = futures::stream::BoxStream<'static, Result<async_nats::jetstream::Message, MessagesError>>;

/// A consumer per stream, for all its subjects.
async fn open(broker: &Broker, subjects: &[&str]) -> Result<SelectAll<Messages>, ListenError> {
    let mut all: Vec<Messages> = Vec::new();
    for stream in Stream::ALL {
        let subjects: Vec<_> = subjects
            .iter()
            .filter(|subject| Stream::of_subject(subject) == Some(stream))
            .map(|subject| broker.namespace().subject(subject))
            .collect();
        if subjects.is_empty() {
            continue;
        }
        broker.topology().ensure_stream(stream).await?;
        // One filter is part of the subject of the call that makes the consumer, so permissions can tell it; several are not.
        let (filter_subject, filter_subjects) = match <[String; 1]>::try_from(subjects) {
            Ok([one]) => (one, Vec::new()),
            Err(several) => (String::new(), several),
        };
        let config = Config {
            // A name of each session's own: the consumer of the session before may still be there.
            name: Some(format!("{}-{}", broker.party().name(), Uuid::new_v4().simple())),
            deliver_policy: DeliverPolicy::New,
            ack_policy: AckPolicy::None,
            inactive_threshold: FORGOTTEN_AFTER,
            memory_storage: true,
            num_replicas: 1,
            filter_subject,
            filter_subjects,
            ..Config::default()
        };
        let consumer = broker.jetstream().create_consumer_on_stream(config, broker.namespace().stream(stream)).await?;
        let messages = consumer.stream().expires(REQUEST_EXPIRES).heartbeat(HEARTBEAT).messages().await?;
        // The end of one stream ends the whole: a gap is a gap.
        let ended = futures::stream::once(async { Err(MessagesError::new(MessagesErrorKind::Other)) });
        all.push(messages.chain(ended).boxed());
    }
    Ok(select_all(all))
}

/// Reads a message; one that can't be read is logged and counted, and is lost for this replica only.
fn decode<M: Decode>(broker: &Broker, message: &async_nats::Message) -> Option<Received<M>> {
    let subject = broker.namespace().strip(&message.subject);
    match M::decode(&message.payload) {
        Ok(decoded) => Some(Received {
            message: decoded,
            subject: subject.to_owned(),
            deliveries: 1,
            traceparent: trace::of_headers(message.headers.as_ref()),
        }),
        Err(error) => {
            Counter::MessagesUnparseable.increment(&[("consumer", "fan-out")]);
            tracing::error!(
                subject,
                bytes = message.payload.len(),
                stage = "decode",
                error = &error as &dyn std::error::Error,
                "a message can't be read and is left out"
            );
            None
        }
    }
}
