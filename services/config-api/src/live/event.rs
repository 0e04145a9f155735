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

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use events::{CATALOG, Decode as _};

    use super::*;

    /// Of each type of event that there is, what a client is told of its first example.
    fn told() -> BTreeMap<&'static str, Option<(&'static str, Value)>> {
        CATALOG
            .iter()
            .map(|info| {
                let body = json!({
                    "id": "0193b7d2-7f5c-7000-8000-000000000001", "source": "/erp/test", "type": info.kind, "specversion": "1.0",
                    "time": "2026-01-31T12:00:00.000Z", "datacontenttype": "application/json", "data": (info.examples)()[0],
                });
                let event = AnyEvent::decode(body.to_string().as_bytes()).expect(info.kind);
                (info.name, of(&event).map(|(kind, told)| (kind.as_str(), told)))
            })
            .collect()
    }

    #[test]
    fn each_fact_is_told_as_its_kind_with_what_to_fetch_again_and_nothing_of_a_payload() {
        let told = told();
        let kinds: Vec<_> =
            told.iter().filter_map(|(name, told)| told.as_ref().map(|(kind, _)| (*name, *kind))).collect();
        assert_eq!(
            kinds,
            [
                ("AlertRaised", "alert"),
                ("CircuitChanged", "circuit"),
                ("ConfigChanged", "config"),
                ("HealthChecked", "health"),
                ("JobFinished", "job"),
                ("ReconciliationCompleted", "reconciliation"),
                ("SyncCompleted", "sync"),
                ("SyncDuplicateFound", "sync"),
                ("SyncFailed", "sync"),
                ("WebhookApplied", "webhook"),
            ]
        );
        let members = |name: &str| {
            let told = told[name].as_ref().and_then(|(_, told)| told.as_object()).expect("an object");
            told.keys().map(String::as_str).collect::<Vec<_>>()
        };
        for (name, expected) in [
            ("AlertRaised", &["alertId"][..]),
            ("CircuitChanged", &["paused", "state"]),
            ("ConfigChanged", &["deleted", "version"]),
            ("HealthChecked", &["status"]),
            ("JobFinished", &["name", "result", "runId"]),
            ("ReconciliationCompleted", &["runId", "status"]),
            ("SyncCompleted", &["batchId", "entityType", "result", "sourceId", "syncId"]),
            ("SyncDuplicateFound", &["entityType", "result", "sourceId", "syncId"]),
            ("SyncFailed", &["batchId", "entityType", "errorCode", "result", "sourceId", "syncId"]),
            ("WebhookApplied", &["eventType", "source", "status", "webhookEventId"]),
        ] {
            assert_eq!(members(name), expected, "{name}");
        }
        let result = |name: &str| told[name].as_ref().map(|(_, told)| told["result"].clone());
        assert_eq!(
            (result("SyncFailed"), result("SyncDuplicateFound")),
            (Some(json!("failed")), Some(json!("duplicate")))
        );
    }
}
