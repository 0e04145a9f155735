//! How the services talk: JetStream set-up, hints, consumer loops, fan-out and the outbox relay.
//!
//! Rows are truth. A [hint](hints) may be lost and only hurries what a timer finds; a fact goes through an [outbox] in the
//! transaction that makes it true. The broker may be down or lose everything at any time: services start without it,
//! streams and consumers are made again wherever they are found gone, and nothing waits for it but the relay.
//!
//! | module | gives |
//! |---|---|
//! | [`connect`] | the connection, its state, and what to do when it breaks |
//! | [`topology`] | streams, durable consumers, users with just their subjects |
//! | [`hints`] | fire and forget, after the commit |
//! | [`consumer`] | a supervised loop around a durable consumer: only the loop acks |
//! | [`fanout`] | what every replica hears |
//! | [`of_service`] | what every service does with it at its start |
//! | [`outbox`] | facts: inserted with what makes them true, relayed until the broker has them |
//! | [`trace`] | trace context across messages |

mod backoff;
pub mod connect;
pub mod consumer;
pub mod fanout;
pub mod hints;
pub mod of_service;
pub mod outbox;
pub mod topology;
pub mod trace;

pub use connect::{Broker, BrokerConfigError, BrokerOptions, BrokerState};
pub use consumer::{ConsumerOptions, Disposition, Dispositions, Handler, Received};
pub use fanout::Heard;
pub use hints::Hints;
pub use outbox::{Outbox, PendingFact, Relay};
pub use topology::Namespace;
