//! The way to the services behind and back: what of a request goes on, what of an answer comes back, and for how long either may take.

mod answer;
mod body;
mod headers;
mod path;
mod upstream;

pub(crate) use answer::{Lifetime, answer};
pub(crate) use body::{Outcome, Upload, streamed, whole};
pub(crate) use headers::for_backend;
pub(crate) use path::is_plain;
pub(crate) use upstream::{Backend, Upstream, client, upstreams};
