//! Which syncs a bulk action is for: the filters of the sync history.

use domain::{EntityType, ErrorCode, SourceSystem, SyncId, SyncStatus};
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use uuid::Uuid;

/// All that is given must hold; an empty filter holds for every sync that the action can change.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SyncFilter {
    /// One of these.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ids: Option<Vec<SyncId>>,
    /// In this status.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<SyncStatus>,
    /// Of this type.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source_type: Option<EntityType>,
    /// Of this system.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source_system: Option<SourceSystem>,
    /// Failed with this code.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error_code: Option<ErrorCode>,
    /// Failed in this way (an error group's fingerprint).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fingerprint: Option<String>,
    /// Of this record.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source_id: Option<Uuid>,
    /// Last tried, or before the first try made, then or later.
    #[serde(default, skip_serializing_if = "Option::is_none", with = "time::serde::rfc3339::option")]
    pub from: Option<OffsetDateTime>,
    /// Last tried, or before the first try made, before then.
    #[serde(default, skip_serializing_if = "Option::is_none", with = "time::serde::rfc3339::option")]
    pub to: Option<OffsetDateTime>,
}
