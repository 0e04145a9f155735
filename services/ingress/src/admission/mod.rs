//! What stands between a request and the look at its signature: where it really comes from, whether that address sends too much, and the
//! body's size and pace.

mod body;
mod client_address;
mod rate_limit;

pub(crate) use body::{BODY_DEADLINE, BodyError, declared_length, read_body};
pub(crate) use client_address::client_address;
pub(crate) use rate_limit::RateLimit;
