//! Dependents that wait for their customer: without a lease, without spending retries. They are woken by the customer's finish; once a
//! minute a sweep looks for those that nobody woke.

use domain::SyncId;
use sqlx::{PgConnection, PgPool};
use uuid::Uuid;

use super::claim::Claimed;

/// Puts claimed dependents to wait for their customers, unless a customer has got a target or came to an end meanwhile (read under its
/// lock, so that its finish either sees the waiting or is seen). Returns those that now wait.
pub(super) async fn wait(pool: &PgPool, pairs: &[(&Claimed, SyncId)]) -> Result<Vec<SyncId>, sqlx::Error> {
    let mut transaction = pool.begin().await?;
    let all: Vec<Uuid> =
        pairs.iter().flat_map(|(claimed, customer)| [claimed.id.as_uuid(), customer.as_uuid()]).collect();
    sqlx::query("SELECT FROM sync.erp_syncs WHERE id = ANY ($1) ORDER BY id FOR UPDATE")
        .bind(all)
        .execute(&mut *transaction)
        .await?;
    let waiting: Vec<Uuid> = sqlx::query_scalar(
        "UPDATE sync.erp_syncs s SET
            sync_status = CASE WHEN s.outcome = 'unknown' THEN 'failed' ELSE 'pending' END::sync.sync_status,
            waits_for = c.id, due_at = NULL, lease_owner = NULL, lease_until = NULL, updated_at = clock_timestamp()
         FROM unnest($1::uuid[], $2::uuid[], $3::uuid[]) AS d (id, owner, customer)
         JOIN sync.erp_syncs c ON c.id = d.customer
         WHERE s.id = d.id AND s.lease_owner = d.owner AND c.target_id IS NULL
            AND (c.sync_status IN ('pending', 'syncing') OR c.due_at IS NOT NULL)
         RETURNING s.id",
    )
    .bind(pairs.iter().map(|(claimed, _)| claimed.id.as_uuid()).collect::<Vec<_>>())
    .bind(pairs.iter().map(|(claimed, _)| claimed.owner).collect::<Vec<_>>())
    .bind(pairs.iter().map(|(_, customer)| customer.as_uuid()).collect::<Vec<_>>())
    .fetch_all(&mut *transaction)
    .await?;
    transaction.commit().await?;
    Ok(waiting.into_iter().map(SyncId).collect())
}

/// Makes those due that wait for one of these customers. In the customer's finishing transaction. `also_failed`: those that
/// failed because of it as well, now that it has succeeded.
pub(super) async fn wake(
    connection: &mut PgConnection,
    customers: &[Uuid],
    also_failed: bool,
) -> Result<Vec<SyncId>, sqlx::Error> {
    if customers.is_empty() {
        return Ok(Vec::new());
    }
    let woken: Vec<Uuid> = sqlx::query_scalar(
        "UPDATE sync.erp_syncs s SET
            waits_for = NULL,
            sync_status = CASE WHEN s.outcome = 'unknown' THEN 'failed' ELSE 'pending' END::sync.sync_status,
            due_at = greatest(clock_timestamp(), s.settle_until, s.not_before),
            updated_at = clock_timestamp()
         WHERE s.id IN (SELECT id FROM sync.erp_syncs WHERE waits_for = ANY ($1) ORDER BY id FOR UPDATE)
            AND s.waits_for = ANY ($1) AND ($2 OR s.sync_status <> 'failed' OR s.outcome = 'unknown')
         RETURNING s.id",
    )
    .bind(customers)
    .bind(also_failed)
    .fetch_all(connection)
    .await?;
    Ok(woken.into_iter().map(SyncId).collect())
}

/// Wakes whoever waits for a customer that is ready, has come to an end or is gone. Returns how many.
pub(super) async fn sweep(pool: &PgPool) -> Result<usize, sqlx::Error> {
    let mut transaction = pool.begin().await?;
    let ready: Vec<Uuid> = sqlx::query_scalar(
        "SELECT DISTINCT w.waits_for FROM sync.erp_syncs w JOIN sync.erp_syncs c ON c.id = w.waits_for
         WHERE c.target_id IS NOT NULL",
    )
    .fetch_all(&mut *transaction)
    .await?;
    let ended: Vec<Uuid> = sqlx::query_scalar(
        "SELECT DISTINCT w.waits_for FROM sync.erp_syncs w LEFT JOIN sync.erp_syncs c ON c.id = w.waits_for
         WHERE w.waits_for IS NOT NULL AND (w.sync_status <> 'failed' OR w.outcome = 'unknown')
            AND (c.id IS NULL OR (c.sync_status IN ('failed', 'skipped') AND c.due_at IS NULL))",
    )
    .fetch_all(&mut *transaction)
    .await?;
    let woken = wake(&mut transaction, &ready, true).await?.len() + wake(&mut transaction, &ended, false).await?.len();
    transaction.commit().await?;
    Ok(woken)
}
