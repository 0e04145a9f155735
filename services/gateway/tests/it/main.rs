//! The gateway as its callers see it, before backends that tell what reached them.

mod access;
mod backend;
mod failures;
mod guard;
mod kit;
mod panel;
mod raw;
mod session;
mod streaming;
