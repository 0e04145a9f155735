//! What happened to records: a few statements, each for all of them.

use domain::{EntityType, SourceSystem, SyncId};
use serde_json::{Value, json};
use sqlx::PgConnection;
use sqlx::types::Json;
use uuid::Uuid;

use super::find::Found;
use super::{EntryKind, StoryRecord, TimelineEntry};
use crate::audit_log::{AuditLog, COLUMNS as AUDIT_COLUMNS};
use crate::records::Sync;
use crate::records::row::COLUMNS as SYNC_COLUMNS;
use crate::timestamp::Timestamp;

/// Rows of one kind at most, the newest.
const MOST: i64 = 200;

pub(super) async fn collect(
    connection: &mut PgConnection,
    found: &Found,
) -> Result<(Vec<StoryRecord>, Vec<TimelineEntry>), sqlx::Error> {
    let syncs = syncs(connection, found).await?;
    let mut entries = audit(connection, found, &syncs).await?;
    entries.extend(webhooks(connection, found).await?);
    entries.extend(upcoach(connection, found).await?);
    entries.extend(findings(connection, found, &syncs).await?);
    entries.extend(syncs.iter().map(of_sync));
    entries.extend(syncs.iter().flat_map(of_target));
    Ok((records(found, &syncs), entries))
}

fn records(found: &Found, syncs: &[Sync]) -> Vec<StoryRecord> {
    let record = |(entity_type, source_id): &(String, Uuid)| {
        let sync = syncs.iter().find(|sync| sync.source_type == *entity_type && sync.source_id == *source_id);
        StoryRecord {
            entity_type: entity_type.clone(),
            source_id: *source_id,
            sync_id: sync.map(|sync| sync.id),
            target_id: sync.and_then(|sync| sync.target_id.clone()),
        }
    };
    found.records.iter().map(record).collect()
}

async fn syncs(connection: &mut PgConnection, found: &Found) -> Result<Vec<Sync>, sqlx::Error> {
    let ids: Vec<Uuid> = found
        .records
        .iter()
        .filter_map(|(kind, id)| {
            let kind: EntityType = kind.parse().ok()?;
            Some(SyncId::of(SourceSystem::Upcoach, kind, *id).as_uuid())
        })
        .collect();
    let sources: Vec<Uuid> = found.records.iter().map(|(_, id)| *id).collect();
    let statement = format!(
        "SELECT {SYNC_COLUMNS} FROM sync.for_readers AS r WHERE r.id = ANY ($1)
         UNION SELECT {SYNC_COLUMNS} FROM sync.for_readers AS r WHERE r.source_id = ANY ($2)"
    );
    sqlx::query_as(sqlx::AssertSqlSafe(statement)).bind(ids).bind(sources).fetch_all(connection).await
}

fn of_sync(sync: &Sync) -> TimelineEntry {
    let title = match sync.last_sync_attempt {
        Some(_) => format!("sync: {}", sync.sync_status),
        None => "sync: never tried yet".to_owned(),
    };
    TimelineEntry {
        at: sync.tried_at,
        kind: EntryKind::Sync,
        title,
        status: Some(sync.sync_status.clone()),
        entity_type: Some(sync.source_type.clone()),
        entity_id: Some(sync.source_id.to_string()),
        id: Some(sync.id.to_string()),
        details: serde_json::to_value(sync).unwrap_or(Value::Null),
    }
}

/// FlashERP's record, as its sync knows it.
fn of_target(sync: &Sync) -> Vec<TimelineEntry> {
    let entry = |at: Timestamp, title: &str| TimelineEntry {
        at,
        kind: EntryKind::FlasherpRecord,
        title: title.to_owned(),
        status: None,
        entity_type: Some(sync.source_type.clone()),
        entity_id: sync.target_id.clone(),
        id: Some(sync.id.to_string()),
        details: json!({"targetId": sync.target_id}),
    };
    let made = sync.target_created_at.map(|at| entry(at, "FlashERP's record was made"));
    let changed = sync.target_updated_at.filter(|at| sync.target_created_at.is_none_or(|made| made.0 != at.0));
    let changed = changed.map(|at| entry(at, "FlashERP's record changed last"));
    [made, changed].into_iter().flatten().filter(|_| sync.target_id.is_some()).collect()
}

