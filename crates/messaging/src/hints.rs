//! Hints: published right after a commit, never waited for, allowed to be lost.
//!
//! [`Hints::publish`] never blocks and never fails: while the broker is away, or more hints come than it takes, they are
//! dropped and counted, and the consumers' timers find the rows. Hints in the buffer die with the process.

use std::sync::Arc;

use async_nats::{Client, HeaderMap};
use bytes::Bytes;
use events::traffic::Party;
use events::{Event, Hint};
use service::metrics::Counter;
use tokio::sync::{mpsc, oneshot, watch};

use crate::topology::Namespace;
use crate::{BrokerState, trace};

/// Ids in one message: 40 kB of JSON.
pub const MAX_IDS: usize = 1_000;
/// Messages that wait for the broker to take them.
const BUFFER: usize = 1_024;

/// A hint on its way, or a question.
enum Outgoing {
    Hint {
        kind: &'static str,
        subject: String,
        headers: HeaderMap,
        body: Bytes,
    },
    /// Answered when everything before it has been handed to the client or dropped.
    Flush(oneshot::Sender<()>),
}

/// Publishes hints. Clones share one buffer.
#[derive(Clone, Debug)]
pub struct Hints {
    outgoing: mpsc::Sender<Outgoing>,
    namespace: Arc<Namespace>,
    party: Party,
}

impl std::fmt::Debug for Outgoing {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Hint { kind, .. } => formatter.write_str(kind),
            Self::Flush(_) => formatter.write_str("flush"),
        }
    }
}

impl Hints {
    /// Starts the task that hands hints to the client; it ends when the last clone is gone.
    pub(crate) fn start(
        client: Client,
        state: watch::Receiver<BrokerState>,
        namespace: Namespace,
        party: Party,
    ) -> Self {
        let (outgoing, incoming) = mpsc::channel(BUFFER);
        tokio::spawn(send(client, state, incoming));
        Self { outgoing, namespace: Arc::new(namespace), party }
    }

    /// Publishes a hint, in pieces of at most [`MAX_IDS`] ids, as a child of the current span. Call it after the commit.
    pub fn publish<H: Hint>(&self, hint: H) {
        let traceparent = trace::current_traceparent();
        for piece in hint.split(MAX_IDS) {
            let subject = self.namespace.subject(&piece.subject());
            let event = Event::now(self.party, piece);
            let headers = trace::headers(traceparent.as_deref());
            let outgoing = Outgoing::Hint { kind: H::TYPE, subject, headers, body: event.to_json().into() };
            if self.outgoing.try_send(outgoing).is_err() {
                dropped(H::TYPE, "buffer_full");
            }
        }
    }

    /// Waits until every hint published before has been handed to the client or dropped.
    pub async fn flush(&self) {
        let (done, flushed) = oneshot::channel();
        if self.outgoing.send(Outgoing::Flush(done)).await.is_ok() {
            // An error means that the task is gone, and with it whatever was to be flushed.
            let _gone = flushed.await;
        }
    }
}

async fn send(client: Client, state: watch::Receiver<BrokerState>, mut incoming: mpsc::Receiver<Outgoing>) {
    while let Some(outgoing) = incoming.recv().await {
        match outgoing {
            // A hint that waited for the broker to come back would come too late to be of use: its row has been found.
            Outgoing::Hint { kind, .. } if !state.borrow().connected => dropped(kind, "disconnected"),
            Outgoing::Hint { kind, subject, headers, body } => {
                match client.publish_with_headers(subject, headers, body).await {
                    Ok(()) => Counter::HintsPublished.increment(&[("kind", kind)]),
                    Err(error) => {
                        tracing::warn!(error = &error as &dyn std::error::Error, kind, "a hint was not published");
                        dropped(kind, "publish");
                    }
                }
            }
            Outgoing::Flush(done) => {
                // Whoever asked may have stopped waiting.
                let _unheard = done.send(());
            }
        }
    }
}

fn dropped(kind: &'static str, error_type: &'static str) {
    Counter::HintsDropped.increment(&[("kind", kind), ("error_type", error_type)]);
}
