//! What a finished attempt leaves beside its row: audit rows, facts, doubles, and stray writes of lost leases. All in the finishing transaction.

use std::time::Duration;

use domain::state::Verdict;
use domain::{BatchId, FlashErpId, Origin, Outcome, SourceSystem};
use events::{SyncCompleted, SyncFailed, SyncResult};
use messaging::PendingFact;
use serde_json::{Value, json};
use sqlx::PgConnection;
use syncs::duplicates::Duplicates;
use time::OffsetDateTime;
use uuid::Uuid;

use super::attempt::{Attempt, AttemptError, End, WriteCall};
use crate::OUTBOX;

/// An audit row for every call that wrote or tried to, one for every attempt that failed without a call, and one for every record that was found
/// and taken over.
pub(super) async fn audit(connection: &mut PgConnection, attempts: &[Attempt]) -> Result<(), sqlx::Error> {
    let rows: Vec<AuditRow<'_>> = attempts.iter().flat_map(audit_rows).collect();
    if rows.is_empty() {
        return Ok(());
    }
    sqlx::query(
        "INSERT INTO audit.erp_audit_logs (action, entity_type, entity_id, erp_sync_id, status, request_payload,
            response_payload, error_details, duration_ms, performed_by, request_id, metadata)
         SELECT action::audit.action, type, entity, sync, status::audit.status, request, response, error, duration, 'sync-worker',
            request_id, metadata
         FROM unnest($1::text[], $2::text[], $3::text[], $4::uuid[], $5::text[], $6::jsonb[], $7::jsonb[], $8::jsonb[],
            $9::integer[], $10::uuid[], $11::jsonb[])
            AS call (action, type, entity, sync, status, request, response, error, duration, request_id, metadata)",
    )
    .bind(rows.iter().map(|row| if row.attempt.claimed.origin == Origin::Manual { "manual_sync" } else { "sync" }).collect::<Vec<_>>())
    .bind(rows.iter().map(|row| row.attempt.claimed.entity_type.as_str()).collect::<Vec<_>>())
    .bind(rows.iter().map(|row| row.attempt.claimed.source_id.to_string()).collect::<Vec<_>>())
    .bind(rows.iter().map(|row| row.attempt.claimed.id.as_uuid()).collect::<Vec<_>>())
    .bind(rows.iter().map(|row| row.status).collect::<Vec<_>>())
    .bind(rows.iter().map(|row| row.call.map(|call| &call.request)).collect::<Vec<_>>())
    .bind(rows.iter().map(|row| row.call.and_then(|call| call.response.as_ref())).collect::<Vec<_>>())
    .bind(rows.iter().map(|row| row.error.map(error_json)).collect::<Vec<_>>())
    .bind(rows.iter().map(|row| row.duration_ms()).collect::<Vec<_>>())
    .bind(rows.iter().map(|row| row.attempt.request_id.as_uuid()).collect::<Vec<_>>())
    .bind(rows.iter().map(AuditRow::metadata).collect::<Vec<_>>())
    .execute(connection)
    .await?;
    Ok(())
}

struct AuditRow<'a> {
    attempt: &'a Attempt,
    call: Option<&'a WriteCall>,
    status: &'static str,
    error: Option<&'a AttemptError>,
}

fn audit_rows(attempt: &Attempt) -> Vec<AuditRow<'_>> {
    let mut rows: Vec<AuditRow<'_>> = attempt
        .writes
        .iter()
        .map(|call| AuditRow {
            attempt,
            call: Some(call),
            status: match &call.error {
                None => "success",
                Some(_) if call.definite => "failed",
                // Sent, and nobody knows what became of it.
                Some(_) => "initiated",
            },
            error: call.error.as_ref(),
        })
        .collect();
    if rows.is_empty() {
        match &attempt.end {
            End::Failed { error, .. } if !put_back(attempt) => {
                rows.push(AuditRow { attempt, call: None, status: "failed", error: Some(error) });
            }
            // FlashERP holds a write of which nothing is said here yet when its worker died before it finished.
            End::Synced(SyncResult::Adopted) => {
                rows.push(AuditRow { attempt, call: None, status: "success", error: None });
            }
            End::Failed { .. } | End::Synced(_) | End::Skipped { .. } => {}
        }
    }
    rows
}

/// Whether nothing was tried and nothing changed: not worth a word.
fn put_back(attempt: &Attempt) -> bool {
    matches!(&attempt.end, End::Failed { verdict: Verdict::PutBack { .. }, .. }) && attempt.writes.is_empty()
}

