//! The audit log, as the API lists it.

pub mod filter;
mod row;

pub use row::AuditLog;
pub(crate) use row::COLUMNS;
