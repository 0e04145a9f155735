//! Reconciliation runs, staging and findings (design section 7), owned by reconciler.

pub mod finding;
pub mod kinds;
pub mod outbox;
pub mod run;
pub mod slice;
pub mod staged_record;
pub mod suspect;
