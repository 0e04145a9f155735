//! What the service kit promises, on real servers: settings, logs, health, HTTP, access, the database's absence, and the way from start to stop.

mod auth;
mod bootstrap;
mod config_watch;
mod database;
mod health;
mod http;
mod kit;
mod logs;
mod metrics;
mod promql;
mod propagation;
mod readme;
mod rules;
mod settings;
mod settings_getters;
