//! Writing the books back: what is new is inserted, what changed is updated, in id order. Rows travel as one JSON array a statement.

use serde::Serialize;
use sqlx::PgConnection;
use sqlx::types::Json;

use crate::inbound::apply::ApplyError;
use crate::inbound::stripe::books::{Alert, Books};

/// Writes what is new and what changed.
pub(crate) async fn save(connection: &mut PgConnection, books: &Books) -> Result<(), ApplyError> {
    insert(
        connection,
        &books.users.made(),
        "INSERT INTO upcoach.users (id, email, name, stripe_customer_id, stripe_facts, created_at)
         SELECT id, email, name, stripe_customer_id, stripe_facts, created_at
         FROM jsonb_populate_recordset(NULL::upcoach.users, $1) ON CONFLICT DO NOTHING",
    )
    .await?;
    update(
        connection,
        &books.users.changed(),
        "UPDATE upcoach.users u
         SET email = n.email, name = n.name, stripe_customer_id = n.stripe_customer_id, stripe_facts = n.stripe_facts,
            updated_at = clock_timestamp()
         FROM jsonb_populate_recordset(NULL::upcoach.users, $1) AS n WHERE u.id = n.id",
    )
    .await?;
    let links: Vec<Link<'_>> =
        books.users.new_links().map(|(stripe_customer_id, user_id)| Link { stripe_customer_id, user_id }).collect();
    insert(
        connection,
        &links.iter().collect::<Vec<_>>(),
        "INSERT INTO upcoach.user_stripe_customers (stripe_customer_id, user_id)
         SELECT stripe_customer_id, user_id FROM jsonb_populate_recordset(NULL::upcoach.user_stripe_customers, $1)
         ON CONFLICT DO NOTHING",
    )
    .await?;
    insert(
        connection,
        &books.subscriptions.made(),
        "INSERT INTO upcoach.subscriptions (id, user_id, stripe_subscription_id, stripe_customer_id, plan, status,
            billing_interval, amount, currency, trial_start, trial_end, current_period_start, current_period_end, canceled_at,
            stripe_facts, created_at)
         SELECT id, user_id, stripe_subscription_id, stripe_customer_id, plan, status, billing_interval, amount, currency,
            trial_start, trial_end, current_period_start, current_period_end, canceled_at, stripe_facts, created_at
         FROM jsonb_populate_recordset(NULL::upcoach.subscriptions, $1) ON CONFLICT DO NOTHING",
    )
    .await?;
    update(
        connection,
        &books.subscriptions.changed(),
        "UPDATE upcoach.subscriptions s
         SET plan = n.plan, status = n.status, billing_interval = n.billing_interval, amount = n.amount, currency = n.currency,
            trial_start = n.trial_start, trial_end = n.trial_end, current_period_start = n.current_period_start,
            current_period_end = n.current_period_end, canceled_at = n.canceled_at, stripe_facts = n.stripe_facts,
            updated_at = clock_timestamp()
         FROM jsonb_populate_recordset(NULL::upcoach.subscriptions, $1) AS n WHERE s.id = n.id",
    )
    .await?;
    insert(
        connection,
        &books.invoices.made(),
        "INSERT INTO upcoach.invoices (id, user_id, subscription_id, transaction_id, stripe_invoice_id, origin, status, amount,
            currency, due_date, paid_at, stripe_facts, created_at)
         SELECT id, user_id, subscription_id, transaction_id, stripe_invoice_id, origin, status, amount, currency, due_date,
            paid_at, stripe_facts, created_at
         FROM jsonb_populate_recordset(NULL::upcoach.invoices, $1) ON CONFLICT DO NOTHING",
    )
    .await?;
    update(
        connection,
        &books.invoices.changed(),
        "UPDATE upcoach.invoices i
         SET subscription_id = n.subscription_id, transaction_id = n.transaction_id, status = n.status, amount = n.amount,
            currency = n.currency, due_date = n.due_date, paid_at = n.paid_at, stripe_facts = n.stripe_facts,
            updated_at = clock_timestamp()
         FROM jsonb_populate_recordset(NULL::upcoach.invoices, $1) AS n WHERE i.id = n.id",
    )
    .await?;
    insert(
        connection,
        &books.transactions.made(),
        "INSERT INTO upcoach.transactions (id, user_id, subscription_id, stripe_transaction_id, type, status, amount, currency,
            payment_method, description, stripe_invoice_id, stripe_charge_id, stripe_refund_id, original_id, failure_reason,
            refunded_amount, fee, net, stripe_facts, created_at)
         SELECT id, user_id, subscription_id, stripe_transaction_id, type, status, amount, currency, payment_method, description,
            stripe_invoice_id, stripe_charge_id, stripe_refund_id, original_id, failure_reason, refunded_amount, fee, net,
            stripe_facts, created_at
         FROM jsonb_populate_recordset(NULL::upcoach.transactions, $1) ON CONFLICT DO NOTHING",
    )
    .await?;
    update(
        connection,
        &books.transactions.changed(),
        "UPDATE upcoach.transactions t
         SET subscription_id = n.subscription_id, status = n.status, amount = n.amount, currency = n.currency,
            payment_method = n.payment_method, description = n.description, stripe_invoice_id = n.stripe_invoice_id,
            stripe_charge_id = n.stripe_charge_id, original_id = n.original_id, failure_reason = n.failure_reason,
            refunded_amount = n.refunded_amount, fee = n.fee, net = n.net, stripe_facts = n.stripe_facts,
            created_at = n.created_at, updated_at = clock_timestamp()
         FROM jsonb_populate_recordset(NULL::upcoach.transactions, $1) AS n WHERE t.id = n.id",
    )
    .await?;
    raise_alerts(connection, &books.alerts).await?;
    Ok(())
}