impl AuditRow<'_> {
    fn duration_ms(&self) -> i32 {
        let duration = self.call.map_or_else(|| self.attempt.duration(), |call| call.duration);
        i32::try_from(duration.as_millis()).unwrap_or(i32::MAX)
    }

    fn metadata(&self) -> Value {
        json!({
            "operation": match (self.call, &self.attempt.end) {
                (Some(call), _) => Some(call.operation),
                (None, End::Synced(SyncResult::Adopted)) => Some("adopt"),
                (None, _) => None,
            },
            "idempotencyKey": self.call.and_then(|call| call.key.as_deref()),
            "httpStatus": self.error.and_then(|error| error.http_status),
            "targetId": self.attempt.known.target_id,
            "generation": self.attempt.known.generation,
            "retryCount": self.attempt.known.retry_count,
            "outcomeKnown": self.call.is_none_or(|call| call.definite),
        })
    }
}

fn error_json(error: &AttemptError) -> Value {
    json!({
        "code": error.code,
        "message": secrets::redact::redact_text(&error.message),
        "details": error.details_json(),
    })
}

/// The facts of an attempt whose lease held.
pub(super) fn facts(attempt: &Attempt, next_retry_at: Option<OffsetDateTime>, unknown: bool) -> Vec<PendingFact> {
    if put_back(attempt) {
        return Vec::new();
    }
    let claimed = &attempt.claimed;
    let target_id = attempt.known.target_id.clone();
    let duration_ms = u64::try_from(attempt.duration().as_millis()).unwrap_or(u64::MAX);
    let completed = |result: SyncResult| {
        OUTBOX.fact(SyncCompleted {
            sync_id: claimed.id,
            source_system: SourceSystem::Upcoach,
            entity_type: claimed.entity_type,
            source_id: claimed.source_id,
            target_id: target_id.clone(),
            result,
            request_counter: claimed.taken,
            duration_ms,
            batch_id: claimed.batch.map(BatchId),
            request_id: Some(attempt.request_id),
        })
    };
    vec![match &attempt.end {
        End::Synced(result) => completed(*result),
        End::Skipped { .. } => completed(SyncResult::Skipped),
        End::Failed { error, .. } => OUTBOX.fact(SyncFailed {
            sync_id: claimed.id,
            source_system: SourceSystem::Upcoach,
            entity_type: claimed.entity_type,
            source_id: claimed.source_id,
            target_id: target_id.clone(),
            error_code: error.code,
            outcome: if unknown { Outcome::Unknown } else { Outcome::Known },
            retry_count: attempt.known.retry_count,
            next_retry_at,
            request_counter: claimed.taken,
            duration_ms,
            batch_id: claimed.batch.map(BatchId),
            request_id: Some(attempt.request_id),
        }),
    }]
}

/// Writes down what was written under a lease that was lost, and makes those rows unknown, so that FlashERP is asked what it holds.
pub(super) async fn stray_writes(
    connection: &mut PgConnection,
    settle: Duration,
    lost: &[&Attempt],
) -> Result<(), sqlx::Error> {
    let mut wrote: Vec<(&Attempt, String)> =
        lost.iter().filter_map(|attempt| attempt.written().map(|target| (*attempt, target.to_string()))).collect();
    if wrote.is_empty() {
        return Ok(());
    }
    wrote.sort_by_key(|(attempt, _)| attempt.claimed.id);
    let ids: Vec<Uuid> = wrote.iter().map(|(attempt, _)| attempt.claimed.id.as_uuid()).collect();
    for (attempt, target_id) in &wrote {
        tracing::error!(sync_id = %attempt.claimed.id, target_id, "a write succeeded after its lease was lost; the record is looked up");
    }
    sqlx::query(
        "INSERT INTO sync.stray_writes (sync_id, target_id, generation, lease_owner)
         SELECT * FROM unnest($1::uuid[], $2::text[], $3::integer[], $4::uuid[])",
    )
    .bind(&ids)
    .bind(wrote.iter().map(|(_, target_id)| target_id.as_str()).collect::<Vec<_>>())
    .bind(
        wrote
            .iter()
            .map(|(attempt, _)| i32::try_from(attempt.known.generation).unwrap_or(i32::MAX))
            .collect::<Vec<_>>(),
    )
    .bind(wrote.iter().map(|(attempt, _)| attempt.claimed.owner).collect::<Vec<_>>())
    .execute(&mut *connection)
    .await?;
    // A row in another worker's hands keeps its lease; that worker's finish leaves it unknown. The rows are locked already, in id order.
    sqlx::query(
        "UPDATE sync.erp_syncs s SET
            outcome = 'unknown',
            unknown_since = clock_timestamp(),
            settle_until = clock_timestamp() + $2,
            sync_status = CASE WHEN s.lease_owner IS NULL THEN 'failed' ELSE s.sync_status END,
            waits_for = NULL,
            next_retry_at = CASE WHEN s.lease_owner IS NULL THEN clock_timestamp() + $2 END,
            due_at = CASE WHEN s.lease_owner IS NULL THEN clock_timestamp() + $2 END,
            error_code = 'SYNC_CONFLICT',
            error_message = 'a write came through after its lease was lost; FlashERP is asked what it holds',
            updated_at = clock_timestamp()
         WHERE s.id = ANY ($1)",
    )
    .bind(&ids)
    .bind(settle)
    .execute(connection)
    .await?;
    Ok(())
}

