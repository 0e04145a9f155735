//! `circuit.changed`: the outbound gate opened, closed, stopped or was paused.
//!
//! For the panel and the scheduler's alert. Stated by the transaction that changes `sync.outbound_gate`.

pub use domain::gate::Cause as CircuitCause;
use domain::{ErrorCode, RequestId};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use uuid::Uuid;

use crate::{CircuitState, EventType, Fact, timestamp, wire};

/// The gate that every call to FlashERP passes has changed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct CircuitChanged {
    /// The breaker now.
    pub state: CircuitState,
    /// The breaker before.
    pub previous_state: CircuitState,
    /// What changed it.
    #[schemars(schema_with = "wire::circuit_cause")]
    pub cause: CircuitCause,
    /// Whether outbound work is paused by hand, now.
    pub paused: bool,
    /// Why everything is stopped, now; absent: it is not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "wire::error_code")]
    pub stopped_reason: Option<ErrorCode>,
    /// Failures in a row, now.
    pub failures: u32,
    /// The code of the last failure.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "wire::error_code")]
    pub error_code: Option<ErrorCode>,
    /// Nothing is sent before this time; absent: no such time.
    #[serde(default, with = "timestamp::option", skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "timestamp::schema")]
    pub retry_at: Option<OffsetDateTime>,
    /// The id of the request that changed it by hand.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<Uuid>")]
    pub request_id: Option<RequestId>,
}

impl EventType for CircuitChanged {
    const TYPE: &'static str = "upcoach.erp.circuit.changed.v1";
    const SUBJECTS: &'static str = "circuit.changed";
    const SUMMARY: &'static str = "The outbound gate changed: breaker, stop, wait or pause.";

    fn subject(&self) -> String {
        Self::SUBJECTS.to_owned()
    }

    fn about(&self) -> Option<String> {
        None
    }

    fn examples() -> Vec<Self> {
        vec![
            Self {
                state: CircuitState::Open,
                previous_state: CircuitState::Closed,
                cause: CircuitCause::FailuresInARow,
                paused: false,
                stopped_reason: None,
                failures: 5,
                error_code: Some(ErrorCode::ServiceUnavailable),
                retry_at: Some(OffsetDateTime::UNIX_EPOCH),
                request_id: None,
            },
            Self {
                state: CircuitState::Closed,
                previous_state: CircuitState::Closed,
                cause: CircuitCause::Paused,
                paused: true,
                stopped_reason: None,
                failures: 0,
                error_code: None,
                retry_at: None,
                request_id: Some(RequestId(Uuid::from_u128(1))),
            },
        ]
    }
}

impl Fact for CircuitChanged {}
