//! `sync.completed`: a sync came to a good end (or there was nothing to do).
//!
//! For callers that wait for a manual sync, for live events in the panel and for the progress of batches. Stated by the
//! transaction that finishes the sync row.

use domain::{BatchId, EntityType, FlashErpId, RequestId, SourceSystem, SyncId};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::{EventType, Fact, wire};

/// What the sync did.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum SyncResult {
    /// A record was made in FlashERP.
    Created,
    /// The record in FlashERP was changed.
    Updated,
    /// A record that was there already was taken over.
    Adopted,
    /// The record in FlashERP was cancelled.
    Cancelled,
    /// Both sides were in step; nothing was sent.
    Unchanged,
    /// FlashERP's version was taken over into UpCoach.
    Pulled,
    /// Out of scope or skipped by hand; nothing was sent.
    Skipped,
}

/// A sync row that is now synced or skipped.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SyncCompleted {
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
    /// FlashERP's id of the record; absent where it was skipped before it had one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "wire::flasherp_id")]
    pub target_id: Option<FlashErpId>,
    /// What the sync did.
    pub result: SyncResult,
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

impl EventType for SyncCompleted {
    const TYPE: &'static str = "upcoach.erp.sync.completed.v1";
    const SUBJECTS: &'static str = "sync.completed.*";
    const SUMMARY: &'static str = "A sync came to a good end: synced, or skipped.";

    fn subject(&self) -> String {
        format!("sync.completed.{}", self.entity_type.as_str())
    }

    fn about(&self) -> Option<String> {
        Some(format!("sync/{}", self.sync_id))
    }

    fn examples() -> Vec<Self> {
        let created = Self {
            sync_id: SyncId(Uuid::from_u128(1)),
            source_system: SourceSystem::Upcoach,
            entity_type: EntityType::Transaction,
            source_id: Uuid::from_u128(2),
            target_id: Some(wire::example_id("txn_1001")),
            result: SyncResult::Created,
            request_counter: 1,
            duration_ms: 87,
            batch_id: None,
            request_id: Some(RequestId(Uuid::from_u128(3))),
        };
        let skipped = Self {
            entity_type: EntityType::Customer,
            target_id: None,
            result: SyncResult::Skipped,
            batch_id: Some(BatchId(Uuid::from_u128(4))),
            request_id: None,
            ..created.clone()
        };
        vec![created, skipped]
    }
}

impl Fact for SyncCompleted {}
