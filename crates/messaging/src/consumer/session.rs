//! One opening of a durable consumer: from making sure that it is there to the moment it can't be read any more.

use std::sync::Arc;
use std::time::{Duration, Instant};

use async_nats::jetstream::consumer::StreamError;
use async_nats::jetstream::consumer::pull::{MessagesError, Stream};
use events::traffic::Durable;
use futures::{FutureExt as _, StreamExt as _};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::batch::{Batch, give_back};
use super::{ConsumerOptions, Handler};
use crate::topology::TopologyError;
use crate::{Broker, BrokerState};

/// The server tells this often that it is there, while there is no message.
const HEARTBEAT: Duration = Duration::from_secs(5);
/// A request for messages is renewed after this time.
const REQUEST_EXPIRES: Duration = Duration::from_secs(30);

/// Why a session could not begin.
#[derive(Debug, thiserror::Error)]
pub(super) enum OpenError {
    #[error("the stream or consumer can't be made sure of")]
    Topology(#[from] TopologyError),
    #[error("messages can't be asked for")]
    Stream(#[from] StreamError),
}

/// Why a session is over.
pub(super) enum Reason {
    /// It was asked to stop.
    Stopped,
    /// It never began.
    NotOpened(OpenError),
    /// The stream of messages ended unasked.
    Ended,
    /// The stream of messages failed: missed heartbeats, a deleted consumer, a broker that doesn't know it.
    Failed(MessagesError),
    /// The connection is another one, or gone: what was asked for on it may never come.
    Reconnected,
}

impl Reason {
    pub(super) fn log(&self, durable: Durable, wait: Duration) {
        let (consumer, wait_ms) = (durable.name(), u64::try_from(wait.as_millis()).unwrap_or(u64::MAX));
        match self {
            Self::Stopped => {}
            Self::NotOpened(error) => {
                tracing::warn!(
                    consumer,
                    wait_ms,
                    stage = "open",
                    error = error as &dyn std::error::Error,
                    "consumer not opened"
                );
            }
            Self::Ended => tracing::warn!(consumer, wait_ms, stage = "read", "consumer ended unasked; opened again"),
            Self::Failed(error) => {
                tracing::warn!(
                    consumer,
                    wait_ms,
                    stage = "read",
                    error = error as &dyn std::error::Error,
                    "consumer failed; opened again"
                );
            }
            Self::Reconnected => {
                tracing::info!(consumer, wait_ms, stage = "read", "broker connection changed; consumer opened again")
            }
        }
    }
}

/// A session that lasted this long was one, even if nothing was said.
const USEFUL_AFTER: Duration = Duration::from_secs(30);

/// How a session went.
pub(super) struct Ended {
    pub(super) reason: Reason,
    /// Whether it worked, so that the next failure is a first one.
    pub(super) was_useful: bool,
}

/// A stream of messages and the connection it was opened on.
pub(super) struct Opened {
    messages: Stream,
    connection: BrokerState,
}

pub(super) struct Session<'a> {
    pub(super) broker: &'a Broker,
    pub(super) durable: Durable,
    pub(super) options: ConsumerOptions,
    pub(super) permits: &'a Arc<Semaphore>,
    pub(super) tasks: &'a TaskTracker,
}

impl Session<'_> {
    /// Waits for a connection, makes sure of stream and consumer, and asks for messages.
    pub(super) async fn open(&self) -> Result<Opened, OpenError> {
        let connection = self.broker.connected().await;
        let consumer = self.broker.topology().ensure_durable(self.durable).await?;
        let messages = consumer
            .stream()
            .max_messages_per_batch(self.options.max_batch.max(1))
            .expires(REQUEST_EXPIRES)
            .heartbeat(HEARTBEAT)
            .messages()
            .await?;
        tracing::debug!(consumer = self.durable.name(), "consumer opened");
        Ok(Opened { messages, connection })
    }

    /// Hands batches to the handler until the session is over.
    pub(super) async fn read<H: Handler>(&self, opened: Opened, handler: &Arc<H>, stop: &CancellationToken) -> Ended {
        let Opened { mut messages, connection } = opened;
        let opened_at = Instant::now();
        let mut was_useful = false;
        let reason = loop {
            // First the right to handle, then the message: what nobody can handle yet stays with the broker.
            let permit = tokio::select! {
                biased;
                () = stop.cancelled() => break Reason::Stopped,
                permit = Arc::clone(self.permits).acquire_owned() => {
                    permit.expect("the semaphore is never closed")
                }
            };
            let first = tokio::select! {
                biased;
                () = stop.cancelled() => break Reason::Stopped,
                next = messages.next() => match next {
                    Some(Ok(message)) => message,
                    Some(Err(error)) => break Reason::Failed(error),
                    None => break Reason::Ended,
                },
                () = self.broker.disconnected(connection) => break Reason::Reconnected,
            };
            was_useful = true;
            let mut taken = vec![first];
            let failed = loop {
                if taken.len() >= self.options.max_batch {
                    break None;
                }
                match messages.next().now_or_never() {
                    Some(Some(Ok(message))) => taken.push(message),
                    Some(Some(Err(error))) => break Some(Reason::Failed(error)),
                    Some(None) => break Some(Reason::Ended),
                    None => break None,
                }
            };
            let batch = Batch::decode(self.durable, self.broker.namespace(), taken).await;
            if let Some(batch) = batch {
                let handler = Arc::clone(handler);
                self.tasks.spawn(async move {
                    batch.handle(&*handler).await;
                    drop(permit);
                });
            }
            if let Some(reason) = failed {
                break reason;
            }
        };
        while let Some(Some(Ok(message))) = messages.next().now_or_never() {
            give_back(message).await;
        }
        Ended { reason, was_useful: was_useful || opened_at.elapsed() >= USEFUL_AFTER }
    }
}
