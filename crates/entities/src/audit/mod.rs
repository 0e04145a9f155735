//! The audit trail (design section 8), appended to by all services and changed by none.

pub mod archive;
pub mod audit_log;
pub mod epoch;
pub mod kinds;
pub mod seal;
pub mod seal_leaf;
