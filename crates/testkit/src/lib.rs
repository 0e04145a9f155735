//! What the tests stand on: a database and a broker of their own on real servers, servers to kill, services as
//! processes, and waiting without sleeping.
//!
//! `./justw test` starts one PostgreSQL and one NATS for the whole run and names them in `TEST_PG_ADMIN_URL`,
//! `TEST_NATS_URL` and `TEST_NATS_MONITOR_URL`. Where these are missing (plain `cargo test`), each test process starts its own from
//! `PG_BIN` and `NATS_SERVER` or `.local/tools`, which `./justw` fetches. A test never shares a database or a subject
//! with another one.
//!
//! Callers show [`tokens`], at every operation that an API has [`described`]; mail goes to [`smtp`].
//!
//! For breaking things on purpose there are [`faults`] and their schedule, [`proxy`] for the network, [`disk`] for power cuts, [`recorder`] and
//! [`history`] for what was sent and answered, and [`checker`] for what became of it. What services state is kept and held
//! against its schemas by [`facts`].
//!
//! What fails here is no finding about the product, so it panics with words on what to do.

mod broker;
pub mod checker;
mod configuration;
mod database;
pub mod described;
pub mod disk;
pub mod facts;
pub mod faults;
pub mod history;
mod infra;
pub mod ledger;
mod process;
pub mod proxy;
pub mod recorder;
pub mod sandbox;
pub mod smtp;
pub mod tokens;
mod upcoach;
mod wait;

pub use broker::{PrivateBroker, TestBroker};
pub use configuration::{ENCRYPTION_KEYS, configure};
pub use database::{PrivateDatabase, TestDatabase};
pub use local_stack::{Nats, Postgres, ProcessId, Scratch, Service, ServiceOptions};
pub use process::{binary, service};
pub use upcoach::Platform;
pub use wait::{eventually, eventually_some};
