//! One record by its id.

use super::{ApiError, Reply, locked};
use crate::{sandbox::Sandbox, schema::Resource, store::RecordId};

pub(super) fn get(sandbox: &Sandbox, resource: Resource, id: &str) -> Result<Reply, ApiError> {
    let id = RecordId::parse(resource, id).ok_or_else(missing)?;
    let body = locked(sandbox).of(resource).get(id).map(|record| record.body.clone()).ok_or_else(missing)?;
    Ok(Reply::new(200, body))
}

/// 404 for a record.
pub(super) fn missing() -> ApiError {
    ApiError::not_found("no record has this id")
}
