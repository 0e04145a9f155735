//! `sync.duplicate_found`: FlashERP holds a record of ours more than once.
//!
//! Becomes a finding and an alert: nothing is deleted in FlashERP by itself.

use domain::{EntityType, FlashErpId, SyncId};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::{EventType, Fact, wire};

/// A look-up by reference found two or more records; the oldest was adopted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SyncDuplicateFound {
    /// The sync row.
    #[schemars(with = "Uuid")]
    pub sync_id: SyncId,
    /// The type of the entity.
    #[schemars(schema_with = "wire::entity_type")]
    pub entity_type: EntityType,
    /// The id of the entity in its source system.
    pub source_id: Uuid,
    /// FlashERP's id of the record that was adopted.
    #[schemars(schema_with = "wire::flasherp_id")]
    pub adopted_target_id: FlashErpId,
    /// FlashERP's ids of the others, oldest first.
    #[schemars(schema_with = "wire::flasherp_ids")]
    pub duplicate_target_ids: Vec<FlashErpId>,
}

impl EventType for SyncDuplicateFound {
    const TYPE: &'static str = "upcoach.erp.sync.duplicate_found.v1";
    const SUBJECTS: &'static str = "sync.duplicate_found";
    const SUMMARY: &'static str = "FlashERP holds a record of ours more than once; the oldest was adopted.";

    fn subject(&self) -> String {
        Self::SUBJECTS.to_owned()
    }

    fn about(&self) -> Option<String> {
        Some(format!("sync/{}", self.sync_id))
    }

    fn examples() -> Vec<Self> {
        vec![Self {
            sync_id: SyncId(Uuid::from_u128(1)),
            entity_type: EntityType::Invoice,
            source_id: Uuid::from_u128(2),
            adopted_target_id: wire::example_id("inv_1"),
            duplicate_target_ids: vec![wire::example_id("inv_2")],
        }]
    }
}

impl Fact for SyncDuplicateFound {}
