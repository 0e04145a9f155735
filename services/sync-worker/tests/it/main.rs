//! The worker as a process, on a real database and broker, against the sandbox.

mod adoption;
mod batches;
mod claims;
mod customers_first;
mod kit;
mod outages;
mod preview;
mod processes;
mod reports;
mod subscriptions;
mod unknown_outcomes;
mod views;
mod webhooks;
