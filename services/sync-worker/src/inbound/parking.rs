//! Parked events: woken in the transaction that makes what they wait for. That transaction and the parking one may pass each other
//! unseen, so both look again right after their commit; should a process die between the two, a sweep looks once a minute.

use sqlx::PgPool;
use uuid::Uuid;

use super::batch;

/// Keys looked at in one round of the sweep.
const PAGE: i32 = 1000;

/// Wakes events that wait for one of these keys if what it names is there; returns their ids.
pub(super) async fn wake_known(pool: &PgPool, keys: &[String]) -> Result<Vec<Uuid>, sqlx::Error> {
    let mut transaction = pool.begin().await?;
    let known: Vec<String> = sqlx::query_scalar(
        "SELECT key FROM (
            SELECT key, split_part(key, ':', 1) AS kind, substr(key, strpos(key, ':') + 1) AS id
            FROM unnest($1::text[]) AS parked (key)) AS parked
         WHERE CASE kind
            WHEN 'user' THEN EXISTS (SELECT FROM upcoach.users u WHERE u.id = parked.id::uuid)
            WHEN 'stripe_customer' THEN
                EXISTS (SELECT FROM upcoach.users u WHERE u.stripe_customer_id = parked.id)
                OR EXISTS (SELECT FROM upcoach.user_stripe_customers c WHERE c.stripe_customer_id = parked.id)
            WHEN 'subscription' THEN EXISTS (SELECT FROM upcoach.subscriptions s WHERE s.stripe_subscription_id = parked.id)
            WHEN 'invoice' THEN EXISTS (SELECT FROM upcoach.invoices i WHERE i.stripe_invoice_id = parked.id)
            WHEN 'payer_of' THEN EXISTS (SELECT FROM upcoach.transactions t WHERE t.stripe_transaction_id = parked.id)
            WHEN 'payment' THEN
                EXISTS (SELECT FROM upcoach.transactions t WHERE t.stripe_transaction_id = parked.id AND t.type = 'payment')
                OR EXISTS (SELECT FROM upcoach.transactions t WHERE t.stripe_charge_id = parked.id AND t.type = 'payment')
            WHEN 'refund_of' THEN
                (SELECT count(*) FROM upcoach.transactions t
                 WHERE t.stripe_charge_id = split_part(parked.id, ':', 1) AND t.type = 'refund')
                > split_part(parked.id, ':', 2)::bigint
            WHEN 'transaction' THEN EXISTS (SELECT FROM upcoach.transactions t WHERE t.id = parked.id::uuid)
            WHEN 'flasherp_customer' THEN
                EXISTS (SELECT FROM sync.erp_syncs s WHERE s.target_id = parked.id AND s.source_type = 'customer')
            WHEN 'flasherp_transaction' THEN
                EXISTS (SELECT FROM sync.erp_syncs s WHERE s.target_id = parked.id AND s.source_type = 'transaction')
            WHEN 'sync' THEN EXISTS (
                SELECT FROM sync.erp_syncs s
                WHERE s.id = parked.id::uuid AND s.sync_status <> 'syncing' AND s.outcome = 'known')
            ELSE false END",
    )
    .bind(keys)
    .fetch_all(&mut *transaction)
    .await?;
    let woken = batch::wake(&mut transaction, &known).await?;
    transaction.commit().await?;
    Ok(woken)
}

/// Wakes what waits for attempts of outbound that have ended since; returns the events.
pub(super) async fn wake_finished(pool: &PgPool) -> Result<Vec<Uuid>, sqlx::Error> {
    const KIND: &str = "sync:";
    let mut keys: Vec<String> =
        sqlx::query_scalar("SELECT ingress.parked_keys($1, $2)").bind(KIND).bind(PAGE).fetch_all(pool).await?;
    keys.retain(|key| key.starts_with(KIND));
    if keys.is_empty() { Ok(Vec::new()) } else { wake_known(pool, &keys).await }
}

/// Looks at all parked keys, a page at a time; returns the events that it woke.
pub(super) async fn sweep(pool: &PgPool) -> Result<Vec<Uuid>, sqlx::Error> {
    let mut woken = Vec::new();
    let mut after = String::new();
    loop {
        let keys: Vec<String> =
            sqlx::query_scalar("SELECT ingress.parked_keys($1, $2)").bind(&after).bind(PAGE).fetch_all(pool).await?;
        let Some(last) = keys.last() else { return Ok(woken) };
        after.clone_from(last);
        woken.extend(wake_known(pool, &keys).await?);
    }
}
