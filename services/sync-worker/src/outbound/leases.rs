//! Leases that ran out. Their holder died or froze, maybe in the middle of a write: the outcome is unknown since the lease's end, and the row is looked
//! up once the settle time after it is over.

use std::time::Duration;

use sqlx::PgPool;

/// Rows freed in one round.
const PAGE: i32 = 1000;

/// Frees what expired leases hold; returns how many rows. Waits for no lock, so it takes part in no ring of waiters.
///
/// # Errors
/// The database can't be reached.
pub(super) async fn expire(pool: &PgPool, settle: Duration) -> Result<u64, sqlx::Error> {
    let freed: i32 =
        sqlx::query_scalar("SELECT sync.free_expired_leases($1, $2)").bind(settle).bind(PAGE).fetch_one(pool).await?;
    Ok(u64::try_from(freed).unwrap_or(0))
}
