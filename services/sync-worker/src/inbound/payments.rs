//! Stripe's payment intents become UpCoach's transactions (tables mode). One payment is one transaction, whichever events tell
//! of it, in whatever order.
//!
//! A batch is loaded (locked, in id order), folded in memory and written in two statements. A transaction that another worker made
//! meanwhile is [`ApplyError::Raced`]: the batch is rolled back and done again, now seeing it.

use std::collections::HashMap;

use domain::stripe_uuid;
use domain::upcoach::TransactionStatus;
use sqlx::types::Json;
use sqlx::{FromRow, PgConnection};
use time::OffsetDateTime;
use uuid::Uuid;
use webhooks::stripe::{Event, PaymentIntent};

use super::apply::ApplyError;
use super::customers::{USER_ID_KEY, customer_key, user_key};
use super::versions::{Version, Versions};

/// The user a payment belongs to, or what it waits for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Payer {
    Known(Uuid),
    Missing { wait_key: String },
}

/// Finds users by what payments say of them: one statement for all.
#[derive(Debug, Default)]
pub(super) struct Payers {
    by_id: std::collections::HashSet<Uuid>,
    by_customer: HashMap<String, Uuid>,
}

impl Payers {
    pub(super) async fn load(
        connection: &mut PgConnection,
        events: &[&Event<PaymentIntent>],
    ) -> Result<Self, sqlx::Error> {
        if events.is_empty() {
            return Ok(Self::default());
        }
        let named: Vec<Uuid> = events.iter().filter_map(|event| named_user(&event.object)).collect();
        let customers: Vec<&str> =
            events.iter().filter_map(|event| event.object.customer_id()).map(|id| id.as_str()).collect();
        let rows: Vec<(Uuid, Option<String>)> = sqlx::query_as(
            "SELECT id, NULL FROM upcoach.users WHERE id = ANY ($1)
             UNION ALL SELECT id, stripe_customer_id FROM upcoach.users WHERE stripe_customer_id = ANY ($2)
             UNION ALL SELECT user_id, stripe_customer_id FROM upcoach.user_stripe_customers WHERE stripe_customer_id = ANY ($2)",
        )
        .bind(named)
        .bind(customers)
        .fetch_all(connection)
        .await?;
        let mut payers = Self::default();
        for (user, customer) in rows {
            match customer {
                Some(customer) => {
                    payers.by_customer.insert(customer, user);
                }
                None => {
                    payers.by_id.insert(user);
                }
            }
        }
        Ok(payers)
    }

    /// Whose payment it is. One that names nobody waits under its own id: whatever tells later whose it is wakes it.
    pub(super) fn of(&self, payment: &PaymentIntent) -> Payer {
        let by_customer = |id: &str| match self.by_customer.get(id) {
            Some(user) => Payer::Known(*user),
            None => Payer::Missing { wait_key: customer_key(id) },
        };
        match (named_user(payment), payment.customer_id()) {
            (Some(user), _) if self.by_id.contains(&user) => Payer::Known(user),
            (_, Some(customer)) => by_customer(customer.as_str()),
            (Some(user), None) => Payer::Missing { wait_key: user_key(user) },
            (None, None) => Payer::Missing { wait_key: format!("payer_of:{}", payment.id) },
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq, FromRow)]
struct PaymentRow {
    id: Uuid,
    user_id: Uuid,
    stripe_transaction_id: String,
    status: String,
    amount: i64,
    currency: String,
    payment_method: Option<String>,
    description: Option<String>,
    stripe_invoice_id: Option<String>,
    stripe_charge_id: Option<String>,
    failure_reason: Option<String>,
    refunded_amount: i64,
    #[sqlx(json)]
    stripe_versions: Versions,
    created_at: OffsetDateTime,
}

#[derive(Debug)]
struct Payment {
    row: PaymentRow,
    known: bool,
    changed: bool,
}

/// The transactions that a batch of payment events is about.
#[derive(Debug, Default)]
pub(super) struct Payments {
    payments: HashMap<String, Payment>,
}

impl Payments {
    /// Loads and locks the transactions of these payment intents.
    pub(super) async fn load(
        connection: &mut PgConnection,
        events: &[&Event<PaymentIntent>],
    ) -> Result<Self, sqlx::Error> {
        if events.is_empty() {
            return Ok(Self::default());
        }
        let rows: Vec<PaymentRow> = sqlx::query_as(
            "SELECT id, user_id, stripe_transaction_id, status, amount, currency, payment_method, description,
                stripe_invoice_id, stripe_charge_id, failure_reason, refunded_amount, stripe_versions, created_at
             FROM upcoach.transactions WHERE stripe_transaction_id = ANY ($1) ORDER BY id FOR UPDATE",
        )
        .bind(events.iter().map(|event| event.object.id.as_str()).collect::<Vec<_>>())
        .fetch_all(connection)
        .await?;
        let payments = rows
            .into_iter()
            .map(|row| (row.stripe_transaction_id.clone(), Payment { row, known: true, changed: false }))
            .collect();
        Ok(Self { payments })
    }

