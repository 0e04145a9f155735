#![doc = include_str!("../README.md")]
//!
//! ## Where things are
//!
//! [`api`] is the contract without HTTP, `handlers` the HTTP around it, [`misbehaviour`] what goes wrong in between, [`store`] what is kept,
//! [`stripe`] the stories. What is to be added (rate limits, webhooks out, snapshots) goes beside these, each as a part of
//! [`sandbox::Sandbox`] that guards itself.

#![recursion_limit = "256"] // for `json!` of a whole Stripe object

pub mod api;
pub mod capability;
pub mod clock;
mod config;
mod connection;
pub mod counters;
mod handlers;
pub mod misbehaviour;
mod routes;
pub mod sandbox;
pub mod schema;
mod server;
pub mod store;
pub mod stripe;

pub use config::Config;
pub use server::{Running, run, start};
