//! The finance team at work in FlashERP while everything fails: it renames customers, makes invoices, gets them paid, lets payments fail,
//! contradicts Stripe. What UpCoach is told of it only by FlashERP's webhooks must be on both sides in the end, once.
//!
//! It works on customers that Stripe has no more to say of, so that the last word on each field is finance's.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};

use serde_json::json;
use sqlx::PgPool;
use testkit::checker::Claim;
use testkit::recorder::person;
use testkit::sandbox::{Sandbox, WebhookSend};

use super::places::ENDED;
use super::shelf::DESCRIPTION;

/// Customers that finance works on; each has one payment of Stripe's.
pub(super) const CUSTOMERS: u32 = 12;
/// After so many acts each kind has come.
const ROUND: usize = 8;

/// What finance did.
#[derive(Debug, Default)]
pub(crate) struct Finance {
    books: Mutex<Books>,
}

#[derive(Debug, Default)]
struct Books {
    acts: usize,
    customers: Vec<Customer>,
    /// FlashERP's ids of payments of Stripe's.
    stripes: Vec<String>,
    /// Payments that UpCoach itself has made and that are pending on both sides.
    pending: VecDeque<Pending>,
    /// Invoices that are not paid yet, and the payment that each names.
    open: VecDeque<(String, Option<Pending>)>,
    /// All that was said of each thing, the last word last.
    said: BTreeMap<(Kind, String), Vec<String>>,
    /// Events that contradict Stripe.
    contradictions: BTreeSet<String>,
    /// Events that ask for a reconciliation.
    asked: BTreeSet<String>,
}

/// What is said something of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Kind {
    /// By Stripe's id: `Ada <ada@example.com>`.
    Customer,
    /// UpCoach's own, by its id: `500 usd cus_1 failed`.
    Payment,
    /// By FlashERP's id: `12.00 USD cus_1 paid`.
    Invoice,
}

#[derive(Debug, Clone)]
struct Customer {
    stripe: String,
    target: String,
    email: String,
}

#[derive(Debug, Clone)]
struct Pending {
    id: String,
    target: String,
    /// `500 usd cus_1`
    value: String,
}

/// Amounts in FlashERP's form, with ISO 4217's digits.
const AMOUNTS: [(u32, &str, &str); 3] = [(12, "USD", "12.00"), (7, "KWD", "7.000"), (900, "JPY", "900")];

impl Finance {
    /// UpCoach's own payments to the customers of Stripe's that are there, as many as so many acts may need.
    pub(super) async fn make_payments(pool: &PgPool, acts: usize) -> Result<(), sqlx::Error> {
        sqlx::query(
            "INSERT INTO upcoach.transactions (id, user_id, type, status, amount, currency)
             SELECT gen_random_uuid(), (array_agg(u.id ORDER BY u.id))[1 + n % count(*)::integer], 'payment', 'pending', 500 + n, 'usd'
             FROM upcoach.users u, generate_series(1, $1) AS n GROUP BY n",
        )
        .bind(i32::try_from(2 * acts.div_ceil(ROUND)).unwrap_or(i32::MAX))
        .execute(pool)
        .await?;
        Ok(())
    }

    /// Opens the books on all that is in step now.
    pub(super) async fn open(&self, pool: &PgPool) -> Result<(), sqlx::Error> {
        let customers: Vec<(String, String, String)> = sqlx::query_as(
            "SELECT u.stripe_customer_id, s.target_id, u.email FROM upcoach.users u
             JOIN sync.erp_syncs s ON s.source_type = 'customer' AND s.source_id = u.id ORDER BY u.stripe_customer_id",
        )
        .fetch_all(pool)
        .await?;
        let payments: Vec<(String, String, Option<String>, String)> = sqlx::query_as(
            "SELECT t.id::text, s.target_id, t.stripe_transaction_id, concat_ws(' ', t.amount, t.currency, u.stripe_customer_id)
             FROM upcoach.transactions t JOIN upcoach.users u ON u.id = t.user_id
             JOIN sync.erp_syncs s ON s.source_type = 'transaction' AND s.source_id = t.id
             WHERE t.description IS DISTINCT FROM $1 ORDER BY t.id",
        )
        .bind(DESCRIPTION)
        .fetch_all(pool)
        .await?;
        let mut books = self.books();
        books.customers =
            customers.into_iter().map(|(stripe, target, email)| Customer { stripe, target, email }).collect();
        for (id, target, stripe, value) in payments {
            if stripe.is_some() {
                books.stripes.push(target);
            } else {
                books.say(Kind::Payment, &id, format!("{value} pending"));
                books.pending.push_back(Pending { id, target, value });
            }
        }
        Ok(())
    }