    /// Takes an event in; returns the transaction's id.
    pub(super) fn take(&mut self, event: &Event<PaymentIntent>, user: Uuid) -> Uuid {
        let intent = &event.object;
        let payment = self.payments.entry(intent.id.as_str().to_owned()).or_insert_with(|| Payment {
            row: PaymentRow {
                id: stripe_uuid(intent.id.as_str()),
                user_id: user,
                stripe_transaction_id: intent.id.as_str().to_owned(),
                status: TransactionStatus::Pending.as_str().to_owned(),
                amount: intent.amount,
                currency: intent.currency.clone(),
                payment_method: None,
                description: None,
                stripe_invoice_id: None,
                stripe_charge_id: None,
                failure_reason: None,
                refunded_amount: 0,
                stripe_versions: Versions::default(),
                created_at: intent.created,
            },
            known: false,
            changed: true,
        });
        let (status, rank) = state_of(&event.event_type);
        if payment.row.stripe_versions.advance("payment_intent", Version::new(event.created, rank)) {
            payment.changed = true;
            payment.row.merge(intent, status);
        }
        payment.row.id
    }

    /// Writes what is new and what changed.
    pub(super) async fn save(&self, connection: &mut PgConnection) -> Result<(), ApplyError> {
        let (mut changed, mut made): (Vec<&PaymentRow>, Vec<&PaymentRow>) = (Vec::new(), Vec::new());
        for payment in self.payments.values().filter(|payment| payment.changed) {
            if payment.known { &mut changed } else { &mut made }.push(&payment.row);
        }
        made.sort_by_key(|row| row.id);
        if !made.is_empty() && insert(connection, &made).await? != made.len() as u64 {
            return Err(ApplyError::Raced);
        }
        if !changed.is_empty() {
            update(connection, &changed).await?;
        }
        Ok(())
    }
}

impl PaymentRow {
    fn merge(&mut self, intent: &PaymentIntent, status: TransactionStatus) {
        // What came in counts; Stripe gives it only with a success.
        self.amount = match status {
            TransactionStatus::Completed if intent.amount_received > 0 => intent.amount_received,
            _ => intent.amount,
        };
        self.currency.clone_from(&intent.currency);
        let status = match status {
            TransactionStatus::Completed if self.refunded_amount >= self.amount && self.amount > 0 => {
                TransactionStatus::Refunded
            }
            TransactionStatus::Completed if self.refunded_amount > 0 => TransactionStatus::PartiallyRefunded,
            other => other,
        };
        self.status = status.as_str().to_owned();
        self.failure_reason = match status {
            TransactionStatus::Failed => Some(failure_reason(intent)),
            _ => None,
        };
        if let Some(description) = &intent.description {
            self.description = Some(description.clone());
        }
        // Several kinds are only what was offered; the charge tells which was used.
        if let [kind] = intent.payment_method_types.as_slice() {
            self.payment_method.get_or_insert_with(|| kind.clone());
        }
        if let Some(charge) = intent.charge_id() {
            self.stripe_charge_id = Some(charge.as_str().to_owned());
        }
        if let Some(invoice) = intent.invoice_id() {
            self.stripe_invoice_id = Some(invoice.as_str().to_owned());
        }
    }
}

/// The transaction's status after an event of this type, and which of two of the same second is the later: nothing follows a success, and a
/// failed attempt may be followed by a cancellation.
fn state_of(event_type: &str) -> (TransactionStatus, u8) {
    match event_type {
        "payment_intent.succeeded" => (TransactionStatus::Completed, 3),
        "payment_intent.canceled" => (TransactionStatus::Failed, 2),
        _ => (TransactionStatus::Failed, 1),
    }
}

fn failure_reason(intent: &PaymentIntent) -> String {
    if intent.canceled_at.is_some() {
        return "canceled".to_owned();
    }
    let error = intent.last_payment_error.as_ref();
    let reason = error.and_then(|error| error.decline_code.as_ref().or(error.code.as_ref()).or(error.message.as_ref()));
    reason.cloned().unwrap_or_else(|| "not told".to_owned())
}

fn named_user(payment: &PaymentIntent) -> Option<Uuid> {
    payment.metadata.get(USER_ID_KEY)?.parse().ok()
}

async fn insert(connection: &mut PgConnection, rows: &[&PaymentRow]) -> Result<u64, sqlx::Error> {
    let done = sqlx::query(
        "INSERT INTO upcoach.transactions (id, user_id, stripe_transaction_id, type, status, amount, currency,
            payment_method, description, stripe_invoice_id, stripe_charge_id, failure_reason, stripe_versions, created_at)
         SELECT id, user_id, stripe_id, 'payment', status, amount, currency, method, description, invoice, charge, reason,
            versions, created
         FROM unnest($1::uuid[], $2::uuid[], $3::text[], $4::text[], $5::bigint[], $6::text[], $7::text[], $8::text[],
            $9::text[], $10::text[], $11::text[], $12::jsonb[], $13::timestamptz[])
            AS made (id, user_id, stripe_id, status, amount, currency, method, description, invoice, charge, reason, versions,
                created)
         ON CONFLICT DO NOTHING",
    )
    .bind(rows.iter().map(|row| row.id).collect::<Vec<_>>())
    .bind(rows.iter().map(|row| row.user_id).collect::<Vec<_>>())
    .bind(rows.iter().map(|row| row.stripe_transaction_id.as_str()).collect::<Vec<_>>())
    .bind(rows.iter().map(|row| row.status.as_str()).collect::<Vec<_>>())
    .bind(rows.iter().map(|row| row.amount).collect::<Vec<_>>())
    .bind(rows.iter().map(|row| row.currency.as_str()).collect::<Vec<_>>())
    .bind(rows.iter().map(|row| row.payment_method.as_deref()).collect::<Vec<_>>())
    .bind(rows.iter().map(|row| row.description.as_deref()).collect::<Vec<_>>())
    .bind(rows.iter().map(|row| row.stripe_invoice_id.as_deref()).collect::<Vec<_>>())
    .bind(rows.iter().map(|row| row.stripe_charge_id.as_deref()).collect::<Vec<_>>())
    .bind(rows.iter().map(|row| row.failure_reason.as_deref()).collect::<Vec<_>>())
    .bind(rows.iter().map(|row| Json(&row.stripe_versions)).collect::<Vec<_>>())
    .bind(rows.iter().map(|row| row.created_at).collect::<Vec<_>>())
    .execute(connection)
    .await?;
    Ok(done.rows_affected())
}

