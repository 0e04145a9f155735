//! The commands, one file each.

pub(crate) mod adopt;
pub(crate) mod audit;
pub(crate) mod batch;
pub(crate) mod import;
pub(crate) mod jobs;
pub(crate) mod keys;
pub(crate) mod migrate;
pub(crate) mod nats_config;
pub(crate) mod preview;
pub(crate) mod restored;
pub(crate) mod roles;
pub(crate) mod settings;
