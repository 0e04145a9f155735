//! One payment is one transaction, whichever events tell of it: its payment intent, its charges and the invoice that it paid.
//!
//! Money that came in counts wherever it is told of: a payment intent that succeeded, a charge that was captured, an invoice that this payment
//! paid. Without that the payment intent says why it failed, else the charge. A charge may be one of several attempts: the one that succeeded
//! counts, else the latest.

use domain::stripe_uuid;
use domain::upcoach::{TransactionStatus, TransactionType};
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use uuid::Uuid;
use webhooks::stripe::{
    Charge, ChargeStatus, Event, Expandable, Invoice, InvoicePayment, InvoiceStatus, PaymentIntent,
};

use super::books::Books;
use super::fold::Outcome;
use super::newest::{Newest, Told, Version};
use super::transaction::Transaction;
use super::user::named_user;
use super::wants::{Occasion, What};
use super::{invoice, keys};

/// What a row said before Stripe told anything of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Own {
    payment_method: Option<String>,
    description: Option<String>,
    invoice: Option<String>,
    charge: Option<String>,
}

/// What a payment intent tells.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) struct IntentTold {
    end: IntentEnd,
    amount: i64,
    currency: String,
    /// Why it failed.
    reason: Option<String>,
    description: Option<String>,
    method: Option<String>,
    charge: Option<String>,
    invoice: Option<String>,
}

/// What a payment intent came to; none follows the last.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum IntentEnd {
    Failed,
    Canceled,
    Succeeded,
}

/// What a charge tells.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) struct ChargeTold {
    id: String,
    status: TransactionStatus,
    amount: i64,
    currency: String,
    reason: Option<String>,
    description: Option<String>,
    method: Option<String>,
    invoice: Option<String>,
    /// Fee and what is left, in the charge's own currency.
    brought: Option<(i64, i64)>,
}

/// Of several charges the one that succeeded, else the latest; of one charge what it told last.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) struct BestCharge {
    succeeded: bool,
    made: i64,
    id: String,
    at: Version,
}

/// What an invoice tells of the payment that paid it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) struct InvoiceTold {
    invoice: String,
    amount: i64,
    currency: String,
}

impl Told for IntentTold {}
impl Told for ChargeTold {}
impl Told for InvoiceTold {}

/// Takes a payment intent's event in.
pub(crate) fn intent(books: &mut Books, event: &Event<PaymentIntent>) -> Outcome {
    let intent = &event.object;
    let (end, rank) = match event.event_type.as_str() {
        "payment_intent.succeeded" => (IntentEnd::Succeeded, 3),
        "payment_intent.canceled" => (IntentEnd::Canceled, 2),
        _ => (IntentEnd::Failed, 1),
    };
    // What came in counts; Stripe gives it only with a success.
    let amount =
        if end == IntentEnd::Succeeded && intent.amount_received > 0 { intent.amount_received } else { intent.amount };
    let charge = intent.charge_id().map(|id| id.as_str());
    let found = Found::new(
        books,
        [Some(intent.id.as_str()), charge],
        named_user(&intent.metadata),
        intent.customer_id().map(|id| id.as_str()),
        amount,
    );
    let mut row = match found {
        Found::Row(row) => *row,
        Found::Nothing => return Outcome::nothing(),
        Found::Waits(keys) => return Outcome::Parked(keys),
        Found::New { user } => new_payment(intent.id.as_str(), user, &intent.currency, intent.created),
    };
    let told = IntentTold {
        end,
        amount,
        currency: intent.currency.clone(),
        reason: (end != IntentEnd::Succeeded).then(|| failure_reason(intent, end)),
        description: intent.description.clone(),
        // Several kinds are only what was offered; the charge tells which was used.
        method: match intent.payment_method_types.as_slice() {
            [kind] => Some(kind.clone()),
            _ => None,
        },
        charge: charge.map(str::to_owned),
        invoice: intent.invoice_id().map(|id| id.as_str().to_owned()),
    };
    row.keep_own();
    let occasion = Occasion::from(event);
    Newest::take(&mut row.stripe_facts.payment_intent, Version::of(occasion, rank), told);
    if row.stripe_facts.payment_intent.as_ref().is_some_and(Newest::is_undecided) {
        books.want(What::PaymentIntent, intent.id.as_str(), occasion);
    }
    row.take_earlier(intent.created);
    settle(books, row)
}

