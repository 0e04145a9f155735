//! Outbound syncs (design section 4) as more than the worker knows them: what the worker, the admin API and `erpctl` share, so that none of it is
//! there twice.
//!
//! | what | file |
//! |---|---|
//! | UpCoach's records, loaded and mapped | `load`, `record` |
//! | which types are kept in step | `scope` |
//! | full syncs and bulk actions | `batch` |
//!
//! The caller brings the connection, under its own role.

pub mod batch;
mod load;
mod record;
mod scope;

pub use load::load;
pub use record::SourceRecord;
pub use scope::Scope;
