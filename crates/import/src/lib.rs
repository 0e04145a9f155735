//! Import: records that UpCoach exported, as NDJSON or CSV, into `upcoach`. The use case behind `erpctl import` and `POST /api/erp/import`.
//!
//! * **Streamed**: memory does not grow with the file. [`BATCH_RECORDS`] records are one transaction, a statement per type.
//! * **Each line by itself**: a line that can't be used is reported with its number and what to do, and costs no other line anything.
//! * **By id**: a record is inserted, or brings those of its fields up to date that the line has. So an import may be run again.
//! * **Whole or told**: rows and progress are committed together in a row of `sync.batches`. A process that dies half-way leaves the batches
//!   that were committed; the same import with the same key goes on behind them, any other run finds them unchanged.
//! * A row that Stripe's events feed is left to them, and a Stripe id is never taken from another row.
//!
//! Every change asks for a sync by `upcoach`'s own triggers.

mod batch;
mod cell;
mod column;
mod csv;
mod error;
mod progress;
mod reader;
mod record;
mod run;
mod split;
mod store;

pub use error::{ImportError, LineError, Problem};
pub use progress::{Counts, Summary};
pub use run::{Asked, Options, Rejected, run};

/// Records in one transaction at most.
pub const BATCH_RECORDS: usize = 1000;
/// Bytes of one record at most. What is longer is refused, and not held in memory.
pub const RECORD_BYTES: usize = 64 * 1024;

/// Errors of lines that are kept with the import's row, the first ones.
pub const KEPT_ERRORS: usize = 100;

/// What a file is written in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// A JSON object a line.
    Ndjson,
    /// RFC 4180: a header that names the fields, cells separated by commas, quoted where they hold a comma, a quotation mark or a new line.
    Csv,
}

impl Format {
    /// Its name, also a file's usual extension.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ndjson => "ndjson",
            Self::Csv => "csv",
        }
    }
}

/// What can be imported, in the order in which the tables are written.
pub const TYPES: [domain::EntityType; 4] = [
    domain::EntityType::Customer,
    domain::EntityType::Subscription,
    domain::EntityType::Invoice,
    domain::EntityType::Transaction,
];
