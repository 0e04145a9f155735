//! UpCoach's records by id: one statement per type, however many.

use std::collections::HashMap;

use domain::upcoach::{FinancialReport, Invoice, Subscription, Transaction, User};
use domain::{EntityType, FlashErpId, InvoiceId, SubscriptionId, TransactionId, UserId};
use sqlx::postgres::PgRow;
use sqlx::{PgPool, Row};
use uuid::Uuid;

use crate::SourceRecord;

/// Table or view of a type's records, and the columns that [`SourceRecord::from_row`] reads.
const fn source(kind: EntityType) -> (&'static str, &'static str) {
    match kind {
        EntityType::Customer => ("upcoach.users", "id, email, name, stripe_customer_id, created_at, updated_at"),
        EntityType::Transaction => (
            "upcoach.transactions",
            "id, user_id, subscription_id, stripe_transaction_id, type, status, amount, currency, payment_method, description,
                stripe_invoice_id, stripe_charge_id, stripe_refund_id, failure_reason, refunded_amount, fee, net, created_at, updated_at",
        ),
        EntityType::Subscription => (
            "upcoach.subscriptions",
            "id, user_id, stripe_subscription_id, stripe_customer_id, plan, status, billing_interval, amount, currency, trial_start,
                trial_end, current_period_start, current_period_end, canceled_at, created_at, updated_at",
        ),
        EntityType::Invoice => (
            "upcoach.invoices",
            "id, user_id, subscription_id, transaction_id, stripe_invoice_id, flasherp_invoice_id, origin, status, amount, currency,
                due_date, paid_at, created_at, updated_at",
        ),
        EntityType::FinancialReport => (
            "scheduling.reports_for_sync_worker",
            "id, period::text AS period, period_start, period_end, currency, revenue, costs, profit, mrr, arr, fees_incomplete, revision",
        ),
    }
}

/// `SELECT ... FROM ...` of all records of a type, for a statement that joins them with something; [`SourceRecord::from_row`] reads its rows.
#[must_use]
pub fn select_all(kind: EntityType) -> String {
    let (table, columns) = source(kind);
    format!("SELECT {columns} FROM {table}")
}

/// Loads the records of one type by id. Who is not there is not in the answer; one that can't be read says why, and stops no other.
///
/// # Errors
/// The database.
pub async fn load(
    pool: &PgPool,
    kind: EntityType,
    ids: &[Uuid],
) -> Result<HashMap<Uuid, Result<SourceRecord, String>>, sqlx::Error> {
    let statement = format!("{} WHERE id = ANY ($1)", select_all(kind));
    let rows = sqlx::query(sqlx::AssertSqlSafe(statement)).bind(ids).fetch_all(pool).await?;
    rows.iter()
        .map(|row| Ok((row.try_get("id")?, SourceRecord::from_row(kind, row).map_err(|error| error.to_string()))))
        .collect()
}

impl SourceRecord {
    /// Reads a row of [`select_all`].
    ///
    /// # Errors
    /// A column is missing, or holds what it can't.
    pub fn from_row(kind: EntityType, row: &PgRow) -> Result<Self, sqlx::Error> {
        read(kind, row)
    }
}