fn failure_reason(intent: &PaymentIntent, end: IntentEnd) -> String {
    if end == IntentEnd::Canceled {
        return "canceled".to_owned();
    }
    let error = intent.last_payment_error.as_ref();
    let reason = error.and_then(|error| error.decline_code.as_ref().or(error.code.as_ref()).or(error.message.as_ref()));
    reason.cloned().unwrap_or_else(|| "not told".to_owned())
}

/// Takes a charge's event in.
pub(crate) fn charge(books: &mut Books, event: &Event<Charge>) -> Outcome {
    let charge = &event.object;
    let intent = charge.payment_intent_id().map(|id| id.as_str());
    let found = Found::new(
        books,
        [intent, Some(charge.id.as_str())],
        named_user(&charge.metadata),
        charge.customer_id().map(|id| id.as_str()),
        charge.amount,
    );
    let mut row = match found {
        Found::Row(row) => *row,
        Found::Nothing => return Outcome::nothing(),
        Found::Waits(keys) => return Outcome::Parked(keys),
        Found::New { user } => {
            new_payment(intent.unwrap_or(charge.id.as_str()), user, &charge.currency, charge.created)
        }
    };
    let rank = match event.event_type.as_str() {
        "charge.refunded" => 3,
        "charge.updated" => 2,
        _ => 1,
    };
    let status = match charge.status {
        ChargeStatus::Succeeded if charge.captured => TransactionStatus::Completed,
        ChargeStatus::Succeeded | ChargeStatus::Pending => TransactionStatus::Pending,
        ChargeStatus::Failed => TransactionStatus::Failed,
    };
    let occasion = Occasion::from(event);
    let brought = charge.balance_transaction.as_ref().and_then(Expandable::object);
    let told = ChargeTold {
        id: charge.id.as_str().to_owned(),
        status,
        amount: charge
            .amount_captured
            .filter(|amount| status == TransactionStatus::Completed && *amount > 0)
            .unwrap_or(charge.amount),
        currency: charge.currency.clone(),
        reason: charge.failure_code.clone().or_else(|| charge.failure_message.clone()),
        description: charge.description.clone(),
        method: charge.payment_method_details.as_ref().map(|details| details.kind.clone()),
        invoice: charge.invoice_id().map(|id| id.as_str().to_owned()),
        // The account's currency may be another: then the row has no place for it.
        brought: brought
            .filter(|brought| brought.currency == charge.currency)
            .map(|brought| (brought.fee, brought.net)),
    };
    let best = BestCharge {
        succeeded: status == TransactionStatus::Completed,
        made: charge.created.unix_timestamp(),
        id: told.id.clone(),
        at: Version::of(occasion, rank),
    };
    row.keep_own();
    Newest::take(&mut row.stripe_facts.charge, best, told);
    let is_undecided = row.stripe_facts.charge.as_ref().is_some_and(Newest::is_undecided);
    let lacks_fee = row.fee.is_none() && brought.is_none() && charge.balance_transaction.is_some();
    if is_undecided || (lacks_fee && status == TransactionStatus::Completed) {
        books.want(What::Charge, charge.id.as_str(), occasion);
    }
    row.take_earlier(charge.created);
    settle(books, row)
}

/// Takes in what a paid invoice of Stripe's API before 2025-03-31 tells of its payment; none if it tells nothing.
pub(crate) fn paid_by(books: &mut Books, event: &Event<Invoice>, user: Uuid) -> Option<(domain::EntityType, Uuid)> {
    let invoice = &event.object;
    if invoice.status != InvoiceStatus::Paid || invoice.paid_out_of_band || invoice.amount_paid <= 0 {
        return None;
    }
    let (intent, charge) =
        (invoice.payment_intent_id().map(|id| id.as_str()), invoice.charge_id().map(|id| id.as_str()));
    let stripe_id = intent.or(charge)?;
    let told = InvoiceTold {
        invoice: invoice.id.as_str().to_owned(),
        amount: invoice.amount_paid,
        currency: invoice.currency.clone(),
    };
    Some(paid(books, [intent, charge], stripe_id, told, Version::of(event.into(), 0), (user, event.created)))
}