    /// Does the next things; nothing before the books are open.
    pub(super) async fn act(&self, sandbox: &Sandbox, times: usize) {
        for _ in 0..times {
            let (number, customer) = {
                let mut books = self.books();
                books.acts += 1;
                let number = books.acts;
                let Some(customer) = books.customers.get(number / 3 % books.customers.len().max(1)).cloned() else {
                    return;
                };
                (number, customer)
            };
            match number % ROUND {
                0 => self.contradict(sandbox, number).await,
                1 | 4 => self.bill(sandbox, number, &customer).await,
                3 => self.let_fail(sandbox).await,
                5 | 7 => self.is_paid(sandbox, number).await,
                6 if number % (2 * ROUND) > ROUND => self.end_a_job(sandbox, number).await,
                _ => self.rename(sandbox, number, &customer).await,
            }
        }
    }

    async fn rename(&self, sandbox: &Sandbox, number: usize, customer: &Customer) {
        let name = format!("Renamed {number}");
        sandbox.edit_record("customers", &customer.target, json!({ "name": name })).await;
        self.books().say(Kind::Customer, &customer.stripe, person(Some(&name), Some(&customer.email)));
    }

    /// A new invoice; every other one names a payment that it is for.
    async fn bill(&self, sandbox: &Sandbox, number: usize, customer: &Customer) {
        let (amount, currency, text) = AMOUNTS[number % AMOUNTS.len()];
        let payment = if number % ROUND == 1 { self.books().pending.pop_front() } else { None };
        let metadata =
            payment.as_ref().map_or_else(|| json!({}), |payment| json!({ "upcoachTransactionId": payment.id }));
        let fields = json!({
            "customerId": customer.target, "amount": amount, "currency": currency, "status": "open", "metadata": metadata,
            "dueDate": "2027-01-31T00:00:00.000Z", "upcoachReference": format!("FIN-{number}"),
        });
        let id = sandbox.create_record("invoices", fields).await.id();
        let mut books = self.books();
        books.say(Kind::Invoice, &id, format!("{text} {currency} {} open", customer.stripe));
        books.open.push_back((id, payment));
    }

    async fn is_paid(&self, sandbox: &Sandbox, number: usize) {
        let Some((id, payment)) = self.books().open.pop_front() else { return };
        let paid = json!({ "status": "paid", "paidAt": "2026-11-24T12:00:00.000Z" });
        sandbox.edit_record("invoices", &id, paid).await;
        if number % (2 * ROUND) > ROUND {
            // What was told of the payment may be overtaken by this.
            sandbox.edit_record("invoices", &id, json!({ "dueDate": "2027-02-28T00:00:00.000Z" })).await;
        }
        let mut books = self.books();
        let word = books.last(Kind::Invoice, &id).replace(" open", " paid");
        books.say(Kind::Invoice, &id, word);
        if let Some(Pending { id, value, .. }) = payment {
            books.say(Kind::Payment, &id, format!("{value} completed"));
        }
    }

    async fn let_fail(&self, sandbox: &Sandbox) {
        let Some(Pending { id, target, value }) = self.books().pending.pop_front() else { return };
        sandbox.edit_record("transactions", &target, json!({ "status": "failed" })).await;
        self.books().say(Kind::Payment, &id, format!("{value} failed"));
    }