async fn audit(
    connection: &mut PgConnection,
    found: &Found,
    syncs: &[Sync],
) -> Result<Vec<TimelineEntry>, sqlx::Error> {
    let ids: Vec<Uuid> = syncs.iter().map(|sync| sync.id).collect();
    let entities: Vec<String> =
        found.records.iter().map(|(_, id)| id).chain(&found.webhooks).map(Uuid::to_string).collect();
    let part = |rows: &str| format!("(SELECT {AUDIT_COLUMNS} FROM {rows} ORDER BY r.created_at DESC LIMIT {MOST})");
    let statement = [
        part("audit.erp_audit_logs AS r WHERE r.erp_sync_id = ANY ($1)"),
        part("audit.erp_audit_logs AS r WHERE r.entity_id = ANY ($2)"),
        part("audit.erp_audit_logs AS r WHERE r.request_id = $3"),
        part(&telling_of("$4")),
    ]
    .join(" UNION ALL ");
    let rows: Vec<AuditLog> = sqlx::query_as(sqlx::AssertSqlSafe(statement))
        .bind(ids)
        .bind(entities)
        .bind(found.request)
        .bind(found.names())
        .fetch_all(connection)
        .await?;
    let mut seen = std::collections::BTreeSet::new();
    Ok(rows.into_iter().filter(|row| seen.insert(row.id)).map(of_audit).collect())
}

/// The audit rows `r` of events that told of one of the records named in a parameter. All are collected before they are put in order and cut
/// (`OFFSET 0` keeps the two apart): else the planner, which takes such rows to be common, goes through every event there ever was, newest
/// first, until it has enough.
fn telling_of(names: &str) -> String {
    format!(
        "(SELECT * FROM audit.erp_audit_logs WHERE action = 'webhook_received' AND metadata -> 'records' ?| {names} OFFSET 0) AS r"
    )
}

fn of_audit(row: AuditLog) -> TimelineEntry {
    let operation = row.metadata.get("operation").and_then(Value::as_str);
    let (kind, title) = match row.action.as_str() {
        "webhook_received" => {
            let event = row.metadata.get("eventType").and_then(Value::as_str).unwrap_or("event");
            let became = row.metadata.get("status").and_then(Value::as_str).unwrap_or(&row.status);
            (EntryKind::WebhookApplied, format!("{event}: {became}"))
        }
        "sync" | "manual_sync" if row.erp_sync_id.is_some() => {
            (EntryKind::Attempt, format!("attempt: {}", operation.unwrap_or("nothing was sent")))
        }
        action => (EntryKind::Audit, operation.unwrap_or(action).to_owned()),
    };
    TimelineEntry {
        at: row.created_at,
        kind,
        title,
        status: Some(row.status.clone()),
        entity_type: Some(row.entity_type.clone()),
        entity_id: row.entity_id.clone(),
        id: Some(row.id.to_string()),
        details: serde_json::to_value(&row).unwrap_or(Value::Null),
    }
}

#[derive(sqlx::FromRow)]
struct Plain {
    at: Timestamp,
    title: String,
    status: Option<String>,
    entity_type: String,
    entity_id: Option<String>,
    id: Option<Uuid>,
    details: Json<Value>,
}

impl Plain {
    fn entry(self, kind: EntryKind) -> TimelineEntry {
        TimelineEntry {
            at: self.at,
            kind,
            title: self.title,
            status: self.status,
            entity_type: Some(self.entity_type),
            entity_id: self.entity_id,
            id: self.id.map(|id| id.to_string()),
            details: self.details.0,
        }
    }
}

/// The events themselves, also those of which only the audit log says that they told of a record.
async fn webhooks(connection: &mut PgConnection, found: &Found) -> Result<Vec<TimelineEntry>, sqlx::Error> {
    let ids: Vec<Uuid> = found.webhooks.iter().copied().collect();
    let telling = telling_of("$2");
    let statement = format!(
        "SELECT received_at AS at, source::text || ': ' || event_type AS title, status::text, 'webhook' AS entity_type, event_id AS entity_id, id,
            jsonb_build_object('source', source, 'eventId', event_id, 'eventType', event_type, 'attempts', attempts, 'occurredAt', occurred_at,
                'waitKey', wait_key, 'error', error) AS details
         FROM ingress.for_config_api
         WHERE id = ANY ($1::uuid[] || ARRAY(SELECT r.entity_id::uuid FROM {telling}
            WHERE pg_input_is_valid(r.entity_id, 'uuid') ORDER BY r.created_at DESC LIMIT {MOST}))"
    );
    let rows: Vec<Plain> =
        sqlx::query_as(sqlx::AssertSqlSafe(statement)).bind(ids).bind(found.names()).fetch_all(connection).await?;
    Ok(rows.into_iter().map(|row| row.entry(EntryKind::Webhook)).collect())
}

