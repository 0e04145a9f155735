//! The rules of this system, free of I/O, clock and randomness: whoever needs the time or a random number passes it in.
//!
//! * [`ids`] and [`kinds`]: what is told apart by type, and the words that database, events and API share;
//! * [`money`]: amounts as whole minor units, Stripe's units and FlashERP's decimals at the borders;
//! * [`error_code`]: the 24 codes and what each means for retries, outcomes, breaker and admin API;
//! * [`upcoach`] and [`mapping`]: UpCoach's records, and how they become FlashERP's fields;
//! * [`retry`] and [`state`]: what follows from an attempt;
//! * [`gate`]: whether FlashERP may be called;
//! * [`schedule`]: when a job runs next.
//!
//! No type of a web framework, database or broker reaches this crate. Nothing here can be half done when a process dies.

pub mod error_code;
pub mod gate;
pub mod ids;
pub mod instant;
pub mod kinds;
mod labels;
pub mod mapping;
pub mod money;
pub mod retry;
pub mod schedule;
pub mod state;
pub mod upcoach;

pub use error_code::ErrorCode;
pub use ids::{
    BatchId, EventRowId, FlashErpId, InvoiceId, RequestId, SubscriptionId, SyncId, TransactionId, UserId,
    flasherp_uuid, stripe_uuid,
};
pub use kinds::{
    BatchKind, BatchStatus, Decision, EntityType, FindingClass, Origin, Outcome, ReconciliationStatus, SourceSystem,
    SyncStatus,
};
pub use money::Money;
