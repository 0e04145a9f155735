//! `sync.requested`: somebody asked for syncs; the outbound worker claims exactly these ids.
//!
//! A hint, published right after the commit that inserted the requests: losing it costs at most the second until the
//! worker's timer finds them.

use domain::EntityType;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::{EventType, Hint, wire};

/// Entities of one type for which rows were inserted into `sync.requests`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SyncRequested {
    /// The type of all of them.
    #[schemars(schema_with = "wire::entity_type")]
    pub entity_type: EntityType,
    /// UpCoach's ids of the entities, in no order.
    #[schemars(length(min = 1))]
    pub ids: Vec<Uuid>,
}

impl EventType for SyncRequested {
    const TYPE: &'static str = "upcoach.erp.sync.requested.v1";
    const SUBJECTS: &'static str = "sync.requested.*";
    const SUMMARY: &'static str = "Syncs were asked for; the outbound worker claims exactly these ids.";

    fn subject(&self) -> String {
        format!("sync.requested.{}", self.entity_type.as_str())
    }

    fn about(&self) -> Option<String> {
        None
    }

    fn examples() -> Vec<Self> {
        vec![
            Self { entity_type: EntityType::Transaction, ids: vec![Uuid::from_u128(1), Uuid::from_u128(2)] },
            Self { entity_type: EntityType::FinancialReport, ids: vec![Uuid::from_u128(3)] },
        ]
    }
}

impl Hint for SyncRequested {
    fn split(self, max: usize) -> Vec<Self> {
        self.ids.chunks(max.max(1)).map(|ids| Self { entity_type: self.entity_type, ids: ids.to_vec() }).collect()
    }
}
