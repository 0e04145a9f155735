//! What FlashERP's events make of UpCoach's records.
//!
//! [`event`] reads them, [`merge`] decides field by field who is right, [`take`] says what becomes of each event over the rows ([`ledger`]) that
//! [`store`] loads and writes. What is older than what we know of a record is not merged: [`pull`] fetches the record as it is now.

pub(super) mod event;
#[cfg(test)]
mod fuzz;
pub(super) mod ledger;
pub(super) mod locked;
pub(super) mod merge;
pub(super) mod pull;
pub(super) mod store;
pub(super) mod take;
