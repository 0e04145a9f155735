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
        "SELECT key FROM unnest($1::text[]) AS parked (key)
         WHERE EXISTS (SELECT FROM upcoach.users
                WHERE key LIKE 'stripe\\_customer:%' AND stripe_customer_id = substr(key, length('stripe_customer:') + 1))
            OR EXISTS (SELECT FROM upcoach.user_stripe_customers
                WHERE key LIKE 'stripe\\_customer:%' AND stripe_customer_id = substr(key, length('stripe_customer:') + 1))
            OR EXISTS (SELECT FROM upcoach.users
                WHERE id = CASE WHEN key LIKE 'user:%' THEN substr(key, length('user:') + 1)::uuid END)",
    )
    .bind(keys)
    .fetch_all(&mut *transaction)
    .await?;
    let woken = batch::wake(&mut transaction, &known).await?;
    transaction.commit().await?;
    Ok(woken)
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
