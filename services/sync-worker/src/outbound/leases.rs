//! Leases that ran out. Their holder died or froze, maybe in the middle of a write: the outcome is unknown since the lease's end, and the row is looked
//! up once the settle time after it is over.

use std::time::Duration;

use sqlx::PgPool;

/// Rows freed in one round.
const PAGE: i64 = 1000;

/// Frees what expired leases hold; returns how many rows. Waits for no lock, so it takes part in no ring of waiters.
///
/// # Errors
/// The database can't be reached.
pub(super) async fn expire(pool: &PgPool, settle: Duration) -> Result<u64, sqlx::Error> {
    let done = sqlx::query(
        "WITH expired AS MATERIALIZED (
            SELECT id FROM sync.erp_syncs WHERE lease_until < statement_timestamp() LIMIT $2 FOR UPDATE SKIP LOCKED)
         UPDATE sync.erp_syncs s SET
            sync_status = 'failed',
            outcome = 'unknown',
            unknown_since = coalesce(s.unknown_since, s.lease_until),
            settle_until = greatest(s.settle_until, s.lease_until + $1),
            next_retry_at = greatest(s.settle_until, s.lease_until + $1),
            due_at = greatest(s.settle_until, s.lease_until + $1),
            error_code = 'TIMEOUT',
            error_message = 'the worker that held this sync stopped answering; FlashERP is asked what it has',
            error_details = NULL,
            lease_owner = NULL,
            lease_until = NULL,
            updated_at = clock_timestamp()
         FROM expired WHERE s.id = expired.id",
    )
    .bind(settle)
    .bind(PAGE)
    .execute(pool)
    .await?;
    Ok(done.rows_affected())
}
