//! Syncs: the state of each record's sync, as the API lists, shows and changes it. Rows are schema `sync`'s, read through its view for readers;
//! what is changed is asked of its functions.

pub mod batches;
pub mod bulk;
pub(crate) mod change;
pub(crate) mod enabled;
pub mod full_sync;
pub mod history;
pub(crate) mod import;
pub(crate) mod manual;
mod result;
pub(crate) mod row;

pub use batches::Batch;
pub use result::SyncResult;
pub use row::Sync;
