//! The outbound role: what UpCoach changed goes to FlashERP, every record once, its newest state (design section 4).
//!
//! | step | file |
//! |---|---|
//! | who claims when: hints, wakes, the timer | `claiming` |
//! | requests become rows, rows are leased | `fold`, `claim` |
//! | what was claimed together on its way, loaded by one statement a type (crate `syncs`) | `batch` |
//! | the customer first, and looked at again when FlashERP does not know it | `customers`, `customer_check` |
//! | one record written, or looked up and settled | `push`, `report` |
//! | row, audit, facts in one transaction, many syncs to one | `finish` |
//! | leases that ran out or are handed back | `leases` |
//! | who waits for whom | `waiting` |
//! | the gate to FlashERP: shown, and gone through again after an outage | `circuit`, `probe` |
//! | full syncs and bulk actions carried on | `batches` |
//! | what happens by itself now and then | `sweeps` |
//! | start, stop, slots | `role` |
//!
//! A process may die between any two steps: before the claim's commit nothing happened; after it the lease runs out and the row is unknown, so that it is
//! looked up before anything is written again.

mod attempt;
mod batch;
mod batches;
mod circuit;
mod claim;
mod claiming;
mod customer_check;
mod customers;
mod finish;
mod fold;
mod leases;
mod probe;
mod push;
mod record;
mod report;
mod role;
mod sweeps;
mod target;
mod waiting;

pub(crate) use circuit::tell_of_circuit;
pub use role::{Outbound, OutboundSettings};
pub use target::{CallSettings, Target};
