//! HTTP in and out. What is decided about an event is decided elsewhere.

mod answer;
mod health;
mod trace;
mod webhook;

pub(crate) use health::health;
pub(crate) use webhook::{Worker, receive, wrong_method};
