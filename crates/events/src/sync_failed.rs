//! `sync.failed`: an attempt failed, for now or for good.
//!
//! For callers that wait for a manual sync, for live events in the panel, the progress of batches and the failure rate.
//! Stated by the transaction that finishes the attempt. The error's text stays in the row, since FlashERP's words may
//! hold personal data.

use domain::{BatchId, EntityType, ErrorCode, FlashErpId, Outcome, RequestId, SourceSystem, SyncId};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use uuid::Uuid;

use crate::{EventType, Fact, timestamp, wire};

/// A sync row that is now failed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SyncFailed {
    /// The sync row.
    #[schemars(with = "Uuid")]
    pub sync_id: SyncId,
    /// The system that `sourceId` is an id of.
    #[schemars(schema_with = "wire::source_system")]
    pub source_system: SourceSystem,
    /// The type of the entity.
    #[schemars(schema_with = "wire::entity_type")]
    pub entity_type: EntityType,
    /// The id of the entity in the source system.
    pub source_id: Uuid,
    /// FlashERP's id of the record, where it has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "wire::flasherp_id")]
    pub target_id: Option<FlashErpId>,
    /// Why.
    #[schemars(schema_with = "wire::error_code")]
    pub error_code: ErrorCode,
    /// Whether it is known what FlashERP made of it.
    #[schemars(schema_with = "wire::outcome")]
    pub outcome: Outcome,
    /// Retries spent so far.
    pub retry_count: u32,
    /// When it is tried (or, with an unknown outcome, looked up) again; absent: not by itself.
    #[serde(default, with = "timestamp::option", skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "timestamp::schema")]
    pub next_retry_at: Option<OffsetDateTime>,
    /// The value of the row's request counter that this answers; a waiting caller whose request came later waits on.
    pub request_counter: i64,
    /// From the claim to the end, in milliseconds.
    pub duration_ms: u64,
    /// The batch (full sync, bulk retry, import) that asked for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<Uuid>")]
    pub batch_id: Option<BatchId>,
    /// The request id that it can be found by in logs and the audit log.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<Uuid>")]
    pub request_id: Option<RequestId>,
}

impl EventType for SyncFailed {
    const TYPE: &'static str = "upcoach.erp.sync.failed.v1";
    const SUBJECTS: &'static str = "sync.failed.*";
    const SUMMARY: &'static str = "An attempt to sync failed, for now (nextRetryAt) or until someone acts.";

    fn subject(&self) -> String {
        format!("sync.failed.{}", self.entity_type.as_str())
    }

    fn about(&self) -> Option<String> {
        Some(format!("sync/{}", self.sync_id))
    }

    fn examples() -> Vec<Self> {
        let unknown = Self {
            sync_id: SyncId(Uuid::from_u128(1)),
            source_system: SourceSystem::Upcoach,
            entity_type: EntityType::Transaction,
            source_id: Uuid::from_u128(2),
            target_id: None,
            error_code: ErrorCode::Timeout,
            outcome: Outcome::Unknown,
            retry_count: 0,
            next_retry_at: Some(OffsetDateTime::UNIX_EPOCH),
            request_counter: 2,
            duration_ms: 30_012,
            batch_id: None,
            request_id: Some(RequestId(Uuid::from_u128(3))),
        };
        let for_good = Self {
            error_code: ErrorCode::ValidationError,
            outcome: Outcome::Known,
            next_retry_at: None,
            target_id: Some(wire::example_id("txn_1001")),
            batch_id: Some(BatchId(Uuid::from_u128(4))),
            ..unknown.clone()
        };
        vec![unknown, for_good]
    }
}

impl Fact for SyncFailed {}
