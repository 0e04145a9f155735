//! A live event: thin, without payloads and personal data.

use bytes::Bytes;
use events::AnyEvent;
use serde_json::{Value, json};

/// The type of an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Sync,
    Webhook,
    Health,
    Circuit,
    Reconciliation,
    Job,
    Batch,
    /// The configuration has changed.
    Config,
    /// An alert was raised.
    Alert,
    /// What was missed is not known: fetch everything again.
    Resync,
}

impl Kind {
    /// As the stream names it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Sync => "sync",
            Self::Webhook => "webhook",
            Self::Health => "health",
            Self::Circuit => "circuit",
            Self::Reconciliation => "reconciliation",
            Self::Job => "job",
            Self::Batch => "batch",
            Self::Config => "config",
            Self::Alert => "alert",
            Self::Resync => "resync",
        }
    }
}

/// An event as it is sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Live {
    pub(super) sequence: u64,
    pub kind: Kind,
    /// The lines of the stream, with the empty one at their end.
    pub text: Bytes,
}

impl Live {
    pub(super) fn new(id: &str, sequence: u64, kind: Kind, data: &Value) -> Self {
        // JSON of serde_json has no line break, which would end the field.
        let text = format!("id: {id}\nevent: {}\ndata: {data}\n\n", kind.as_str());
        Self { sequence, kind, text: text.into() }
    }
}

/// Why a client is to fetch everything again: it was `away`, too `slow`, or the `broker` was away.
pub(super) fn missed(why: &str) -> Value {
    json!({ "reason": why })
}

/// What clients are told of a fact; none of what they are not told of.
pub(super) fn of(fact: &AnyEvent) -> Option<(Kind, Value)> {
    Some(match fact {
        AnyEvent::SyncCompleted(event) => {
            let data = &event.data;
            let told = json!({
                "syncId": data.sync_id, "entityType": data.entity_type, "sourceId": data.source_id,
                "result": data.result, "batchId": data.batch_id,
            });
            (Kind::Sync, told)
        }
        AnyEvent::SyncFailed(event) => {
            let data = &event.data;
            let told = json!({
                "syncId": data.sync_id, "entityType": data.entity_type, "sourceId": data.source_id,
                "result": "failed", "errorCode": data.error_code.as_str(), "batchId": data.batch_id,
            });
            (Kind::Sync, told)
        }
        AnyEvent::SyncDuplicateFound(event) => {
            let data = &event.data;
            let told = json!({
                "syncId": data.sync_id, "entityType": data.entity_type, "sourceId": data.source_id, "result": "duplicate",
            });
            (Kind::Sync, told)
        }
        AnyEvent::WebhookApplied(event) => {
            let data = &event.data;
            let told = json!({
                "webhookEventId": data.webhook_event_id, "source": data.source, "eventType": data.event_type, "status": data.status,
            });
            (Kind::Webhook, told)
        }
        AnyEvent::HealthChecked(event) => (Kind::Health, json!({ "status": event.data.status })),
        AnyEvent::CircuitChanged(event) => {
            let data = &event.data;
            (Kind::Circuit, json!({ "state": data.state, "paused": data.paused }))
        }
        AnyEvent::ReconciliationCompleted(event) => {
            (Kind::Reconciliation, json!({ "runId": event.data.run_id, "status": event.data.status }))
        }
        AnyEvent::JobFinished(event) => {
            let data = &event.data;
            (Kind::Job, json!({ "name": data.job, "runId": data.run_id, "result": data.result }))
        }
        AnyEvent::ConfigChanged(event) => {
            let data = &event.data;
            (Kind::Config, json!({ "version": data.version, "deleted": data.deleted }))
        }
        AnyEvent::AlertRaised(event) => (Kind::Alert, json!({ "alertId": event.data.alert_id })),
        AnyEvent::AuditSealed(_)
        | AnyEvent::SyncRequested(_)
        | AnyEvent::WebhookReceived(_)
        | AnyEvent::ReconciliationRequested(_) => return None,
    })
}
