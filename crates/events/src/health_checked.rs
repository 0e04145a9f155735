//! `health.checked`: FlashERP's health was looked at.
//!
//! For the panel's status and history. Stated by the transaction that stores the check.

use domain::ErrorCode;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::{EventType, Fact, HealthStatus, wire};

/// A row of `scheduling.health_checks`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct HealthChecked {
    /// The check.
    pub check_id: Uuid,
    /// What it found.
    pub status: HealthStatus,
    /// What the check before found; absent for the first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub previous_status: Option<HealthStatus>,
    /// How long FlashERP took to answer, in milliseconds; absent: it didn't.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub latency_ms: Option<u64>,
    /// The share of syncs that failed lately, in hundredths of a percent (500 is 5 %); absent: there were none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(max = 10_000))]
    pub failure_rate_basis_points: Option<u32>,
    /// Why it is down.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "wire::error_code")]
    pub error_code: Option<ErrorCode>,
}

impl EventType for HealthChecked {
    const TYPE: &'static str = "upcoach.erp.health.checked.v1";
    const SUBJECTS: &'static str = "health.checked";
    const SUMMARY: &'static str = "FlashERP's health was looked at: healthy, degraded or down.";

    fn subject(&self) -> String {
        Self::SUBJECTS.to_owned()
    }

    fn about(&self) -> Option<String> {
        Some(format!("health_check/{}", self.check_id))
    }

    fn examples() -> Vec<Self> {
        vec![
            Self {
                check_id: Uuid::from_u128(1),
                status: HealthStatus::Healthy,
                previous_status: Some(HealthStatus::Degraded),
                latency_ms: Some(42),
                failure_rate_basis_points: Some(12),
                error_code: None,
            },
            Self {
                check_id: Uuid::from_u128(2),
                status: HealthStatus::Down,
                previous_status: None,
                latency_ms: None,
                failure_rate_basis_points: None,
                error_code: Some(ErrorCode::ConnectionFailed),
            },
        ]
    }
}

impl Fact for HealthChecked {}