/// Those stray writes are settled whose record was looked up and is known again. One that made a record of its own has made a double: those are
/// returned.
pub(super) async fn settle_stray_writes(
    connection: &mut PgConnection,
    held: &[&Attempt],
) -> Result<Vec<Duplicates>, sqlx::Error> {
    let known: Vec<Uuid> = held
        .iter()
        .filter(|attempt| attempt.claimed.outcome == Outcome::Unknown && !attempt.leaves_unknown())
        .map(|attempt| attempt.claimed.id.as_uuid())
        .collect();
    if known.is_empty() {
        return Ok(Vec::new());
    }
    let settled: Vec<(Uuid, String, Option<String>)> = sqlx::query_as(
        "UPDATE sync.stray_writes w SET settled_at = clock_timestamp() FROM sync.erp_syncs s
         WHERE w.sync_id = ANY ($1) AND w.settled_at IS NULL AND s.id = w.sync_id AND s.outcome = 'known'
         RETURNING w.sync_id, w.target_id, s.target_id",
    )
    .bind(known)
    .fetch_all(connection)
    .await?;
    let double = |(sync, stray, adopted): (Uuid, String, Option<String>)| {
        let adopted = adopted.filter(|adopted| *adopted != stray)?;
        let claimed = &held.iter().find(|attempt| attempt.claimed.id.as_uuid() == sync)?.claimed;
        Some(Duplicates {
            sync_id: claimed.id,
            entity_type: claimed.entity_type,
            source_id: claimed.source_id,
            adopted: FlashErpId::new(adopted).ok()?,
            others: vec![FlashErpId::new(stray).ok()?],
        })
    };
    Ok(settled.into_iter().filter_map(double).collect())
}

/// What look-ups by reference found beside the record that was adopted.
pub(super) fn duplicates(held: &[&Attempt]) -> Vec<Duplicates> {
    held.iter()
        .filter(|attempt| !attempt.duplicates.is_empty())
        .filter_map(|attempt| {
            Some(Duplicates {
                sync_id: attempt.claimed.id,
                entity_type: attempt.claimed.entity_type,
                source_id: attempt.claimed.source_id,
                adopted: attempt.known.target_id.clone()?,
                others: attempt.duplicates.clone(),
            })
        })
        .collect()
}

/// Settles what batches asked of these rows (id and status), which have come to rest.
pub(super) async fn settle_batch_items(
    connection: &mut PgConnection,
    at_rest: &[(Uuid, &str)],
) -> Result<(), sqlx::Error> {
    if at_rest.is_empty() {
        return Ok(());
    }
    sqlx::query(
        "UPDATE sync.batch_items i SET
            result = CASE s.status WHEN 'synced' THEN 'done' WHEN 'skipped' THEN 'skipped' ELSE 'failed' END::sync.batch_result,
            settled_at = clock_timestamp()
         FROM unnest($1::uuid[], $2::text[]) AS s (id, status)
         WHERE i.sync_id = s.id AND i.result IS NULL",
    )
    .bind(at_rest.iter().map(|(id, _)| *id).collect::<Vec<_>>())
    .bind(at_rest.iter().map(|(_, status)| *status).collect::<Vec<_>>())
    .execute(connection)
    .await?;
    Ok(())
}
