//! The database's tables as sea-orm entities, a module per schema, each owned by one service (design section 2).
//!
//! Plain reads and writes go through these; batch claims, group commits and joins are hand-written SQL in the service
//! that owns them. A test holds every entity against the live database, column by column.

pub mod audit;
pub mod config;
pub mod ingress;
pub mod reconciliation;
pub mod scheduling;
pub mod sync;
pub mod upcoach;

/// The search path of a connection that uses these entities: sea-orm names enum types without their schema, so all type
/// names differ and all schemas are searched. Hand-written SQL names schemas all the same.
pub const SEARCH_PATH: &str = "audit, config, ingress, reconciliation, scheduling, sync, upcoach, public";