/// Takes in what a payment of an invoice tells, since 2025-03-31.
pub(crate) fn invoice_payment(books: &mut Books, event: &Event<InvoicePayment>) -> Outcome {
    let payment = &event.object;
    let in_id = payment.invoice.id().as_str();
    let Some(invoice) = books.invoices.find(in_id) else { return Outcome::Parked(keys::invoice(in_id).into()) };
    let user = invoice.user_id;
    let (intent, charge) =
        (payment.payment.payment_intent_id().map(|id| id.as_str()), payment.payment.charge_id().map(|id| id.as_str()));
    let amount = payment.amount_paid.unwrap_or(0);
    let Some(stripe_id) = intent.or(charge).filter(|_| amount > 0) else { return Outcome::nothing() };
    let told = InvoiceTold { invoice: in_id.to_owned(), amount, currency: payment.currency.clone() };
    let record = paid(books, [intent, charge], stripe_id, told, Version::of(event.into(), 0), (user, event.created));
    Outcome::applied([record])
}

fn paid(
    books: &mut Books,
    ids: [Option<&str>; 2],
    stripe_id: &str,
    told: InvoiceTold,
    at: Version,
    (user, made): (Uuid, OffsetDateTime),
) -> (domain::EntityType, Uuid) {
    let known = known(books, ids);
    let mut row = known.unwrap_or_else(|| new_payment(stripe_id, user, &told.currency, made));
    row.keep_own();
    Newest::take(&mut row.stripe_facts.invoice, at, told);
    row.take_earlier(made);
    let id = row.id;
    settle(books, row);
    (domain::EntityType::Transaction, id)
}

/// The row of a payment, or what making one takes.
enum Found {
    Row(Box<Transaction>),
    New {
        user: Uuid,
    },
    Waits(keys::WaitKeys),
    /// Nothing is to be paid.
    Nothing,
}

impl Found {
    /// `ids`: payment intent, then charge.
    fn new(books: &Books, ids: [Option<&str>; 2], named: Option<Uuid>, customer: Option<&str>, amount: i64) -> Self {
        if let Some(row) = known(books, ids) {
            return Self::Row(Box::new(row));
        }
        if amount == 0 {
            return Self::Nothing;
        }
        let nobody = || keys::payer_of(ids.into_iter().flatten().next().unwrap_or_default());
        match books.user_of(named, customer, nobody) {
            Ok(user) => Self::New { user },
            Err(keys) => Self::Waits(keys),
        }
    }
}

/// The payment of a payment intent or charge.
pub(crate) fn known(books: &Books, ids: [Option<&str>; 2]) -> Option<Transaction> {
    let found = ids.into_iter().flatten().find_map(|id| books.transactions.find(id));
    found.filter(|row| row.is_payment()).cloned()
}

/// The payment that a refund or dispute is of; what becomes of its event while that is not known.
pub(crate) fn original(
    books: &Books,
    intent: Option<&str>,
    charge: Option<&str>,
    of: &str,
) -> Result<Transaction, Outcome> {
    known(books, [intent, charge]).ok_or_else(|| match intent.or(charge).map(keys::payment) {
        Some(first) => {
            Outcome::Parked(keys::WaitKeys { first, other: charge.filter(|_| intent.is_some()).map(keys::payment) })
        }
        None => Outcome::invalid(format!("the {of} names neither a payment intent nor a charge")),
    })
}

fn new_payment(stripe_id: &str, user: Uuid, currency: &str, made: OffsetDateTime) -> Transaction {
    let id = stripe_uuid(stripe_id);
    Transaction {
        stripe_transaction_id: Some(stripe_id.to_owned()),
        ..Transaction::new(id, user, TransactionType::Payment, currency, made)
    }
}

/// Computes the row from its facts, links its invoice, and puts it back.
fn settle(books: &mut Books, mut row: Transaction) -> Outcome {
    row.compute();
    invoice::link_payment(books, &mut row);
    let id = row.id;
    books.transactions.set(row);
    Outcome::applied([(domain::EntityType::Transaction, id)])
}

impl Transaction {
    fn keep_own(&mut self) {
        let facts = &mut self.stripe_facts;
        let told = facts.payment_intent.is_some() || facts.charge.is_some() || facts.invoice.is_some();
        // A row that Stripe made has an amount only once it is computed.
        if !told && facts.own.is_none() && self.amount != 0 {
            facts.own = Some(Own {
                payment_method: self.payment_method.clone(),
                description: self.description.clone(),
                invoice: self.stripe_invoice_id.clone(),
                charge: self.stripe_charge_id.clone(),
            });
        }
    }

