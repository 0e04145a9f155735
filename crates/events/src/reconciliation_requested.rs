//! `reconciliation.requested`: a run was inserted; a reconciler takes it up.
//!
//! A hint, published right after the commit that inserted the run: losing it costs at most the second until the
//! reconciler's timer finds it.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::{EventType, Hint};

/// A row of `reconciliation.runs` that waits for a reconciler.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ReconciliationRequested {
    /// The run.
    pub run_id: Uuid,
}

impl EventType for ReconciliationRequested {
    const TYPE: &'static str = "upcoach.erp.reconciliation.requested.v1";
    const SUBJECTS: &'static str = "reconciliation.requested";
    const SUMMARY: &'static str = "A reconciliation was asked for; a reconciler takes up the run.";

    fn subject(&self) -> String {
        Self::SUBJECTS.to_owned()
    }

    fn about(&self) -> Option<String> {
        Some(format!("reconciliation/{}", self.run_id))
    }

    fn examples() -> Vec<Self> {
        vec![Self { run_id: Uuid::from_u128(1) }]
    }
}

impl Hint for ReconciliationRequested {
    fn split(self, _max: usize) -> Vec<Self> {
        vec![self]
    }
}
