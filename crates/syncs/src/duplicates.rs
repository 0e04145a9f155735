//! Records of ours that FlashERP holds more than once: a finding for each that is too many, an alert, and `sync.duplicate_found`. Nothing is deleted
//! in FlashERP by itself.
//!
//! All three are in the transaction that learned of it.

use domain::{EntityType, FlashErpId, SyncId};
use events::SyncDuplicateFound;
use messaging::PendingFact;
use serde_json::json;
use sqlx::PgConnection;
use uuid::Uuid;

use crate::OUTBOX;

/// A record that FlashERP holds more than once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Duplicates {
    /// Its sync.
    pub sync_id: SyncId,
    /// Its type.
    pub entity_type: EntityType,
    /// UpCoach's id.
    pub source_id: Uuid,
    /// The one that is kept in step.
    pub adopted: FlashErpId,
    /// Those that are too many.
    pub others: Vec<FlashErpId>,
}

impl Duplicates {
    fn message(&self) -> String {
        let others: Vec<&str> = self.others.iter().map(FlashErpId::as_str).collect();
        format!(
            "FlashERP holds {} {} more than once: {} is kept in step; merge or delete there: {}",
            self.entity_type,
            self.source_id,
            self.adopted,
            others.join(", ")
        )
    }

    fn fact(&self) -> PendingFact {
        OUTBOX.fact(SyncDuplicateFound {
            sync_id: self.sync_id,
            entity_type: self.entity_type,
            source_id: self.source_id,
            adopted_target_id: self.adopted.clone(),
            duplicate_target_ids: self.others.clone(),
        })
    }
}

/// Writes all of it down. Ring the relay after the commit.
///
/// # Errors
/// The database; the transaction is then to be rolled back.
pub async fn note(connection: &mut PgConnection, found: &[Duplicates]) -> Result<(), sqlx::Error> {
    if found.is_empty() {
        return Ok(());
    }
    let each: Vec<(&Duplicates, &FlashErpId)> =
        found.iter().flat_map(|record| record.others.iter().map(move |other| (record, other))).collect();
    sqlx::query("SELECT reconciliation.note_duplicates($1::text[]::sync.entity_type[], $2, $3, $4)")
        .bind(each.iter().map(|(record, _)| record.entity_type.as_str()).collect::<Vec<_>>())
        .bind(each.iter().map(|(record, _)| record.source_id).collect::<Vec<_>>())
        .bind(each.iter().map(|(record, _)| record.sync_id.as_uuid()).collect::<Vec<_>>())
        .bind(each.iter().map(|(_, other)| other.as_str()).collect::<Vec<_>>())
        .execute(&mut *connection)
        .await?;
    sqlx::query(
        "SELECT count(scheduling.raise_alert('duplicate', 'critical', fingerprint, message, details))
         FROM (SELECT * FROM unnest($1::text[], $2::text[], $3::jsonb[]) AS a (fingerprint, message, details)
            ORDER BY fingerprint) AS alerts",
    )
    .bind(found.iter().map(|record| format!("duplicate:{}", record.sync_id)).collect::<Vec<_>>())
    .bind(found.iter().map(Duplicates::message).collect::<Vec<_>>())
    .bind(
        found
            .iter()
            .map(|record| json!({"syncId": record.sync_id, "adopted": record.adopted, "duplicates": record.others}))
            .collect::<Vec<_>>(),
    )
    .execute(&mut *connection)
    .await?;
    let facts: Vec<PendingFact> = found.iter().map(Duplicates::fact).collect();
    OUTBOX.insert(connection, &facts).await
}
