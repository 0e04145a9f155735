//! A change of FlashERP's that UpCoach's own lock kept out, every time that it was tried (`UPCOACH_MODE=views`): it becomes a finding. A
//! reconciliation of just that record says what differs; a person heals it, or replays the event.

use domain::EntityType;
use sqlx::PgConnection;
use time::OffsetDateTime;

use super::event::{FlasherpEvent, What};

/// Asks for a reconciliation of the record that the event is about.
pub(crate) async fn report(connection: &mut PgConnection, event: &FlasherpEvent) -> Result<(), sqlx::Error> {
    let (kind, born) = match &event.what {
        What::Record { kind, record, .. } => (*kind, Some(record.created_at)),
        What::PaymentFailed(failed) => {
            let target = failed.transaction_id.as_ref().map(|id| id.as_str().to_owned());
            let born: Option<Option<OffsetDateTime>> = sqlx::query_scalar(
                "SELECT target_created_at FROM sync.erp_syncs
                 WHERE source_type = 'transaction' AND (target_id = $1 OR source_id::text = $2) ORDER BY id LIMIT 1",
            )
            .bind(target)
            .bind(failed.upcoach_reference.as_deref())
            .fetch_optional(&mut *connection)
            .await?;
            (EntityType::Transaction, born.flatten())
        }
        What::BulkJob(_) | What::Other => return Ok(()),
    };
    let Some(born) = born else { return Ok(()) };
    // What changed a moment ago is what is to be found: no cut-off.
    sqlx::query(
        "SELECT reconciliation.request($1, $1 + interval '1 second', ARRAY[$2]::sync.entity_type[], false, 0, 'flasherp', 'locked:' || $3)",
    )
    .bind(born)
    .bind(kind.as_str())
    .bind(&event.id)
    .execute(connection)
    .await?;
    Ok(())
}
