//! Messaging against a real nats-server and a real PostgreSQL.

mod consumer;
mod fanout;
mod hints;
mod outages;
mod outbox;
mod permissions;
mod recorder;
mod support;
mod topology;
mod trace;
