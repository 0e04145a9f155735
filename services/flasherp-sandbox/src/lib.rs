#![doc = include_str!("../README.md")]
//!
//! ## Where things are
//!
//! [`api`] is the contract without HTTP, `handlers` the HTTP around it, [`misbehaviour`] what goes wrong in between, [`store`] what is kept,
//! [`stripe`] the stories and Stripe's API, [`webhooks`] what FlashERP tells, [`limits`] how much may be asked of it, [`snapshot`] the file.
//! Each is a part of [`sandbox::Sandbox`] that guards itself.

#![recursion_limit = "256"] // for `json!` of a whole Stripe object

pub mod api;
pub mod capability;
pub mod clock;
mod config;
mod connection;
pub mod counters;
mod handlers;
pub mod limits;
pub mod misbehaviour;
pub mod pace;
mod routes;
pub mod sandbox;
pub mod schema;
mod server;
pub mod snapshot;
pub mod store;
pub mod stripe;
pub mod webhooks;

pub use config::Config;
pub use server::{Running, run, start};