    /// FlashERP says of a payment that Stripe has completed that it failed.
    async fn contradict(&self, sandbox: &Sandbox, number: usize) {
        let record = {
            let books = self.books();
            books.stripes.get(number / ROUND % books.stripes.len().max(1)).cloned()
        };
        let event = WebhookSend { event_type: "payment.failed".to_owned(), record, ..WebhookSend::default() };
        let id = sandbox.send_webhook(&event).await;
        self.books().contradictions.insert(id);
    }

    /// A bulk job on our records ended, and not all went well.
    async fn end_a_job(&self, sandbox: &Sandbox, number: usize) {
        let data = json!({
            "id": format!("fsy_{number}"), "status": "partial", "entityType": "transaction", "total": 3, "succeeded": 2, "failed": 1,
        });
        let event = WebhookSend { event_type: "sync.completed".to_owned(), data: Some(data), ..WebhookSend::default() };
        let id = sandbox.send_webhook(&event).await;
        self.books().asked.insert(id);
    }

    /// A payment of UpCoach's own that finance leaves alone, as `500 usd cus_1`.
    pub(super) fn say_pending(&self, id: &str, value: &str) {
        self.books().say(Kind::Payment, id, format!("{value} pending"));
    }

    /// A customer that was renamed twice, by Stripe's id, and the name that it has no more.
    pub(super) fn renamed_twice(&self) -> (String, String) {
        let books = self.books();
        let mut of_customers = books.said.iter().filter(|((kind, _), _)| *kind == Kind::Customer);
        let found = of_customers.find_map(|((_, id), words)| match words.as_slice() {
            [.., before, _] => before.split_once(" <").map(|(name, _)| (id.clone(), name.to_owned())),
            _ => None,
        });
        found.expect("finance has renamed somebody twice")
    }

    /// What must be there of a kind: the last word.
    pub(super) fn claims(&self, kind: Kind) -> Vec<Claim> {
        let books = self.books();
        let of_kind = books.said.iter().filter(|((said_of, _), _)| *said_of == kind);
        of_kind.map(|((_, name), words)| claim(name, words)).collect()
    }

    /// `claims` of Stripe's on customers, with finance's last word where it has one.
    pub(super) fn on_customers(&self, mut claims: Vec<Claim>) -> Vec<Claim> {
        let books = self.books();
        for stripes in &mut claims {
            let Some(words) = books.said.get(&(Kind::Customer, stripes.name.clone())) else { continue };
            let finances = claim(&stripes.name, words);
            stripes.older.extend(std::mem::replace(&mut stripes.values, finances.values));
            stripes.older.extend(finances.older);
        }
        claims
    }

    /// Each contradiction, by its event.
    pub(super) fn contradictions(&self) -> Vec<Claim> {
        self.books().contradictions.iter().map(|id| claim(id, &[String::new()])).collect()
    }

    /// Each reconciliation that was asked for, by the event that did.
    pub(super) fn reconciliations(&self) -> Vec<Claim> {
        self.books().asked.iter().map(|id| claim(id, &[ENDED.to_owned()])).collect()
    }

    fn books(&self) -> MutexGuard<'_, Books> {
        self.books.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Books {
    fn say(&mut self, kind: Kind, name: &str, word: String) {
        self.said.entry((kind, name.to_owned())).or_default().push(word);
    }

    fn last(&self, kind: Kind, name: &str) -> String {
        self.said.get(&(kind, name.to_owned())).and_then(|words| words.last().cloned()).unwrap_or_default()
    }
}

fn claim(name: &str, words: &[String]) -> Claim {
    let (last, before) = match words.split_last() {
        Some((last, before)) => (last.clone(), before),
        None => (String::new(), [].as_slice()),
    };
    let older = before.iter().filter(|word| **word != last).cloned().collect();
    Claim { accepted: true, older, ..Claim::new(name.to_owned(), last) }
}
