//! What every binary of this system shares, so that each of them is configured, observed, probed and stopped in the same way.
//!
//! | module | gives |
//! |---|---|
//! | [`settings`] | every environment variable in one table, read whole, with all mistakes told at once |
//! | [`auth`] | bearer tokens: who calls, and what they may do |
//! | [`bootstrap`] | the way from `main` to a running service and back out of it |
//! | [`telemetry`] | JSON logs, traces over OTLP when asked for, trace context across HTTP and messages |
//! | [`metrics`] | every metric name of the system |
//! | [`health`] | `/healthz`, `/readyz` and `/metrics` on the management port |
//! | [`database`] | a pool that survives Postgres' restarts, and waiting for the schema |
//! | [`http`] | error bodies, request ids, and the server around a service's routes |
//! | [`config_watch`] | the configuration row, re-read every second |
//! | [`failpoints`] | for tests, points at which a process can be told to die; nothing in other builds |
//!
//! A service's `main` is one line: `service::main(Binary::Ingress, Config::read, ingress::run)`.

pub mod auth;
pub mod binary;
pub mod bootstrap;
pub mod config_watch;
pub mod database;
pub mod failpoints;
pub mod health;
pub mod http;
pub mod metrics;
pub mod port_file;
pub mod settings;
pub mod telemetry;

pub use binary::Binary;
pub use bootstrap::{Context, main};
