//! `webhook.applied`: a stored webhook event was worked on, and how that ended.
//!
//! For live events in the panel and for whoever waits for a replay. Stated by the transaction that holds the effects.

use domain::{EntityType, ErrorCode, EventRowId, RequestId};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::{EventType, Fact, WebhookSource, WebhookStatus, wire};

/// A record of UpCoach's that a webhook event made or changed.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct AppliedRecord {
    /// The type of the record.
    #[schemars(schema_with = "wire::entity_type")]
    pub entity_type: EntityType,
    /// UpCoach's id of the record.
    pub entity_id: Uuid,
}

/// A row of `ingress.webhook_events` that has left the queue, or waits for something named in the row.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct WebhookApplied {
    /// The row.
    #[schemars(with = "Uuid")]
    pub webhook_event_id: EventRowId,
    /// Who sent it.
    pub source: WebhookSource,
    /// The sender's event id.
    pub event_id: String,
    /// The sender's event type.
    pub event_type: String,
    /// How it ended.
    pub status: WebhookStatus,
    /// What it changed; empty where it changed nothing.
    pub records: Vec<AppliedRecord>,
    /// Why it was quarantined or failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "wire::error_code")]
    pub error_code: Option<ErrorCode>,
    /// The id of the request that brought it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<Uuid>")]
    pub request_id: Option<RequestId>,
}

impl EventType for WebhookApplied {
    const TYPE: &'static str = "upcoach.erp.webhook.applied.v1";
    const SUBJECTS: &'static str = "webhook.applied";
    const SUMMARY: &'static str =
        "A stored webhook event was worked on: applied, ignored, parked, quarantined or failed.";

    fn subject(&self) -> String {
        Self::SUBJECTS.to_owned()
    }

    fn about(&self) -> Option<String> {
        Some(format!("webhook/{}", self.webhook_event_id))
    }

    fn examples() -> Vec<Self> {
        let applied = Self {
            webhook_event_id: EventRowId(Uuid::from_u128(1)),
            source: WebhookSource::Stripe,
            event_id: "evt_1".to_owned(),
            event_type: "payment_intent.succeeded".to_owned(),
            status: WebhookStatus::Applied,
            records: vec![AppliedRecord { entity_type: EntityType::Transaction, entity_id: Uuid::from_u128(2) }],
            error_code: None,
            request_id: Some(RequestId(Uuid::from_u128(3))),
        };
        let failed = Self {
            status: WebhookStatus::Quarantined,
            records: Vec::new(),
            error_code: Some(ErrorCode::ValidationError),
            request_id: None,
            ..applied.clone()
        };
        vec![applied, failed]
    }
}

impl Fact for WebhookApplied {}