fn read(kind: EntityType, row: &PgRow) -> Result<SourceRecord, sqlx::Error> {
    Ok(match kind {
        EntityType::Customer => SourceRecord::Customer(User {
            id: UserId(row.try_get("id")?),
            email: row.try_get("email")?,
            name: row.try_get("name")?,
            stripe_customer_id: row.try_get("stripe_customer_id")?,
            created_at: row.try_get("created_at")?,
            updated_at: row.try_get("updated_at")?,
        }),
        EntityType::Transaction => SourceRecord::Transaction(Transaction {
            id: TransactionId(row.try_get("id")?),
            user_id: UserId(row.try_get("user_id")?),
            subscription_id: row.try_get::<Option<Uuid>, _>("subscription_id")?.map(SubscriptionId),
            stripe_transaction_id: row.try_get("stripe_transaction_id")?,
            kind: label(row, "type")?,
            status: label(row, "status")?,
            amount: row.try_get("amount")?,
            currency: row.try_get("currency")?,
            payment_method: row.try_get("payment_method")?,
            description: row.try_get("description")?,
            stripe_invoice_id: row.try_get("stripe_invoice_id")?,
            stripe_charge_id: row.try_get("stripe_charge_id")?,
            stripe_refund_id: row.try_get("stripe_refund_id")?,
            failure_reason: row.try_get("failure_reason")?,
            refunded_amount: row.try_get("refunded_amount")?,
            fee: row.try_get("fee")?,
            net: row.try_get("net")?,
            created_at: row.try_get("created_at")?,
            updated_at: row.try_get("updated_at")?,
        }),
        EntityType::Subscription => SourceRecord::Subscription(Subscription {
            id: SubscriptionId(row.try_get("id")?),
            user_id: UserId(row.try_get("user_id")?),
            stripe_subscription_id: row.try_get("stripe_subscription_id")?,
            stripe_customer_id: row.try_get("stripe_customer_id")?,
            plan: label(row, "plan")?,
            status: label(row, "status")?,
            billing_interval: label(row, "billing_interval")?,
            amount: row.try_get("amount")?,
            currency: row.try_get("currency")?,
            trial_start: row.try_get("trial_start")?,
            trial_end: row.try_get("trial_end")?,
            current_period_start: row.try_get("current_period_start")?,
            current_period_end: row.try_get("current_period_end")?,
            canceled_at: row.try_get("canceled_at")?,
            created_at: row.try_get("created_at")?,
            updated_at: row.try_get("updated_at")?,
        }),
        EntityType::Invoice => SourceRecord::Invoice(Invoice {
            id: InvoiceId(row.try_get("id")?),
            user_id: UserId(row.try_get("user_id")?),
            subscription_id: row.try_get::<Option<Uuid>, _>("subscription_id")?.map(SubscriptionId),
            transaction_id: row.try_get::<Option<Uuid>, _>("transaction_id")?.map(TransactionId),
            stripe_invoice_id: row.try_get("stripe_invoice_id")?,
            flasherp_invoice_id: row
                .try_get::<Option<String>, _>("flasherp_invoice_id")?
                .and_then(|id| FlashErpId::new(id).ok()),
            origin: label(row, "origin")?,
            status: label(row, "status")?,
            amount: row.try_get("amount")?,
            currency: row.try_get("currency")?,
            due_date: row.try_get("due_date")?,
            paid_at: row.try_get("paid_at")?,
            created_at: row.try_get("created_at")?,
            updated_at: row.try_get("updated_at")?,
        }),
        EntityType::FinancialReport => SourceRecord::Report(FinancialReport {
            currency: {
                let code: String = row.try_get("currency")?;
                FinancialReport::currency_of(&code).ok_or_else(|| sqlx::Error::ColumnDecode {
                    index: "currency".to_owned(),
                    source: format!("{code} is no currency").into(),
                })?
            },
            revenue: row.try_get("revenue")?,
            costs: row.try_get("costs")?,
            profit: row.try_get("profit")?,
            mrr: row.try_get("mrr")?,
            arr: row.try_get("arr")?,
            period: label(row, "period")?,
            period_start: row.try_get("period_start")?,
            period_end: row.try_get("period_end")?,
            revision: row.try_get("revision")?,
            incomplete: row.try_get::<bool, _>("fees_incomplete")?.then(|| "fees incomplete".to_owned()),
        }),
    })
}

fn label<T>(row: &PgRow, column: &str) -> Result<T, sqlx::Error>
where
    T: std::str::FromStr,
    T::Err: std::error::Error + Send + Sync + 'static,
{
    let text: String = row.try_get(column)?;
    text.parse().map_err(|error| sqlx::Error::ColumnDecode { index: column.to_owned(), source: Box::new(error) })
}
