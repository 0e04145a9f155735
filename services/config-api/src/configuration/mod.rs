//! The one configuration row: shown, changed, deleted.
//!
//! A change is one transaction: the row, its audit row and the fact `config.changed`. A process that dies before the commit has changed
//! nothing; after it, the fact is relayed by whoever comes next, and the same request once more finds nothing left to change.

mod change;
mod condition;
mod delete;
mod plan;
mod row;
mod save;
mod scope;
mod shown;

pub use change::Change;
pub(crate) use change::{base_url, check_base_url, credential};
pub use condition::Condition;
pub(crate) use condition::etag;
pub use delete::delete;
pub use row::Row;
pub use save::save;
pub use scope::SyncScope;
pub use shown::{Configuration, ConflictPolicy, DisabledBy, HealthStatus, LastSyncStatus};

use actix_web::http::StatusCode;
use domain::ErrorCode;
use service::http::ApiError;

/// What a caller is told when there is no configuration.
pub(crate) fn not_found() -> ApiError {
    ApiError::new(ErrorCode::ConfigNotFound, "there is no configuration; save one first")
        .with_status(StatusCode::NOT_FOUND)
}
