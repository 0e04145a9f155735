//! A supervised loop around a durable consumer: replicas of a worker role share its messages.
//!
//! The handler says what is to be done with each message; only the loop acks, after the handler has returned. So a process
//! that dies half-way leaves its messages unacked, and another replica gets them after the ack wait: a handler sees a
//! message at least once.
//!
//! The loop survives everything but its cancellation: a broker that is away or comes back empty, a stream or consumer that
//! was deleted (both are made again), missed heartbeats, a stream that ends unasked, a handler that panics.

mod batch;
mod session;

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use events::Decode;
use events::traffic::Durable;
use service::metrics::Counter;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::Broker;
use crate::backoff::{Backoff, pause};

/// How much is taken at a time.
#[derive(Clone, Copy, Debug)]
pub struct ConsumerOptions {
    /// Messages handed to one call of the handler, at most; as many as are at hand, without waiting for more.
    pub max_batch: usize,
    /// Calls of the handler at the same time.
    pub max_in_flight: usize,
}

impl Default for ConsumerOptions {
    fn default() -> Self {
        Self { max_batch: 64, max_in_flight: 4 }
    }
}

/// A message that could be read.
#[derive(Clone, Debug)]
pub struct Received<M> {
    /// What it says.
    pub message: M,
    /// The subject it came on, without prefix.
    pub subject: String,
    /// How often it has been delivered, this time included.
    pub deliveries: u64,
    /// The publisher's trace context. The span that a handler runs in has it as its parent already.
    pub traceparent: Option<String>,
}

/// What is to be done with a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Disposition {
    /// Done with.
    Ack,
    /// Deliver it again, not before the given time is over.
    Retry {
        /// How long to wait.
        after: Duration,
    },
    /// Never deliver it again, although it was not handled.
    Terminate,
}

/// What is to be done with the messages of a batch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dispositions(Verdict);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Verdict {
    All(Disposition),
    Each(Vec<Disposition>),
}

impl Dispositions {
    /// The same for all.
    pub fn all(disposition: Disposition) -> Self {
        Self(Verdict::All(disposition))
    }

    /// One for each, in the order of the batch. A message without one is retried.
    pub fn each(dispositions: Vec<Disposition>) -> Self {
        Self(Verdict::Each(dispositions))
    }

    fn of(&self, index: usize) -> Disposition {
        match &self.0 {
            Verdict::All(disposition) => *disposition,
            Verdict::Each(each) => each.get(index).copied().unwrap_or(AFTER_A_FAULT),
        }
    }
}

/// What happens to messages whose handler panicked or forgot them.
const AFTER_A_FAULT: Disposition = Disposition::Retry { after: Duration::from_secs(1) };

/// What to do with messages.
pub trait Handler: Send + Sync + 'static {
    /// What is read from them: `Event<SyncRequested>`, or [`events::AnyEvent`] where several types come.
    type Message: Decode;

    /// Handles a batch, in a span that continues the publisher's trace; says what is to be done with its messages.
    fn handle(&self, batch: Vec<Received<Self::Message>>) -> impl Future<Output = Dispositions> + Send;
}

/// Runs the loop until `stop` is cancelled: then nothing more is taken, what is in hand is finished, and messages that no
/// handler has seen are given back at once.
pub async fn run<H: Handler>(
    broker: Broker,
    durable: Durable,
    options: ConsumerOptions,
    handler: Arc<H>,
    stop: CancellationToken,
) {
    let permits = Arc::new(Semaphore::new(options.max_in_flight.max(1)));
    let tasks = TaskTracker::new();
    let mut backoff = Backoff::default();
    loop {
        let session = session::Session { broker: &broker, durable, options, permits: &permits, tasks: &tasks };
        let ended = tokio::select! {
            biased;
            () = stop.cancelled() => break,
            opened = session.open() => match opened {
                Ok(stream) => {
                    let ended = session.read(stream, &handler, &stop).await;
                    if ended.was_useful {
                        backoff.reset();
                    }
                    ended.reason
                }
                Err(error) => session::Reason::NotOpened(error),
            },
        };
        if matches!(ended, session::Reason::Stopped) {
            break;
        }
        Counter::ConsumerReopened.increment(&[("consumer", durable.name())]);
        let wait = backoff.next();
        ended.log(durable, wait);
        tokio::select! {
            () = stop.cancelled() => break,
            () = pause(wait) => {}
        }
    }
    tasks.close();
    tasks.wait().await;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_that_the_handler_forgot_is_retried() {
        let dispositions = Dispositions::each(vec![Disposition::Ack, Disposition::Terminate]);
        assert_eq!(dispositions.of(1), Disposition::Terminate);
        assert_eq!(dispositions.of(2), AFTER_A_FAULT);
        assert_eq!(Dispositions::all(Disposition::Ack).of(7), Disposition::Ack);
    }
}
