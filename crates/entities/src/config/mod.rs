//! The one configuration row (design section 11), failures that were acknowledged, and the outbox; owned by config-api.

pub mod configuration;
pub mod error_acknowledgement;
pub mod kinds;
pub mod outbox;
