//! Group commit without a timer: makes accepted events durable, many to one statement.
//!
//! Handlers put events into a [`Queue`] and wait. A committer takes everything that waits, stores it in one statement and answers all; who
//! comes while that runs goes into the next. So one event alone waits for nobody, and under load a batch grows to what arrives during one
//! commit. All of the server's threads share one queue and one committer with a connection of its own: the larger the batch, the less an
//! event costs.
//!
//! Promises: a caller is told "stored" only after the commit that holds its event; a batch that fails is tried once more and then singly,
//! so that an event that can't be stored stands in nobody's way; what is not stored is said to be so. A process that dies half-way has
//! answered nobody whose event isn't durable: the senders come again, and an event that was stored without an answer is recognised.

mod batch;
mod committer;
mod complaints;
mod connection;
mod counts;
mod event;
mod queue;
mod statement;
mod storage;

#[cfg(test)]
mod tests;

pub(crate) use committer::{Announce, run};
pub(crate) use event::{Event, Stored};
pub(crate) use queue::{Bounds, Queue};
pub(crate) use storage::Storage;
