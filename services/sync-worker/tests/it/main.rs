//! The worker as a process, on a real database and broker, against the sandbox.

mod adoption;
mod batches;
mod claims;
mod currencies;
mod customers_first;
mod frozen;
mod kit;
mod mix;
mod outages;
mod preview;
mod processes;
mod reports;
mod stripe_reads;
mod subscriptions;
mod unknown_outcomes;
mod views;
mod webhooks;
