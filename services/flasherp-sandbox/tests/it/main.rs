//! The sandbox over real HTTP, on ports of its own: what `flasherp-api.yaml` promises, every fault it can be told, and Stripe's stories.

#![expect(clippy::unwrap_used, reason = "a test that can't go on has failed")]

mod access;
mod answers;
mod contract;
mod control;
mod endpoint;
mod faults;
mod idempotency;
mod limits;
mod lists;
mod page;
mod plots;
mod sends;
mod service;
mod snapshot;
mod stories;
mod stripe_api;
mod support;
mod validation;
mod webhooks;
mod writes;
