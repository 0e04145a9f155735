//! How an event ended, and what its audit row and fact say of it.

use domain::{EntityType, ErrorCode, EventRowId, RequestId};
use messaging::PendingFact;
use serde_json::json;
use sqlx::PgConnection;
use uuid::Uuid;

use super::batch::ClaimedEvent;
use super::events::{EventStatus, Source};
use super::stripe::fold::Outcome;
use super::stripe::keys::WaitKeys;
use crate::OUTBOX;

/// How an event ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Settlement {
    pub(super) status: EventStatus,
    /// What a parked event waits for.
    pub(super) wait_keys: Option<WaitKeys>,
    pub(super) error_code: Option<ErrorCode>,
    /// In words, without values of the event.
    pub(super) error: Option<String>,
    /// With status received: tried again after so many seconds.
    pub(super) retry_secs: Option<i32>,
    /// What it made or changed.
    pub(super) records: Vec<(EntityType, Uuid)>,
}

impl Settlement {
    fn plain(status: EventStatus) -> Self {
        Self { status, wait_keys: None, error_code: None, error: None, retry_secs: None, records: Vec::new() }
    }

    /// Its effects are in this transaction.
    pub(super) fn applied(records: Vec<(EntityType, Uuid)>) -> Self {
        Self { records, ..Self::plain(EventStatus::Applied) }
    }

    /// Older than what is known of its record, which has been fetched as it is now.
    pub(super) fn overtaken() -> Self {
        Self {
            error: Some("older than what is known; the record has been fetched".to_owned()),
            ..Self::plain(EventStatus::Applied)
        }
    }

    /// Nothing is done for it; it is kept.
    pub(super) fn ignored() -> Self {
        Self::plain(EventStatus::Ignored)
    }

    /// Waits until what it refers to appears.
    pub(super) fn parked(keys: WaitKeys) -> Self {
        let other = keys.other.as_ref().map(|other| format!(" or {other}")).unwrap_or_default();
        Self {
            error: Some(format!("waits for {}{other}, which UpCoach does not know yet", keys.first)),
            wait_keys: Some(keys),
            ..Self::plain(EventStatus::Parked)
        }
    }

    /// Can't be used as it is.
    pub(super) fn quarantined(code: ErrorCode, reason: String) -> Self {
        Self { error_code: Some(code), error: Some(reason), ..Self::plain(EventStatus::Quarantined) }
    }

    /// As the fold says.
    pub(super) fn of(outcome: Outcome) -> Self {
        match outcome {
            Outcome::Applied(mut records) => {
                records.sort_unstable_by_key(|(kind, id)| (kind.as_str(), *id));
                records.dedup();
                Self::applied(records)
            }
            Outcome::Parked(keys) => Self::parked(keys),
            Outcome::Ignored => Self::ignored(),
            Outcome::Quarantined { code, reason } => Self::quarantined(code, reason),
        }
    }

    /// Could not be applied now.
    pub(super) fn retried(secs: i32, reason: String) -> Self {
        Self {
            error_code: Some(ErrorCode::InternalError),
            error: Some(reason),
            retry_secs: Some(secs),
            ..Self::plain(EventStatus::Received)
        }
    }

    /// Could not be applied however often it was tried; waits for a replay by hand.
    pub(super) fn failed(reason: String) -> Self {
        Self { error_code: Some(ErrorCode::InternalError), error: Some(reason), ..Self::plain(EventStatus::Failed) }
    }
}

/// Writes the audit row of each event, in one statement.
pub(super) async fn audit(
    connection: &mut PgConnection,
    settled: &[(&ClaimedEvent, Settlement)],
) -> Result<(), sqlx::Error> {
    let metadata: Vec<serde_json::Value> = settled
        .iter()
        .map(|(event, settlement)| {
            json!({
                "source": event.source.as_str(),
                "eventId": event.event_id,
                "eventType": event.event_type,
                "status": settlement.status.as_str(),
                "attempt": event.attempts + 1,
                "records": settlement.records.iter().map(|(kind, id)| format!("{kind}:{id}")).collect::<Vec<_>>(),
            })
        })
        .collect();
    let errors: Vec<Option<serde_json::Value>> = settled
        .iter()
        .map(|(_, settlement)| {
            settlement.error.as_ref().map(|message| json!({"code": settlement.error_code, "message": message}))
        })
        .collect();
    let statuses: Vec<&str> = settled
        .iter()
        .map(|(_, settlement)| match settlement.status {
            EventStatus::Applied | EventStatus::Ignored => "success",
            EventStatus::Received | EventStatus::Parked => "initiated",
            EventStatus::Quarantined | EventStatus::Failed => "failed",
        })
        .collect();
    sqlx::query(
        "INSERT INTO audit.erp_audit_logs
            (action, entity_type, entity_id, status, error_details, ip_address, user_agent, performed_by, request_id, metadata)
         SELECT 'webhook_received', 'webhook', id::text, status::audit.status, error, address::inet, agent, source, request, metadata
         FROM unnest($1::uuid[], $2::text[], $3::jsonb[], $4::text[], $5::text[], $6::text[], $7::uuid[], $8::jsonb[])
            AS settled (id, status, error, address, agent, source, request, metadata)",
    )
    .bind(settled.iter().map(|(event, _)| event.id).collect::<Vec<_>>())
    .bind(statuses)
    .bind(errors)
    .bind(settled.iter().map(|(event, _)| event.remote_addr.as_deref()).collect::<Vec<_>>())
    .bind(settled.iter().map(|(event, _)| event.user_agent.as_deref()).collect::<Vec<_>>())
    .bind(settled.iter().map(|(event, _)| event.source.as_str()).collect::<Vec<_>>())
    .bind(settled.iter().map(|(event, _)| event.request_id).collect::<Vec<_>>())
    .bind(metadata)
    .execute(connection)
    .await?;
    Ok(())
}

/// States a `webhook.applied` fact for each event that has left the queue or waits for something.
pub(super) async fn state_facts(
    connection: &mut PgConnection,
    settled: &[(&ClaimedEvent, Settlement)],
) -> Result<(), sqlx::Error> {
    let facts: Vec<PendingFact> = settled.iter().filter_map(|(event, settlement)| fact(event, settlement)).collect();
    OUTBOX.insert(connection, &facts).await
}

/// None for an event that is to be tried again.
fn fact(event: &ClaimedEvent, settlement: &Settlement) -> Option<PendingFact> {
    let status = match settlement.status {
        EventStatus::Received => return None,
        EventStatus::Applied => events::WebhookStatus::Applied,
        EventStatus::Parked => events::WebhookStatus::Parked,
        EventStatus::Ignored => events::WebhookStatus::Ignored,
        EventStatus::Quarantined => events::WebhookStatus::Quarantined,
        EventStatus::Failed => events::WebhookStatus::Failed,
    };
    let applied = events::WebhookApplied {
        webhook_event_id: EventRowId(event.id),
        source: match event.source {
            Source::Stripe => events::WebhookSource::Stripe,
            Source::Flasherp => events::WebhookSource::Flasherp,
        },
        event_id: event.event_id.clone(),
        event_type: event.event_type.clone(),
        status,
        records: settlement
            .records
            .iter()
            .map(|(entity_type, id)| events::AppliedRecord { entity_type: *entity_type, entity_id: *id })
            .collect(),
        error_code: settlement.error_code,
        request_id: event.request_id.map(RequestId),
    };
    Some(OUTBOX.fact(applied).with_traceparent(event.traceparent.clone()))
}
