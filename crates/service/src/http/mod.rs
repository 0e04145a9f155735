//! What every HTTP server of this system does alike: error bodies, request ids, trace context, security headers, limits, metrics.
//!
//! A service gives its routes to [`serve`] and answers with [`ApiError`] where something is wrong.

mod body;
mod client_address;
mod error;
mod extract;
mod rate_limit;
mod request_id;
mod scope;
mod server;
mod span;

pub use body::{BODY_DEADLINE, BodyError, declared_length, read_body};
pub use client_address::client_address;
pub use error::{ApiError, Detail, ErrorBody};
pub use extract::{BODY_LIMIT, configure_extractors};
pub use rate_limit::{Caller, RateLimit};
pub use request_id::RequestId;
pub use scope::RequestScope;
pub use server::{Bound, bind, serve};
pub use span::RequestSpan;
