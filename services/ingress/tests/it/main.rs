//! Ingress as its senders see it, against real PostgreSQL and NATS.

mod checks;
mod dedup;
mod faults;
mod flasherp;
mod harness;
mod stored;
