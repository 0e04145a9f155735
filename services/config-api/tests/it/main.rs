//! The configuration and the API over it, against real PostgreSQL and NATS.

mod api;
mod boot;
mod kit;
mod settings;
mod skeleton;
mod whole_service;
