//! From HTTP to use cases and back. A file a subject; `routes` names them all.

pub(crate) mod audit;
pub(crate) mod batches;
pub(crate) mod bodies;
pub(crate) mod configuration;
pub(crate) mod connection_test;
pub(crate) mod docs;
pub(crate) mod events;
pub(crate) mod history;
pub(crate) mod import;
pub(crate) mod jobs;
pub(crate) mod manual_sync;
pub(crate) mod overview;
pub(crate) mod pause;
pub(crate) mod preview;
pub(crate) mod reconciliations;
pub(crate) mod status;
pub(crate) mod syncs;
pub(crate) mod timeline;
pub(crate) mod unmatched;
pub(crate) mod webhooks;
