//! Makes the streams and durable consumers that are missing, and mends those that differ from what is declared.
//!
//! Any number of replicas may do so at once: both calls are idempotent on the server. A process that dies half-way leaves a
//! stream without a consumer, which the next one makes.

use std::time::Duration;

use async_nats::jetstream::consumer::{AckPolicy, DeliverPolicy, FromConsumer as _, PullConsumer, pull};
use async_nats::jetstream::context::{CreateStreamError, CreateStreamErrorKind, GetStreamErrorKind};
use async_nats::jetstream::stream::{self, ConsumerErrorKind, DiscardPolicy, RetentionPolicy, StorageType};
use async_nats::jetstream::{self, ErrorCode};
use events::traffic::{Durable, Stream};
use service::metrics::Counter;

use super::Namespace;

/// How long messages are kept. Rows are truth, so a day is for those who were away, not for the record.
const MAX_AGE: Duration = Duration::from_secs(24 * 60 * 60);
/// How long the server remembers `Nats-Msg-Id`s: longer than a relay needs to come back after a crash.
const DUPLICATE_WINDOW: Duration = Duration::from_secs(2 * 60);
/// How long a message may be in hand. Claims are short; whoever takes longer sees it again.
const ACK_WAIT: Duration = Duration::from_secs(30);
/// Messages in hand of all replicas together.
const MAX_ACK_PENDING: i64 = 1_000;
/// A hint that failed this often is left to the timer.
const HINT_MAX_DELIVER: i64 = 5;
/// A fact is delivered until it is acked.
const UNLIMITED: i64 = -1;

/// Why a stream or consumer could not be looked at, made or mended.
#[derive(Debug, thiserror::Error)]
pub enum TopologyError {
    /// About a stream.
    #[error("stream {name}")]
    Stream {
        /// Its name.
        name: String,
        /// What the broker or the connection says.
        source: async_nats::Error,
    },
    /// About a consumer.
    #[error("consumer {name}")]
    Consumer {
        /// Its name.
        name: String,
        /// What the broker or the connection says.
        source: async_nats::Error,
    },
}

/// Streams and consumers on one broker.
#[derive(Clone)]
pub struct Topology {
    jetstream: jetstream::Context,
    namespace: Namespace,
}

impl Topology {
    /// What is declared, under a prefix.
    pub fn new(jetstream: jetstream::Context, namespace: Namespace) -> Self {
        Self { jetstream, namespace }
    }

    /// Makes everything: for deployment, where autoscalers look at consumers before any worker has run.
    ///
    /// # Errors
    /// The first that failed.
    pub async fn ensure_all(&self) -> Result<(), TopologyError> {
        for stream in Stream::ALL {
            self.ensure_stream(stream).await?;
        }
        for durable in Durable::ALL {
            self.ensure_durable(durable).await?;
        }
        Ok(())
    }

    /// Makes a stream, or mends what differs.
    ///
    /// # Errors
    /// The broker is out of reach, or refuses.
    pub async fn ensure_stream(&self, stream: Stream) -> Result<(), TopologyError> {
        let name = self.namespace.stream(stream);
        let error = |source: async_nats::Error| TopologyError::Stream { name: name.clone(), source };
        let found = match self.jetstream.get_stream(&name).await {
            Ok(found) => found,
            Err(missing) if is_stream_missing(&missing.kind()) => {
                match self.jetstream.create_stream(self.stream_config(stream, stream::Config::default())).await {
                    Ok(made) => {
                        Counter::TopologyRepaired.increment(&[("name", stream.name())]);
                        tracing::info!(stream = name, "stream made");
                        made
                    }
                    // Another replica of another version was faster.
                    Err(taken) if is_name_taken(&taken) => {
                        self.jetstream.get_stream(&name).await.map_err(|source| error(source.into()))?
                    }
                    Err(source) => return Err(error(source.into())),
                }
            }
            Err(source) => return Err(error(source.into())),
        };
        let current = &found.cached_info().config;
        let wanted = self.stream_config(stream, current.clone());
        if *current != wanted {
            self.jetstream.update_stream(wanted).await.map_err(|source| error(source.into()))?;
            tracing::info!(stream = name, "stream mended");
        }
        Ok(())
    }