#[derive(Serialize)]
struct Link<'a> {
    stripe_customer_id: &'a str,
    user_id: uuid::Uuid,
}

/// # Errors
/// [`ApplyError::Raced`] when one of the rows is there by now.
async fn insert(
    connection: &mut PgConnection,
    rows: &[&impl Serialize],
    statement: &'static str,
) -> Result<(), ApplyError> {
    if rows.is_empty() {
        return Ok(());
    }
    let made = sqlx::query(statement).bind(Json(rows)).execute(connection).await?.rows_affected();
    if made == rows.len() as u64 { Ok(()) } else { Err(ApplyError::Raced) }
}

async fn update(
    connection: &mut PgConnection,
    rows: &[&impl Serialize],
    statement: &'static str,
) -> Result<(), sqlx::Error> {
    if !rows.is_empty() {
        sqlx::query(statement).bind(Json(rows)).execute(connection).await?;
    }
    Ok(())
}

/// Raises alerts, one open one for each thing that they are about.
pub(crate) async fn raise_alerts(connection: &mut PgConnection, alerts: &[Alert]) -> Result<(), sqlx::Error> {
    if alerts.is_empty() {
        return Ok(());
    }
    let kinds: Vec<String> = alerts
        .iter()
        .map(|alert| match serde_json::to_value(alert.kind) {
            Ok(serde_json::Value::String(kind)) => kind,
            _ => String::new(),
        })
        .collect();
    let fingerprints: Vec<String> =
        kinds.iter().zip(alerts).map(|(kind, alert)| format!("{kind}:{}", alert.about)).collect();
    sqlx::query(
        "SELECT scheduling.raise_alert(kind, 'warning', fingerprint, message, details)
         FROM (SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::jsonb[])
            AS a (kind, fingerprint, message, details) ORDER BY fingerprint) AS alerts",
    )
    .bind(kinds)
    .bind(fingerprints)
    .bind(alerts.iter().map(|alert| alert.message.as_str()).collect::<Vec<_>>())
    .bind(alerts.iter().map(|alert| &alert.details).collect::<Vec<_>>())
    .execute(connection)
    .await?;
    Ok(())
}
