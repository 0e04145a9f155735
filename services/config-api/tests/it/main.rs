//! The configuration and the API over it, against real PostgreSQL and NATS.

mod access;
mod api;
mod boot;
mod configuration;
mod connection_test;
mod events;
mod kit;
mod operation;
mod settings;
mod skeleton;
mod whole_service;