async fn update(connection: &mut PgConnection, rows: &[&PaymentRow]) -> Result<(), sqlx::Error> {
    sqlx::query(
        "UPDATE upcoach.transactions t
         SET status = n.status, amount = n.amount, currency = n.currency, payment_method = n.method,
            description = n.description, stripe_invoice_id = n.invoice, stripe_charge_id = n.charge,
            failure_reason = n.reason, stripe_versions = n.versions, updated_at = clock_timestamp()
         FROM unnest($1::uuid[], $2::text[], $3::bigint[], $4::text[], $5::text[], $6::text[], $7::text[], $8::text[],
            $9::text[], $10::jsonb[])
            AS n (id, status, amount, currency, method, description, invoice, charge, reason, versions)
         WHERE t.id = n.id",
    )
    .bind(rows.iter().map(|row| row.id).collect::<Vec<_>>())
    .bind(rows.iter().map(|row| row.status.as_str()).collect::<Vec<_>>())
    .bind(rows.iter().map(|row| row.amount).collect::<Vec<_>>())
    .bind(rows.iter().map(|row| row.currency.as_str()).collect::<Vec<_>>())
    .bind(rows.iter().map(|row| row.payment_method.as_deref()).collect::<Vec<_>>())
    .bind(rows.iter().map(|row| row.description.as_deref()).collect::<Vec<_>>())
    .bind(rows.iter().map(|row| row.stripe_invoice_id.as_deref()).collect::<Vec<_>>())
    .bind(rows.iter().map(|row| row.stripe_charge_id.as_deref()).collect::<Vec<_>>())
    .bind(rows.iter().map(|row| row.failure_reason.as_deref()).collect::<Vec<_>>())
    .bind(rows.iter().map(|row| Json(&row.stripe_versions)).collect::<Vec<_>>())
    .execute(connection)
    .await?;
    Ok(())
}
