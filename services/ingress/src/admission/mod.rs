//! What stands between a request and the look at its signature: where it really comes from, and whether that address sends too much.

mod client_address;
mod rate_limit;

pub(crate) use client_address::client_address;
pub(crate) use rate_limit::RateLimit;
