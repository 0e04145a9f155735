//! The first configuration, against real PostgreSQL and NATS.

mod boot;
mod kit;
mod settings;
mod whole_service;
