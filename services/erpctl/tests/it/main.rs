//! The command line as an operator meets it, against a real PostgreSQL.

mod erpctl;
mod keys;
mod migrate;
mod nats_config;
mod roles;
mod settings;
