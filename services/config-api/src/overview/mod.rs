//! How it stands as a whole: counts and durations, money not yet in FlashERP, failures by kind.

pub mod attempts;
pub mod error_groups;
pub mod exposure;
pub mod metrics;
