//! Loading the books.

use std::collections::BTreeSet;

use sqlx::PgConnection;
use uuid::Uuid;

use super::Needs;
use crate::inbound::stripe::books::{Books, Row as _};
use crate::inbound::stripe::invoice::Invoice;
use crate::inbound::stripe::subscription::Subscription;
use crate::inbound::stripe::transaction::Transaction;
use crate::inbound::stripe::user::User;

/// Loads and locks what the events may touch.
pub(crate) async fn load(connection: &mut PgConnection, needs: &Needs) -> Result<Books, sqlx::Error> {
    let mut books = Books::default();
    lock_invoices(connection, needs).await?;
    users(connection, needs, &mut books).await?;
    subscriptions(connection, needs, &mut books).await?;
    invoices(connection, needs, &mut books).await?;
    transactions(connection, needs, &mut books).await?;
    Ok(books)
}

fn list<T: Clone>(ids: &BTreeSet<T>) -> Vec<T> {
    ids.iter().cloned().collect()
}

/// Two batches of which one brings an invoice and the other its payment would not see each other's row. A thousand locks for all invoices,
/// taken in order, so that the size of a batch is no matter.
async fn lock_invoices(connection: &mut PgConnection, needs: &Needs) -> Result<(), sqlx::Error> {
    if needs.invoices.is_empty() {
        return Ok(());
    }
    sqlx::query(
        "SELECT pg_advisory_xact_lock(hashtext('upcoach.invoices'), bucket)
         FROM (SELECT DISTINCT hashtext(id) & 1023 AS bucket FROM unnest($1::text[]) AS named (id) ORDER BY bucket) AS buckets",
    )
    .bind(list(&needs.invoices))
    .execute(connection)
    .await?;
    Ok(())
}

async fn users(connection: &mut PgConnection, needs: &Needs, books: &mut Books) -> Result<(), sqlx::Error> {
    const COLUMNS: &str = "id, email, name, stripe_customer_id, stripe_facts, created_at";
    let customers: Vec<String> = needs.written_customers.union(&needs.customers).cloned().collect();
    let links: Vec<(String, Uuid)> = if customers.is_empty() {
        Vec::new()
    } else {
        sqlx::query_as(
            "SELECT stripe_customer_id, user_id FROM upcoach.user_stripe_customers WHERE stripe_customer_id = ANY ($1)",
        )
        .bind(&customers)
        .fetch_all(&mut *connection)
        .await?
    };
    let linked: Vec<Uuid> = links.iter().map(|(_, user)| *user).collect();
    let mut rows: Vec<User> = Vec::new();
    if !needs.written_customers.is_empty() {
        rows = sqlx::query_as(sqlx::AssertSqlSafe(format!(
            "SELECT {COLUMNS} FROM upcoach.users
             WHERE id IN (
                SELECT id FROM upcoach.users WHERE id = ANY ($1)
                UNION SELECT id FROM upcoach.users WHERE stripe_customer_id = ANY ($2)
                UNION SELECT user_id FROM upcoach.user_stripe_customers WHERE stripe_customer_id = ANY ($2)
                UNION SELECT id FROM upcoach.users WHERE lower(email) = ANY ($3))
             ORDER BY id FOR UPDATE"
        )))
        .bind(list(&needs.written_users))
        .bind(list(&needs.written_customers))
        .bind(list(&needs.emails))
        .fetch_all(&mut *connection)
        .await?;
    }
    if !needs.users.is_empty() || !needs.customers.is_empty() {
        // Only named: read, not locked. What was locked above comes first and stays.
        let named: Vec<User> = sqlx::query_as(sqlx::AssertSqlSafe(format!(
            "SELECT {COLUMNS} FROM upcoach.users
             WHERE id IN (
                SELECT id FROM upcoach.users WHERE id = ANY ($1)
                UNION SELECT id FROM upcoach.users WHERE stripe_customer_id = ANY ($2))"
        )))
        .bind(needs.users.iter().copied().chain(linked).collect::<Vec<_>>())
        .bind(list(&needs.customers))
        .fetch_all(connection)
        .await?;
        rows.extend(named);
    }
    books.users.load(rows, links);
    Ok(())
}

