//! `audit.sealed`: the audit log up to here can no longer be changed unnoticed.
//!
//! Whoever keeps the head outside of the system can prove later that the log was not rewritten, also by the database's
//! owner. Stated by the transaction that writes the seal.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{EventType, Fact};

/// A new seal of the chain.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct AuditSealed {
    /// The epoch; a new one begins with each restore from backup.
    pub epoch: i64,
    /// The place of the seal in the chain, from 1.
    pub number: i64,
    /// Audit rows under this seal.
    pub rows: u64,
    /// The head of the chain: SHA-256 in lower-case hex.
    #[schemars(regex(pattern = "^[0-9a-f]{64}$"))]
    pub head: String,
    /// The head before; absent for the first seal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(regex(pattern = "^[0-9a-f]{64}$"))]
    pub previous_head: Option<String>,
}

impl EventType for AuditSealed {
    const TYPE: &'static str = "upcoach.erp.audit.sealed.v1";
    const SUBJECTS: &'static str = "audit.sealed";
    const SUMMARY: &'static str = "The audit log has a new seal; its head is to be kept outside.";

    fn subject(&self) -> String {
        Self::SUBJECTS.to_owned()
    }

    fn about(&self) -> Option<String> {
        Some(format!("audit_seal/{}", self.number))
    }

    fn examples() -> Vec<Self> {
        let first = Self { epoch: 1, number: 1, rows: 17, head: "0f".repeat(32), previous_head: None };
        let second =
            Self { number: 2, head: "a1".repeat(32), previous_head: Some(first.head.clone()), ..first.clone() };
        vec![first, second]
    }
}

impl Fact for AuditSealed {}
