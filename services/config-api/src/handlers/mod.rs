//! From HTTP to use cases and back. A file a subject; `routes` names them all.

pub(crate) mod configuration;
pub(crate) mod connection_test;
pub(crate) mod docs;
pub(crate) mod events;
pub(crate) mod jobs;
pub(crate) mod pause;
pub(crate) mod status;
pub(crate) mod unmatched;
