//! A batch of messages: read, handled under a span of its own, and settled as the handler says.

use std::panic::AssertUnwindSafe;

use async_nats::jetstream::Message;
use async_nats::jetstream::message::{AckKind, Acker};
use events::traffic::Durable;
use events::{EventInfo, Nature};
use futures::FutureExt as _;
use service::metrics::Counter;
use tracing::Instrument as _;

use super::{AFTER_A_FAULT, Disposition, Dispositions, Handler, Received};
use crate::topology::Namespace;
use crate::trace;

/// Messages that could be read, with what it takes to settle them.
pub(super) struct Batch<M> {
    durable: Durable,
    received: Vec<Received<M>>,
    ackers: Vec<Acker>,
}

impl<M: events::Decode> Batch<M> {
    /// Reads the messages. Those that can't be read are terminated, logged and counted; `None` when that was all of them.
    pub(super) async fn decode(durable: Durable, namespace: &Namespace, messages: Vec<Message>) -> Option<Self> {
        let mut batch = Self { durable, received: Vec::new(), ackers: Vec::new() };
        for message in messages {
            let deliveries = message.info().map_or(1, |info| info.delivered.unsigned_abs());
            let (message, acker) = message.split();
            let subject = namespace.strip(&message.subject);
            match M::decode(&message.payload) {
                Ok(decoded) => {
                    if let Some(hint) = EventInfo::of_subject(subject).filter(|info| info.nature == Nature::Hint) {
                        Counter::HintsReceived.increment(&[("kind", hint.kind)]);
                    }
                    batch.received.push(Received {
                        message: decoded,
                        subject: subject.to_owned(),
                        deliveries,
                        traceparent: trace::of_headers(message.headers.as_ref()),
                    });
                    batch.ackers.push(acker);
                }
                Err(error) => {
                    let consumer = durable.name();
                    Counter::MessagesUnparseable.increment(&[("consumer", consumer)]);
                    tracing::error!(
                        consumer,
                        subject,
                        bytes = message.payload.len(),
                        stage = "decode",
                        error = &error as &dyn std::error::Error,
                        "a message can't be read and is terminated"
                    );
                    settle(&acker, Disposition::Terminate).await;
                }
            }
        }
        (!batch.received.is_empty()).then_some(batch)
    }

    /// Has the batch handled and settles its messages. A handler that panics costs a retry, not the loop.
    pub(super) async fn handle<H: Handler<Message = M>>(self, handler: &H) {
        let Self { durable, received, ackers } = self;
        let consumer = durable.name();
        let span = tracing::info_span!("consume", consumer, messages = received.len());
        trace::set_parents(&span, received.iter().filter_map(|message| message.traceparent.as_deref()));
        let handled = AssertUnwindSafe(handler.handle(received)).catch_unwind().instrument(span.clone()).await;
        async {
            let dispositions = handled.unwrap_or_else(|_panic| {
                tracing::error!(consumer, stage = "handle", "the handler panicked; its messages are retried");
                Dispositions::all(AFTER_A_FAULT)
            });
            for (index, acker) in ackers.iter().enumerate() {
                let disposition = dispositions.of(index);
                settle(acker, disposition).await;
                let outcome = match disposition {
                    Disposition::Ack => "ack",
                    Disposition::Retry { .. } => "retry",
                    Disposition::Terminate => "terminate",
                };
                Counter::MessagesHandled.increment(&[("consumer", consumer), ("outcome", outcome)]);
            }
        }
        .instrument(span)
        .await;
    }
}

/// Hands a message back that nobody has looked at, so that another replica gets it without waiting for the ack wait.
pub(super) async fn give_back(message: Message) {
    let (_message, acker) = message.split();
    settle(&acker, Disposition::Retry { after: std::time::Duration::ZERO }).await;
}

/// Tells the broker. Where that fails the message comes again, which handlers must stand anyway.
async fn settle(acker: &Acker, disposition: Disposition) {
    let kind = match disposition {
        Disposition::Ack => AckKind::Ack,
        Disposition::Retry { after } if after.is_zero() => AckKind::Nak(None),
        Disposition::Retry { after } => AckKind::Nak(Some(after)),
        Disposition::Terminate => AckKind::Term,
    };
    if let Err(error) = acker.ack_with(kind).await {
        tracing::debug!(error = &*error as &dyn std::error::Error, ?disposition, "a message could not be settled");
    }
}
