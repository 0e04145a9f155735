//! The one configuration row (design section 11), owned by config-api, and its outbox.

pub mod configuration;
pub mod kinds;
pub mod outbox;
