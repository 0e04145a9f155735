//! The command line as an operator meets it, against a real PostgreSQL.

mod audit;
mod batch;
mod erpctl;
mod import;
mod jobs;
mod keys;
mod migrate;
mod nats_config;
mod restored;
mod roles;
mod settings;
