//! Stripe's invoices as UpCoach's, and how invoice and payment find each other whichever comes first.

use domain::stripe_uuid;
use domain::upcoach::{InvoiceOrigin, InvoiceStatus};
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use uuid::Uuid;
use webhooks::stripe::{self, Event};

use super::books::{Books, Row};
use super::fold::Outcome;
use super::newest::{Newest, Told, Version};
use super::transaction::Transaction;
use super::user::named_user;
use super::wants::{Occasion, What};
use super::{keys, payment};

/// A row of `upcoach.invoices`. The amount is in Stripe's units of `currency`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, sqlx::FromRow)]
pub(crate) struct Invoice {
    pub(crate) id: Uuid,
    pub(crate) user_id: Uuid,
    pub(crate) subscription_id: Option<Uuid>,
    pub(crate) transaction_id: Option<Uuid>,
    pub(crate) stripe_invoice_id: Option<String>,
    pub(crate) flasherp_invoice_id: Option<String>,
    pub(crate) origin: String,
    pub(crate) status: String,
    pub(crate) amount: i64,
    pub(crate) currency: String,
    #[serde(with = "time::serde::rfc3339::option")]
    pub(crate) due_date: Option<OffsetDateTime>,
    #[serde(with = "time::serde::rfc3339::option")]
    pub(crate) paid_at: Option<OffsetDateTime>,
    #[sqlx(json)]
    pub(crate) stripe_facts: InvoiceFacts,
    #[serde(with = "time::serde::rfc3339")]
    pub(crate) created_at: OffsetDateTime,
}

/// What Stripe's invoice told of it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct InvoiceFacts {
    #[serde(skip_serializing_if = "Option::is_none")]
    invoice: Option<Newest<InvoiceTold>>,
}

/// What an invoice tells. Times are unix seconds.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
struct InvoiceTold {
    status: InvoiceStatus,
    amount: i64,
    currency: String,
    due: Option<i64>,
    paid: Option<i64>,
}

impl Told for InvoiceTold {}

impl Row for Invoice {
    fn id(&self) -> Uuid {
        self.id
    }

    fn names(&self) -> Vec<(String, String)> {
        self.stripe_invoice_id.iter().map(|id| (id.clone(), keys::invoice(id))).collect()
    }
}

/// Takes an invoice's event in.
pub(crate) fn take(books: &mut Books, event: &Event<stripe::Invoice>) -> Outcome {
    let invoice = &event.object;
    let stripe_id = invoice.id.as_str();
    let customer = invoice.customer_id().map(|id| id.as_str());
    let mut row = match books.invoices.find(stripe_id).cloned() {
        Some(row) => row,
        None => match books.user_of(named_user(&invoice.metadata), customer, || keys::payer_of(stripe_id)) {
            Ok(user) => new_row(invoice, user),
            Err(keys) => return Outcome::Parked(keys),
        },
    };
    let (status, rank) = match invoice.status {
        stripe::InvoiceStatus::Draft => (InvoiceStatus::Draft, 0),
        stripe::InvoiceStatus::Open => (InvoiceStatus::Open, 1),
        stripe::InvoiceStatus::Uncollectible => (InvoiceStatus::Uncollectible, 2),
        stripe::InvoiceStatus::Void => (InvoiceStatus::Void, 3),
        stripe::InvoiceStatus::Paid => (InvoiceStatus::Paid, 3),
    };
    let unix = |at: Option<OffsetDateTime>| at.map(OffsetDateTime::unix_timestamp);
    let told = InvoiceTold {
        status,
        amount: invoice.total,
        currency: invoice.currency.clone(),
        due: unix(invoice.due_date),
        paid: unix(invoice.paid_at()),
    };
    let occasion = Occasion::from(event);
    Newest::take(&mut row.stripe_facts.invoice, Version::of(occasion, rank), told);
    if row.stripe_facts.invoice.as_ref().is_some_and(Newest::is_undecided) {
        books.want(What::Invoice, stripe_id, occasion);
    }
    row.compute();
    if let Some(stripe_id) = invoice.subscription_id().map(|id| id.as_str()) {
        // A subscription that is still to come will have this id: money does not wait for it.
        let known = books.subscriptions.find(stripe_id).map(|subscription| subscription.id);
        row.subscription_id = Some(known.unwrap_or_else(|| stripe_uuid(stripe_id)));
    }
    let (id, user) = (row.id, row.user_id);
    books.invoices.set(row);
    let payment = payment::paid_by(books, event, user);
    link_payments(books, id, stripe_id);
    Outcome::applied([(domain::EntityType::Invoice, id)].into_iter().chain(payment))
}

/// A payment that names an invoice gets the invoice's subscription, and the invoice its transaction.
pub(crate) fn link_payment(books: &mut Books, payment: &mut Transaction) {
    let named = payment.stripe_invoice_id.as_deref().and_then(|stripe_id| books.invoices.find(stripe_id));
    let Some(mut invoice) = named.cloned() else { return };
    link(&mut invoice, payment);
    books.invoices.set(invoice);
}

fn link_payments(books: &mut Books, id: Uuid, stripe_id: &str) {
    let names_it =
        |payment: &&Transaction| payment.is_payment() && payment.stripe_invoice_id.as_deref() == Some(stripe_id);
    let payments: Vec<Transaction> = books.transactions.iter().filter(names_it).cloned().collect();
    let Some(mut invoice) = books.invoices.get(id).cloned() else { return };
    for mut payment in payments {
        link(&mut invoice, &mut payment);
        books.transactions.set(payment);
    }
    books.invoices.set(invoice);
}

fn link(invoice: &mut Invoice, payment: &mut Transaction) {
    if invoice.subscription_id.is_some() {
        payment.subscription_id = invoice.subscription_id;
    }
    // Of several payments of one invoice the same one in any order.
    invoice.transaction_id = Some(invoice.transaction_id.map_or(payment.id, |known| known.min(payment.id)));
}

fn new_row(invoice: &stripe::Invoice, user: Uuid) -> Invoice {
    Invoice {
        id: stripe_uuid(invoice.id.as_str()),
        user_id: user,
        subscription_id: None,
        transaction_id: None,
        stripe_invoice_id: Some(invoice.id.as_str().to_owned()),
        flasherp_invoice_id: None,
        origin: InvoiceOrigin::Upcoach.as_str().to_owned(),
        status: InvoiceStatus::Draft.as_str().to_owned(),
        amount: invoice.total,
        currency: invoice.currency.clone(),
        due_date: None,
        paid_at: None,
        stripe_facts: InvoiceFacts::default(),
        created_at: invoice.created,
    }
}

impl Invoice {
    fn compute(&mut self) {
        let Some(told) = self.stripe_facts.invoice.as_ref().map(Newest::get) else { return };
        let time = |unix: Option<i64>| unix.and_then(|unix| OffsetDateTime::from_unix_timestamp(unix).ok());
        self.status = told.status.as_str().to_owned();
        self.amount = told.amount;
        self.currency.clone_from(&told.currency);
        self.due_date = time(told.due);
        self.paid_at = time(told.paid);
    }
}
