//! The worker as a process, on a real database and broker, against the sandbox.

mod claims;
mod customers_first;
mod kit;
mod processes;
mod unknown_outcomes;
mod webhooks;
