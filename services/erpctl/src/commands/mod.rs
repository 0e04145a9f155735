//! The commands, one file each.

pub(crate) mod keys;
pub(crate) mod migrate;
pub(crate) mod nats_config;
pub(crate) mod roles;
pub(crate) mod settings;