    /// Makes a durable consumer and its stream, or mends what differs; gives the consumer.
    ///
    /// # Errors
    /// The broker is out of reach, or refuses.
    pub async fn ensure_durable(&self, durable: Durable) -> Result<PullConsumer, TopologyError> {
        self.ensure_stream(durable.stream()).await?;
        let name = durable.name();
        let stream = self.namespace.stream(durable.stream());
        let error = |source: async_nats::Error| TopologyError::Consumer { name: name.to_owned(), source };
        let current = match self.jetstream.get_consumer_from_stream::<pull::Config, _, _>(name, &stream).await {
            Ok(found) => {
                let current =
                    pull::Config::try_from_consumer_config(found.cached_info().config.clone()).map_err(error)?;
                if current == self.durable_config(durable, current.clone()) {
                    return Ok(found);
                }
                Some(current)
            }
            Err(missing) if is_consumer_missing(&missing.kind()) => None,
            Err(source) => return Err(error(source.into())),
        };
        let is_new = current.is_none();
        let wanted = self.durable_config(durable, current.unwrap_or_default());
        let consumer =
            self.jetstream.create_consumer_on_stream(wanted, &stream).await.map_err(|source| error(source.into()))?;
        if is_new {
            Counter::TopologyRepaired.increment(&[("name", name)]);
        }
        tracing::info!(stream, consumer = name, "consumer {}", if is_new { "made" } else { "mended" });
        Ok(consumer)
    }

    /// What is declared, over what is there: what nobody declares (replicas in a cluster) stays as it is.
    fn stream_config(&self, stream: Stream, current: stream::Config) -> stream::Config {
        stream::Config {
            name: self.namespace.stream(stream),
            subjects: stream.subjects().iter().map(|subject| self.namespace.subject(subject)).collect(),
            retention: RetentionPolicy::Limits,
            discard: DiscardPolicy::Old,
            storage: StorageType::File,
            max_age: MAX_AGE,
            max_bytes: self.max_bytes(stream),
            duplicate_window: DUPLICATE_WINDOW,
            ..current
        }
    }

    /// The server sets this much aside for each stream. Under a prefix, which is for tests, many share a broker.
    fn max_bytes(&self, stream: Stream) -> i64 {
        const MIB: i64 = 1024 * 1024;
        if !self.namespace.is_empty() {
            return 8 * MIB;
        }
        match stream {
            Stream::Sync => 512 * MIB,
            Stream::Webhook => 256 * MIB,
            Stream::Control => 128 * MIB,
        }
    }

    fn durable_config(&self, durable: Durable, current: pull::Config) -> pull::Config {
        let subjects: Vec<_> = durable.subjects().into_iter().map(|subject| self.namespace.subject(subject)).collect();
        // One filter is part of the subject of the call that makes the consumer, so permissions can tell it; several are not.
        let (filter_subject, filter_subjects) = match <[String; 1]>::try_from(subjects) {
            Ok([one]) => (one, Vec::new()),
            Err(several) => (String::new(), several),
        };
        let hints = durable.reads_hints();
        pull::Config {
            durable_name: Some(durable.name().to_owned()),
            // A hint from before this consumer was there names a row that the timer finds; a fact is not said again.
            deliver_policy: if hints { DeliverPolicy::New } else { DeliverPolicy::All },
            ack_policy: AckPolicy::Explicit,
            ack_wait: ACK_WAIT,
            max_ack_pending: MAX_ACK_PENDING,
            max_deliver: if hints { HINT_MAX_DELIVER } else { UNLIMITED },
            filter_subject,
            filter_subjects,
            ..current
        }
    }
}

fn is_stream_missing(kind: &GetStreamErrorKind) -> bool {
    matches!(kind, GetStreamErrorKind::JetStream(error) if error.error_code() == ErrorCode::STREAM_NOT_FOUND)
}

fn is_name_taken(error: &CreateStreamError) -> bool {
    matches!(error.kind(), CreateStreamErrorKind::JetStream(error) if error.error_code() == ErrorCode::STREAM_NAME_EXIST)
}

fn is_consumer_missing(kind: &ConsumerErrorKind) -> bool {
    matches!(kind, ConsumerErrorKind::JetStream(error) if error.error_code() == ErrorCode::CONSUMER_NOT_FOUND)
}
