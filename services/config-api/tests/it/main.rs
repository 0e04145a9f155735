//! The configuration and the API over it, against real PostgreSQL and NATS.

mod access;
mod api;
mod audit;
mod batches;
mod boot;
mod changes;
mod configuration;
mod connection_test;
mod deaths;
mod events;
mod import;
mod kit;
mod lists;
mod manual_sync;
mod operation;
mod overview;
mod plans;
mod reconciliations;
mod refusals;
mod rows;
mod settings;
mod skeleton;
mod trail;
mod webhooks;
mod whole_service;
mod world;
