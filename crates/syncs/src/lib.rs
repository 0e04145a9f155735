//! Outbound syncs (design section 4) as more than the worker knows them: what the worker, the admin API and `erpctl` share, so that none of it is
//! there twice.
//!
//! | what | file |
//! |---|---|
//! | UpCoach's records, loaded and mapped | `load`, `record` |
//! | which types are kept in step | `scope` |
//! | the configured FlashERP | `configuration`, `target` |
//! | doubles in FlashERP reported | `duplicates` |
//! | full syncs and bulk actions | `batch` |
//! | what would be sent, and how it differs | `preview` |
//! | a FlashERP that is not empty taken over | `adopt` |
//! | after a restore from backup | `restored` |
//! | what a reconciliation counted | `reconciliation` |
//! | money not yet in FlashERP | `exposure` |
//!
//! The caller brings the connection, under its own role.

pub mod adopt;
pub mod batch;
mod configuration;
pub mod duplicates;
pub mod exposure;
mod load;
pub mod preview;
pub mod reconciliation;
mod record;
mod restored;
mod scope;
pub mod target;

use events::traffic::Party;
use messaging::Outbox;

pub use configuration::{ConfigurationError, StoredConfiguration, View};
pub use load::{load, select_all};
pub use record::SourceRecord;
pub use restored::{Restored, restored};
pub use scope::Scope;

/// The facts of schema `sync`, stated by sync-worker, or by who adopts for it.
pub const OUTBOX: Outbox = Outbox::new("sync", Party::SyncWorker);
