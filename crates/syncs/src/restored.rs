//! After a restore of Postgres from backup: FlashERP knows more than we do.
//!
//! One transaction sets `adopted_at` to now, so that every record without a target that was born before is looked up before it is made; holds all
//! calls until no write of before the restore can take effect any more; and begins a new epoch of the audit log, whose first row names the head that
//! was restored. Run again it does the same again, which costs look-ups and a pause.

use std::time::Duration;

use sqlx::PgPool;
use time::OffsetDateTime;

/// What was done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Restored {
    /// The audit log's new epoch.
    pub epoch: i32,
    /// The head of the last seal in the restored database; none if nothing was sealed yet.
    pub head: Option<Vec<u8>>,
    /// Nothing is sent before.
    pub not_before: OffsetDateTime,
    /// Whether there is a configuration, whose `adopted_at` is now.
    pub configured: bool,
}

/// Marks the database as restored. As its owner, before services work on it. `settle`: how long FlashERP may still act on a write that it has received.
///
/// # Errors
/// The database; nothing was changed.
pub async fn restored(pool: &PgPool, by: &str, note: Option<&str>, settle: Duration) -> Result<Restored, sqlx::Error> {
    let mut transaction = pool.begin().await?;
    // Waits for who is writing to the log, so that no row of the old epoch appears after the new one has begun: then the old one can be sealed whole.
    sqlx::query("LOCK TABLE audit.erp_audit_logs IN SHARE ROW EXCLUSIVE MODE").execute(&mut *transaction).await?;
    let (epoch, head): (i32, Option<Vec<u8>>) = sqlx::query_as(
        "INSERT INTO audit.epochs (epoch, restored_head, note)
         SELECT audit.current_epoch() + 1, (SELECT head FROM audit.seals ORDER BY number DESC LIMIT 1),
            coalesce($1, 'restored from backup')
         RETURNING epoch, restored_head",
    )
    .bind(note)
    .fetch_one(&mut *transaction)
    .await?;
    let configured =
        sqlx::query("UPDATE config.erp_configurations SET adopted_at = clock_timestamp(), updated_by = $1")
            .bind(by)
            .execute(&mut *transaction)
            .await?
            .rows_affected()
            > 0;
    let not_before: OffsetDateTime = sqlx::query_scalar(
        "UPDATE sync.outbound_gate SET not_before = greatest(not_before, clock_timestamp() + $1),
            not_before_reason = 'SERVICE_UNAVAILABLE', version = version + 1, updated_at = clock_timestamp()
         RETURNING not_before",
    )
    .bind(settle)
    .fetch_one(&mut *transaction)
    .await?;
    sqlx::query(
        "INSERT INTO audit.erp_audit_logs (action, entity_type, status, performed_by, metadata)
         VALUES ('config_updated', 'database', 'success', $1, jsonb_build_object('operation', 'database.restored', 'epoch', $2::integer,
            'restoredHead', encode($3, 'hex'), 'note', $4::text))",
    )
    .bind(by)
    .bind(epoch)
    .bind(&head)
    .bind(note)
    .execute(&mut *transaction)
    .await?;
    transaction.commit().await?;
    Ok(Restored { epoch, head, not_before, configured })
}
