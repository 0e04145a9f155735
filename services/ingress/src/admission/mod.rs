//! What stands between a request and the look at its signature: whether its address sends too much.

mod rate_limit;

pub(crate) use rate_limit::RateLimit;
