//! The books between database and fold: what a batch may touch is loaded (locked, in id order, table by table in one fixed order), and what
//! the fold made or changed is written, each table in two statements.
//!
//! A row that another worker made meanwhile is [`ApplyError::Raced`](super::apply::ApplyError): the batch is rolled back and done again, now
//! seeing it. Invoice and payment find each other whichever is written last: batches about the same invoice go one after the other.

mod ask;
mod load;
mod needs;
mod save;

pub(super) use ask::ask;
pub(super) use load::load;
pub(super) use needs::Needs;
pub(super) use save::{raise_alerts, save};