async fn subscriptions(connection: &mut PgConnection, needs: &Needs, books: &mut Books) -> Result<(), sqlx::Error> {
    if needs.subscriptions.is_empty() {
        return Ok(());
    }
    let rows: Vec<Subscription> = sqlx::query_as(
        "SELECT id, user_id, stripe_subscription_id, stripe_customer_id, plan, status, billing_interval, amount, currency,
            trial_start, trial_end, current_period_start, current_period_end, canceled_at, stripe_facts, created_at
         FROM upcoach.subscriptions WHERE stripe_subscription_id = ANY ($1) ORDER BY id FOR UPDATE",
    )
    .bind(list(&needs.subscriptions))
    .fetch_all(connection)
    .await?;
    books.subscriptions.load(rows);
    Ok(())
}

async fn invoices(connection: &mut PgConnection, needs: &Needs, books: &mut Books) -> Result<(), sqlx::Error> {
    if needs.invoices.is_empty() {
        return Ok(());
    }
    let rows: Vec<Invoice> = sqlx::query_as(
        "SELECT id, user_id, subscription_id, transaction_id, stripe_invoice_id, flasherp_invoice_id, origin, status, amount,
            currency, due_date, paid_at, stripe_facts, created_at
         FROM upcoach.invoices WHERE stripe_invoice_id = ANY ($1) ORDER BY id FOR UPDATE",
    )
    .bind(list(&needs.invoices))
    .fetch_all(connection)
    .await?;
    books.invoices.load(rows);
    Ok(())
}

async fn transactions(connection: &mut PgConnection, needs: &Needs, books: &mut Books) -> Result<(), sqlx::Error> {
    const COLUMNS: &str = "id, user_id, subscription_id, stripe_transaction_id, type, status, amount, currency, payment_method,
        description, stripe_invoice_id, stripe_charge_id, stripe_refund_id, original_id, failure_reason, refunded_amount, fee, net,
        stripe_facts, created_at";
    if needs.payments.is_empty() && needs.refunds.is_empty() && needs.paid_invoices.is_empty() {
        return Ok(());
    }
    let rows: Vec<Transaction> = sqlx::query_as(sqlx::AssertSqlSafe(format!(
        "SELECT {COLUMNS} FROM upcoach.transactions
         WHERE id IN (
            SELECT id FROM upcoach.transactions WHERE stripe_transaction_id = ANY ($1)
            UNION SELECT id FROM upcoach.transactions WHERE stripe_charge_id = ANY ($1) AND type = 'payment'
            UNION SELECT id FROM upcoach.transactions WHERE stripe_refund_id = ANY ($2)
            UNION SELECT id FROM upcoach.transactions WHERE stripe_invoice_id = ANY ($3) AND type = 'payment')
         ORDER BY id FOR UPDATE"
    )))
    .bind(list(&needs.payments))
    .bind(list(&needs.refunds))
    .bind(list(&needs.paid_invoices))
    .fetch_all(&mut *connection)
    .await?;
    let originals: Vec<Uuid> = rows
        .iter()
        .filter(|row| row.is_payment() && row.names().iter().any(|(id, _)| needs.refunded.contains(id)))
        .map(|row| row.id)
        .collect();
    books.transactions.load(rows);
    if !originals.is_empty() {
        // In a statement of its own, so that it sees the refunds that were written while the first waited for the payment's lock. They are
        // written only under that lock.
        let refunds: Vec<Transaction> = sqlx::query_as(sqlx::AssertSqlSafe(format!(
            "SELECT {COLUMNS} FROM upcoach.transactions WHERE original_id = ANY ($1)"
        )))
        .bind(&originals)
        .fetch_all(connection)
        .await?;
        books.transactions.load(refunds);
    }
    Ok(())
}