/// UpCoach's records: their birth, and their last change.
async fn upcoach(connection: &mut PgConnection, found: &Found) -> Result<Vec<TimelineEntry>, sqlx::Error> {
    let of = |wanted: &str| -> Vec<Uuid> {
        found.records.iter().filter(|(kind, _)| kind == wanted).map(|(_, id)| *id).collect()
    };
    let rows: Vec<Plain> = sqlx::query_as(
        "WITH known AS (
            SELECT 'transaction' AS type, id, created_at, updated_at, type || ' is ' || status AS state, status,
                jsonb_build_object('stripeId', coalesce(stripe_transaction_id, stripe_refund_id), 'stripeInvoiceId', stripe_invoice_id) AS details
            FROM upcoach.transactions WHERE id = ANY ($1)
            UNION ALL SELECT 'invoice', id, created_at, updated_at, 'invoice is ' || status, status,
                jsonb_build_object('stripeId', stripe_invoice_id, 'flasherpInvoiceId', flasherp_invoice_id)
            FROM upcoach.invoices WHERE id = ANY ($2)
            UNION ALL SELECT 'subscription', id, created_at, updated_at, 'subscription is ' || status, status,
                jsonb_build_object('stripeId', stripe_subscription_id)
            FROM upcoach.subscriptions WHERE id = ANY ($3)
            UNION ALL SELECT 'customer', id, created_at, updated_at, 'user', NULL, jsonb_build_object('stripeId', stripe_customer_id)
            FROM upcoach.users WHERE id = ANY ($4))
         SELECT created_at AS at, 'UpCoach''s record was made' AS title, NULL AS status, type AS entity_type, id::text AS entity_id, id, details FROM known
         UNION ALL SELECT updated_at, 'UpCoach''s record changed last: ' || state, status, type, id::text, id, details FROM known
            WHERE updated_at > created_at",
    )
    .bind(of("transaction"))
    .bind(of("invoice"))
    .bind(of("subscription"))
    .bind(of("customer"))
    .fetch_all(connection)
    .await?;
    Ok(rows.into_iter().map(|row| row.entry(EntryKind::Record)).collect())
}

async fn findings(
    connection: &mut PgConnection,
    found: &Found,
    syncs: &[Sync],
) -> Result<Vec<TimelineEntry>, sqlx::Error> {
    let sources: Vec<Uuid> = found.records.iter().map(|(_, id)| *id).collect();
    let targets: Vec<String> = syncs.iter().filter_map(|sync| sync.target_id.clone()).collect();
    let rows: Vec<Plain> = sqlx::query_as(
        "SELECT created_at AS at, 'finding: ' || class::text AS title, decision::text AS status, entity_type::text, source_id::text AS entity_id, id,
            jsonb_build_object('class', class, 'field', field, 'ours', ours, 'theirs', theirs, 'targetId', target_id, 'runId', run_id, 'note', note)
                AS details
         FROM reconciliation.findings_for_readers WHERE source_id = ANY ($1)
         UNION SELECT created_at, 'finding: ' || class::text, decision::text, entity_type::text, source_id::text, id,
            jsonb_build_object('class', class, 'field', field, 'ours', ours, 'theirs', theirs, 'targetId', target_id, 'runId', run_id, 'note', note)
         FROM reconciliation.findings_for_readers WHERE target_id = ANY ($2)
         ORDER BY at DESC LIMIT $3",
    )
    .bind(sources)
    .bind(targets)
    .bind(MOST)
    .fetch_all(connection)
    .await?;
    Ok(rows.into_iter().map(|row| row.entry(EntryKind::Finding)).collect())
}
