//! Servers on this machine, for development, the demonstration and the tests: PostgreSQL, NATS and the
//! services themselves, started as processes, killed on purpose, started again on the same data.
//!
//! What it promises:
//!
//! * Nothing is shared with a server that was there before: data folder, ports and passwords are the stack's own.
//! * What is reached on a port is what was started: a server that belongs to somebody else is never talked to.
//! * A child that belongs to an owner ends with it, even when the owner is killed with `SIGKILL`.
//! * A signal goes only to a process whose start time is the one noted when it was started.
//!
//! Nothing here is part of the product; no service depends on this crate.

pub mod binaries;
pub mod error;
pub mod http;
pub mod layout;
pub mod nats;
pub mod passwords;
pub mod ports;
pub mod postgres;
pub mod process;
pub mod scratch;
pub mod secrets;
pub mod service;
pub mod sign_in;
pub mod spawn;
pub mod stack;
pub mod state;
mod unprivileged;
pub mod wait;

pub use error::{Result, StackError};
pub use nats::{Nats, NatsOptions};
pub use postgres::{Postgres, PostgresOptions};
pub use process::ProcessId;
pub use scratch::Scratch;
pub use service::{Service, ServiceOptions};
