//! The outbound role: what UpCoach changed goes to FlashERP, every record once, its newest state (design section 4).
//!
//! | step | file |
//! |---|---|
//! | requests become rows, rows are leased | `fold`, `claim` |
//! | many records loaded by one statement | `load` |
//! | the customer first | `customers` |
//! | one record written, or looked up and settled | `push` |
//! | row, audit, facts in one transaction, many syncs to one | `finish` |
//! | leases that ran out or are handed back | `leases` |
//! | who waits for whom | `waiting` |
//! | hints, timers, slots | `work` |
//!
//! A process may die between any two steps: before the claim's commit nothing happened; after it the lease runs out and the row is unknown, so that it is
//! looked up before anything is written again.

mod attempt;
mod claim;
mod customers;
mod finish;
mod fold;
mod leases;
mod load;
mod push;
mod record;
mod target;
mod waiting;
mod work;

pub use target::{CallSettings, Scope, Target};
pub use work::{Outbound, OutboundSettings};
