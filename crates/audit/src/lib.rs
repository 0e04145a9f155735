//! The audit log's seals (design section 8, docs/audit-seals.md): once sealed, no row of `audit.erp_audit_logs` can be changed, removed or slipped in
//! unnoticed, also by the database's owner, as long as one head of the chain is kept outside.
//!
//! * [`canonical`](mod@canonical) says what of a row is sealed, [`Leaf`] is a row as its seal knows it, [`Seal`] a link of the chain: pure definitions;
//! * [`seal_next`] makes the next seal; [`verify()`] checks them all and names the first break; [`archive`] exports months that are over.
//!
//! Whoever dies in the middle of any of it leaves nothing half-done: seals are made in one transaction each, checking writes nothing, and an
//! archive's file gets its name when it is whole.

pub mod archive;
mod canonical;
mod leaf;
mod seal;
mod sealing;
pub mod verify;

pub use leaf::Leaf;
pub use seal::{Epoch, Hash, NO_HEAD, Seal};
pub use sealing::{MOST_ROWS, seal_next};
pub use verify::verify;