    /// A row is as old as the oldest that told of it: an event of its invoice may have come before the payment's own.
    fn take_earlier(&mut self, made: OffsetDateTime) {
        if self.stripe_facts.own.is_none() && made < self.created_at {
            self.created_at = made;
        }
    }

    /// Sets status and refunded amount of a payment from its facts and the sum of its completed refunds.
    pub(crate) fn refunded(&mut self, sum: i64) {
        self.refunded_amount = sum;
        self.compute();
    }

    fn compute(&mut self) {
        let facts = self.stripe_facts.clone();
        let (intent, charge, invoice) = (
            facts.payment_intent.as_ref().map(Newest::get),
            facts.charge.as_ref().map(Newest::get),
            facts.invoice.as_ref().map(Newest::get),
        );
        let own = facts.own.as_ref();
        if intent.is_none() && charge.is_none() && invoice.is_none() {
            // Imported, and only a refund has been told of.
            let status = if is_paid(&self.status) {
                TransactionStatus::Completed.as_str().to_owned()
            } else {
                self.status.clone()
            };
            self.set_status(&status);
            return;
        }
        let succeeded = intent.filter(|intent| intent.end == IntentEnd::Succeeded);
        let captured = charge.filter(|charge| charge.status == TransactionStatus::Completed);
        let amount = succeeded
            .map(|told| (told.amount, &told.currency))
            .or(captured.map(|told| (told.amount, &told.currency)))
            .or(invoice.map(|told| (told.amount, &told.currency)))
            .or(intent.map(|told| (told.amount, &told.currency)))
            .or(charge.map(|told| (told.amount, &told.currency)));
        if let Some((amount, currency)) = amount {
            self.amount = amount;
            self.currency.clone_from(currency);
        }
        let (status, reason) = if succeeded.is_some() || captured.is_some() || invoice.is_some() {
            (TransactionStatus::Completed.as_str(), None)
        } else if let Some(intent) = intent {
            (TransactionStatus::Failed.as_str(), intent.reason.clone())
        } else if let Some(charge) = charge {
            (charge.status.as_str(), charge.reason.clone())
        } else {
            (TransactionStatus::Pending.as_str(), None)
        };
        self.set_status(status);
        self.failure_reason = reason;
        self.description = intent
            .and_then(|told| told.description.clone())
            .or_else(|| charge.and_then(|told| told.description.clone()))
            .or_else(|| own.and_then(|own| own.description.clone()));
        self.payment_method = charge
            .and_then(|told| told.method.clone())
            .or_else(|| intent.and_then(|told| told.method.clone()))
            .or_else(|| own.and_then(|own| own.payment_method.clone()));
        self.stripe_charge_id = captured
            .map(|told| told.id.clone())
            .or_else(|| intent.and_then(|told| told.charge.clone()))
            .or_else(|| charge.map(|told| told.id.clone()))
            .or_else(|| own.and_then(|own| own.charge.clone()));
        // Of what did not go through, Stripe's API since 2025-03-31 names no invoice: both shapes end in the same row.
        let went_through = succeeded.is_some() || captured.is_some();
        self.stripe_invoice_id = invoice
            .map(|told| told.invoice.clone())
            .or_else(|| intent.filter(|_| went_through).and_then(|told| told.invoice.clone()))
            .or_else(|| charge.filter(|_| went_through).and_then(|told| told.invoice.clone()))
            .or_else(|| own.and_then(|own| own.invoice.clone()));
        if let Some((fee, net)) = captured.and_then(|told| told.brought) {
            (self.fee, self.net) = (Some(fee), Some(net));
        }
    }

    /// What has gone back decides what becomes of a completed payment.
    fn set_status(&mut self, status: &str) {
        let refunded = self.refunded_amount;
        self.status = if status != TransactionStatus::Completed.as_str() || refunded == 0 {
            status
        } else if refunded >= self.amount {
            TransactionStatus::Refunded.as_str()
        } else {
            TransactionStatus::PartiallyRefunded.as_str()
        }
        .to_owned();
    }
}

fn is_paid(status: &str) -> bool {
    [TransactionStatus::Completed, TransactionStatus::Refunded, TransactionStatus::PartiallyRefunded]
        .iter()
        .any(|paid| paid.as_str() == status)
}
