//! Loading what claimed syncs are about: one statement per type, after the claim has committed.

use std::collections::HashMap;

use domain::mapping::{self, Field, Fields, MappingError};
use domain::upcoach::{FinancialReport, Invoice, Subscription, Transaction, User};
use domain::{EntityType, FlashErpId, InvoiceId, SubscriptionId, TransactionId, UserId};
use sqlx::postgres::PgRow;
use sqlx::{PgPool, Row};
use time::OffsetDateTime;
use uuid::Uuid;

/// A record of UpCoach's.
#[derive(Debug, Clone)]
pub(super) enum Loaded {
    Customer(User),
    Transaction(Transaction),
    Subscription(Subscription),
    Invoice(Invoice),
    Report(FinancialReport),
}

impl Loaded {
    /// Whose it is; none for a customer itself, and for what concerns nobody in particular.
    pub(super) const fn depends_on(&self) -> Option<UserId> {
        match self {
            Self::Customer(_) | Self::Report(_) => None,
            Self::Transaction(transaction) => Some(transaction.user_id),
            Self::Subscription(subscription) => Some(subscription.user_id),
            Self::Invoice(invoice) => Some(invoice.user_id),
        }
    }

    /// The fields of it that FlashERP's word may change.
    pub(super) const fn open(&self) -> &'static [Field] {
        match self {
            Self::Customer(_) => mapping::open_to_flasherp(EntityType::Customer, false),
            Self::Invoice(invoice) => {
                mapping::open_to_flasherp(EntityType::Invoice, invoice.stripe_invoice_id.is_some())
            }
            Self::Transaction(_) => mapping::open_to_flasherp(EntityType::Transaction, false),
            Self::Subscription(_) => mapping::open_to_flasherp(EntityType::Subscription, false),
            Self::Report(_) => mapping::open_to_flasherp(EntityType::FinancialReport, false),
        }
    }

    /// When it was born: Stripe's `created`, else UpCoach's.
    pub(super) const fn born(&self) -> OffsetDateTime {
        match self {
            Self::Customer(user) => user.created_at,
            Self::Transaction(transaction) => transaction.created_at,
            Self::Subscription(subscription) => subscription.created_at,
            Self::Invoice(invoice) => invoice.created_at,
            Self::Report(report) => report.period_end,
        }
    }

    /// As FlashERP is to hold it. `customer` is FlashERP's id of whom it depends on; a customer needs none.
    pub(super) fn map(&self, customer: Option<&FlashErpId>) -> Option<Result<Fields, MappingError>> {
        Some(match (self, customer) {
            (Self::Customer(user), _) => mapping::customer(user),
            (Self::Report(report), _) => mapping::financial_report(report),
            (Self::Transaction(transaction), Some(customer)) => mapping::transaction(transaction, customer),
            (Self::Subscription(subscription), Some(customer)) => mapping::subscription(subscription, customer),
            (Self::Invoice(invoice), Some(customer)) => mapping::invoice(invoice, customer),
            (Self::Transaction(_) | Self::Subscription(_) | Self::Invoice(_), None) => return None,
        })
    }
}

/// Loads the records of one type by id. Who is not there is not in the answer; one that can't be read says why, and stops no other.
pub(super) async fn load(
    pool: &PgPool,
    kind: EntityType,
    ids: &[Uuid],
) -> Result<HashMap<Uuid, Result<Loaded, String>>, sqlx::Error> {
    let statement = match kind {
        EntityType::Customer => {
            "SELECT id, email, name, stripe_customer_id, created_at, updated_at FROM upcoach.users WHERE id = ANY ($1)"
        }
        EntityType::Transaction => {
            "SELECT id, user_id, subscription_id, stripe_transaction_id, type, status, amount, currency, payment_method,
                description, stripe_invoice_id, stripe_charge_id, stripe_refund_id, failure_reason, refunded_amount, fee, net,
                created_at, updated_at
             FROM upcoach.transactions WHERE id = ANY ($1)"
        }
        EntityType::Subscription => {
            "SELECT id, user_id, stripe_subscription_id, stripe_customer_id, plan, status, billing_interval, amount, currency,
                trial_start, trial_end, current_period_start, current_period_end, canceled_at, created_at, updated_at
             FROM upcoach.subscriptions WHERE id = ANY ($1)"
        }
        EntityType::Invoice => {
            "SELECT id, user_id, subscription_id, transaction_id, stripe_invoice_id, flasherp_invoice_id, origin, status,
                amount, currency, due_date, paid_at, created_at, updated_at
             FROM upcoach.invoices WHERE id = ANY ($1)"
        }
        EntityType::FinancialReport => {
            "SELECT id, period::text AS period, period_start, period_end, currency, revenue, costs, profit, mrr, arr, fees_incomplete
             FROM scheduling.reports_for_sync_worker WHERE id = ANY ($1)"
        }
    };
    let rows = sqlx::query(statement).bind(ids).fetch_all(pool).await?;
    rows.iter().map(|row| Ok((row.try_get("id")?, read(kind, row).map_err(|error| error.to_string())))).collect()
}

fn read(kind: EntityType, row: &PgRow) -> Result<Loaded, sqlx::Error> {
    Ok(match kind {
        EntityType::Customer => Loaded::Customer(User {
            id: UserId(row.try_get("id")?),
            email: row.try_get("email")?,
            name: row.try_get("name")?,
            stripe_customer_id: row.try_get("stripe_customer_id")?,
            created_at: row.try_get("created_at")?,
            updated_at: row.try_get("updated_at")?,
        }),
        EntityType::Transaction => Loaded::Transaction(Transaction {
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
        EntityType::Subscription => Loaded::Subscription(Subscription {
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
        EntityType::Invoice => Loaded::Invoice(Invoice {
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
        EntityType::FinancialReport => Loaded::Report(FinancialReport {
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
