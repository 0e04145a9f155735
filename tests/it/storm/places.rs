//! What each place holds, and what it must hold by the history: the stored events, the audit log, UpCoach's tables, the sync rows, FlashERP.
//!
//! A payment is compared by amount, currency, customer, status and type, a customer by name and e-mail, both with the newest accepted event.

use std::collections::{BTreeMap, BTreeSet};

use sqlx::{PgConnection, PgPool};
use testkit::checker::{Claim, Held, Verdict, check};
use testkit::history::{Entry, SentEvent, claims};
use testkit::recorder::person;
use testkit::sandbox::{Record, Sandbox};

use super::finance::Kind;
use super::stage::Stage;

/// What senders sent; what we fetched ourselves besides is no event of theirs.
const EVENTS: &str =
    "SELECT event_id, id::text, status::text FROM ingress.webhook_events WHERE event_id NOT LIKE 'pull:%'";
const STORED: &str = "SELECT event_id, id::text, '' FROM ingress.webhook_events WHERE event_id NOT LIKE 'pull:%'";
const APPLIED: &str = "SELECT metadata ->> 'eventId', id::text, metadata ->> 'status' FROM audit.erp_audit_logs
    WHERE action = 'webhook_received' AND status = 'success'
        AND metadata ->> 'eventId' NOT LIKE 'pull:%'";
/// A payment of UpCoach's own is called by our id.
const TRANSACTIONS: &str = "SELECT coalesce(t.stripe_transaction_id, t.id::text), t.id::text,
        concat_ws(' ', t.amount, lower(t.currency), coalesce(u.stripe_customer_id, 'nobody'), t.status, t.type)
    FROM upcoach.transactions t LEFT JOIN upcoach.users u ON u.id = t.user_id";
const USERS: &str = "SELECT stripe_customer_id, id::text, format('%s <%s>', coalesce(name, ''), coalesce(email, '')) FROM upcoach.users";
/// An invoice is called by FlashERP's id: all are finance's.
const INVOICES: &str = "SELECT i.flasherp_invoice_id, i.id::text,
        concat_ws(' ', i.amount, lower(i.currency), coalesce(u.stripe_customer_id, 'nobody'), i.status)
    FROM upcoach.invoices i LEFT JOIN upcoach.users u ON u.id = i.user_id";
/// The sync of each invoice, under our id, and the invoice that FlashERP has of it.
const INVOICE_SYNCS: &str = "SELECT s.target_id, s.id::text, coalesce(i.flasherp_invoice_id, 'no invoice of ours')
    FROM sync.erp_syncs s LEFT JOIN upcoach.invoices i ON i.id = s.source_id WHERE s.source_type = 'invoice'";
/// Each other sync row with the record that it says is its target.
const SYNCS: &str = "SELECT source_id::text, coalesce(target_id, 'no target'), source_type::text FROM sync.erp_syncs
    WHERE source_type <> 'invoice'";
/// Each record that the log says was written, or taken over after a write whose answer nobody saw.
const WRITTEN: &str = "SELECT DISTINCT entity_id, metadata ->> 'targetId', entity_type FROM audit.erp_audit_logs
    WHERE action = 'sync' AND metadata ->> 'targetId' IS NOT NULL AND entity_type <> 'invoice'";
const CONTRADICTIONS: &str = "SELECT metadata ->> 'eventId', id::text, '' FROM audit.erp_audit_logs
    WHERE metadata ->> 'operation' = 'conflict' AND entity_type = 'transaction'";
/// FlashERP's by the event that asked, an admin's by its key; the scheduler's go on all the time.
const RECONCILIATIONS: &str =
    "SELECT CASE requested_by WHEN 'flasherp' THEN substr(idempotency_key, length('flasherp:') + 1)
        ELSE coalesce(idempotency_key, requested_by) END,
        id::text, CASE WHEN finished_at IS NOT NULL THEN 'ended' ELSE status::text END
    FROM reconciliation.runs WHERE requested_by <> 'scheduler'";
/// What is said of a run that has ended, however it did.
pub(super) const ENDED: &str = "ended";
const LEFT: &str = "SELECT (SELECT count(*) FROM ingress.webhook_events WHERE status <> 'applied')
    + (SELECT count(*) FROM sync.requests)
    + (SELECT count(*) FROM sync.outbox)
    + (SELECT count(*) FROM sync.erp_syncs WHERE sync_status <> 'synced' OR outcome <> 'known')
    + (SELECT count(*) FROM reconciliation.runs WHERE requested_by <> 'scheduler' AND finished_at IS NULL)
    + (SELECT count(*) FROM reconciliation.findings WHERE decision = 'healing')
    + (SELECT count(*) FROM scheduling.outbox WHERE created_at < clock_timestamp() - interval '5 seconds')
    + (SELECT count(*) FROM reconciliation.outbox WHERE created_at < clock_timestamp() - interval '5 seconds')";
const OUT_OF_STEP: &str =
    "SELECT concat_ws(' ', 'event', event_id, event_type, status, error) FROM ingress.webhook_events
    WHERE status <> 'applied'
    UNION ALL SELECT concat_ws(' ', 'request', entity_type, source_id) FROM sync.requests
    UNION ALL SELECT concat_ws(' ', 'sync', source_type, source_id, sync_status, outcome, 'retries', retry_count,
        'due', due_at - clock_timestamp(), error_code, error_message) FROM sync.erp_syncs
        WHERE sync_status <> 'synced' OR outcome <> 'known'
    UNION ALL SELECT concat_ws(' ', 'reconciliation', id, requested_by, status, error) FROM reconciliation.runs
        WHERE requested_by <> 'scheduler' AND finished_at IS NULL
    UNION ALL SELECT concat_ws(' ', 'finding', id, class, entity_type, source_id) FROM reconciliation.findings
        WHERE decision = 'healing'
    UNION ALL SELECT concat_ws(' ', 'fact', subject, event_id) FROM sync.outbox
    UNION ALL SELECT concat_ws(' ', 'fact', subject, event_id) FROM scheduling.outbox
    UNION ALL SELECT concat_ws(' ', 'fact', subject, event_id) FROM reconciliation.outbox
    LIMIT 50";

impl Stage {
    /// Whether nothing is left to do anywhere.
    pub(super) async fn is_in_step(&self) -> bool {
        let pool = self.pool().await;
        let left: i64 = sqlx::query_scalar(LEFT).fetch_one(&pool).await.unwrap_or(-1);
        let is_fetched = self.listed.is_stored(&pool).await;
        pool.close().await;
        let (flasherp, webhooks) = (self.sandbox.counters().await, self.sandbox.webhooks().await);
        left == 0 && is_fetched && flasherp.pending_writes == 0 && flasherp.in_flight.now == 0 && webhooks.is_idle()
    }

    /// What is left to do, for people.
    pub(super) async fn out_of_step(&self) -> Vec<String> {
        let pool = self.pool().await;
        sqlx::query_scalar(OUT_OF_STEP).fetch_all(&pool).await.expect("the rows are read")
    }

    /// Holds every place against the history.
    pub(super) async fn verdicts(&self) -> Vec<Verdict> {
        let pool = self.pool().await;
        let mut connection = pool.acquire().await.expect("a connection");
        self.verdicts_by(&mut connection).await
    }

    /// The same as a connection sees the database.
    pub(super) async fn verdicts_by(&self, connection: &mut PgConnection) -> Vec<Verdict> {
        let entries = self.listed.beside(self.history.entries());
        let of_events = |entries: &[Entry]| claims(entries, |event| Some((event.id.clone(), "applied".to_owned())));
        let events = [of_events(&entries), of_events(&self.flasherps.entries())].concat();
        let transactions = rows(connection, TRANSACTIONS).await;
        let users = rows(connection, USERS).await;
        let invoices = in_major_units_of(rows(connection, INVOICES).await);
        let customers = self.finance.on_customers(claims(&entries, |event| customer(event, str::to_owned)));
        let bills = self.finance.claims(Kind::Invoice);
        let own = self.finance.claims(Kind::Payment);
        let payments =
            [claims(&entries, |event| payment(event, ours)), each(&own, |word| format!("{word} payment"))].concat();
        let in_flasherp = [
            claims(&entries, |event| payment(event, |value| theirs(&ours(value)))),
            each(&own, |word| theirs(&format!("{word} payment"))),
        ]
        .concat();
        let linked = claims(&entries, |event| {
            let kind = |kind: &'static str| move |_: &str| kind.to_owned();
            payment(event, kind("transaction")).or_else(|| customer(event, kind("customer")))
        });
        let linked = [linked, each(&own, |_| "transaction".to_owned())].concat();
        let linked_bills: Vec<Claim> =
            bills.iter().flat_map(|bill| each(std::slice::from_ref(bill), |_| bill.name.clone())).collect();
        let reconciliations = [self.finance.reconciliations(), self.admin.claims()].concat();
        // What somebody took away was written before, and is written again under another id.
        let gone = self.shelf.gone();
        let written = rows(connection, WRITTEN).await.into_iter().filter(|held| !gone.contains(&held.id)).collect();
        let books = Books::new(&transactions, &users, &self.sandbox).await;
        vec![
            check("ingress.webhook_events", &events, &rows(connection, EVENTS).await),
            check("webhooks in the audit log", &events, &rows(connection, APPLIED).await),
            check("upcoach.transactions", &payments, &transactions),
            check("upcoach.users", &customers, &users),
            check("upcoach.invoices", &bills, &invoices),
            check("transactions in FlashERP", &in_flasherp, &books.transactions()),
            check("customers in FlashERP", &customers, &books.customers()),
            check("invoices in FlashERP", &bills, &books.invoices()),
            check("sync.erp_syncs", &linked, &books.linked(rows(connection, SYNCS).await)),
            check("sync.erp_syncs of invoices", &linked_bills, &rows(connection, INVOICE_SYNCS).await),
            check("writes in the audit log", &linked, &books.linked(written)),
            check(
                "conflicts in the audit log",
                &self.finance.contradictions(),
                &rows(connection, CONTRADICTIONS).await,
            ),
            check("reconciliation.runs", &reconciliations, &rows(connection, RECONCILIATIONS).await),
        ]
    }

    async fn pool(&self) -> PgPool {
        self.database.pool("erp_owner").await
    }
}

/// The events that are stored, by Stripe's ids.
pub(super) async fn stored_events(pool: &PgPool) -> Vec<Held> {
    rows(&mut pool.acquire().await.expect("a connection"), STORED).await
}

/// Rows of (name, id, value).
async fn rows(connection: &mut PgConnection, query: &'static str) -> Vec<Held> {
    let rows: Vec<(Option<String>, String, String)> =
        sqlx::query_as(query).fetch_all(connection).await.unwrap_or_else(|error| panic!("{query}: {error}"));
    rows.into_iter().map(|(name, id, value)| Held { name: name.unwrap_or_default(), id, value }).collect()
}

/// FlashERP's records under Stripe's names, which it does not know: ours carry both.
struct Books {
    /// Stripe's ids by ours.
    names: BTreeMap<String, String>,
    transactions: Vec<Record>,
    customers: Vec<Record>,
    invoices: Vec<Record>,
}

impl Books {
    async fn new(transactions: &[Held], users: &[Held], flasherp: &Sandbox) -> Self {
        Self {
            names: transactions.iter().chain(users).map(|held| (held.id.clone(), held.name.clone())).collect(),
            transactions: flasherp.records("transactions").await,
            customers: flasherp.records("customers").await,
            invoices: flasherp.records("invoices").await,
        }
    }

    fn transactions(&self) -> Vec<Held> {
        let owners = self.owners();
        let value = |record: &Record| {
            let text = |field| record.text(field).unwrap_or_default();
            format!("{} {} {}", money_of(record, &owners), text("status"), text("type"))
        };
        self.transactions.iter().map(|record| self.held(record, value(record))).collect()
    }

    /// Under FlashERP's own names.
    fn invoices(&self) -> Vec<Held> {
        let owners = self.owners();
        let value =
            |record: &Record| format!("{} {}", money_of(record, &owners), record.text("status").unwrap_or_default());
        let held = |record: &Record| Held { name: record.id(), id: record.id(), value: value(record) };
        self.invoices.iter().map(held).collect()
    }

    /// Stripe's customers by FlashERP's ids.
    fn owners(&self) -> BTreeMap<String, String> {
        self.customers.iter().map(|record| (record.id(), self.name(&record.reference()))).collect()
    }

    fn customers(&self) -> Vec<Held> {
        let value = |record: &Record| person(record.text("name").as_deref(), record.text("email").as_deref());
        self.customers.iter().map(|record| self.held(record, value(record))).collect()
    }

    fn held(&self, record: &Record, value: String) -> Held {
        Held { name: self.name(&record.reference()), id: record.id(), value }
    }

    /// Rows of (our id, FlashERP's id, type) under Stripe's names. One that names a record which FlashERP has not, or not under that reference,
    /// gets a value that nobody claims.
    fn linked(&self, rows: Vec<Held>) -> Vec<Held> {
        let there: BTreeSet<(String, String)> =
            self.transactions.iter().chain(&self.customers).map(|record| (record.reference(), record.id())).collect();
        let held = |Held { name, id, value }: Held| {
            let (name, reference) = (self.name(&name), name);
            let is_there = there.contains(&(reference, id.clone()));
            Held { name, id, value: if is_there { value } else { "a record that FlashERP has not".to_owned() } }
        };
        rows.into_iter().map(held).collect()
    }

    /// An id that is none of ours keeps itself as its name, and is unexpected.
    fn name(&self, ours: &str) -> String {
        self.names.get(ours).cloned().unwrap_or_else(|| ours.to_owned())
    }
}

/// `10.99 USD cus_1`, of a record of FlashERP's.
fn money_of(record: &Record, owners: &BTreeMap<String, String>) -> String {
    let text = |field| record.text(field).unwrap_or_default();
    let owner = owners.get(&text("customerId")).map_or("nobody", String::as_str);
    format!("{} {} {owner}", record.json("amount").unwrap_or_default(), text("currency"))
}

/// Claims of the same things with other values.
fn each(claims: &[Claim], value: impl Fn(&str) -> String) -> Vec<Claim> {
    let all = |words: &BTreeSet<String>| words.iter().map(|word| value(word)).collect();
    claims.iter().map(|claim| Claim { values: all(&claim.values), older: all(&claim.older), ..claim.clone() }).collect()
}

fn payment(event: &SentEvent, value: impl Fn(&str) -> String) -> Option<(String, String)> {
    (event.kind == "payment_intent.succeeded").then(|| (event.object.clone(), value(&event.value)))
}

fn customer(event: &SentEvent, value: impl Fn(&str) -> String) -> Option<(String, String)> {
    event.kind.starts_with("customer.").then(|| (event.object.clone(), value(&event.value)))
}

/// `1099 usd cus_1` as UpCoach must hold it.
fn ours(value: &str) -> String {
    format!("{value} completed payment")
}

/// `1099 usd cus_1 completed payment` as FlashERP must hold it: `10.99 USD cus_1 completed payment`.
fn theirs(value: &str) -> String {
    let (amount, rest) = value.split_once(' ').expect("an amount");
    let (currency, rest) = rest.split_once(' ').expect("a currency");
    format!("{} {rest}", in_major_units(&format!("{amount} {currency}")))
}

fn in_major_units_of(held: Vec<Held>) -> Vec<Held> {
    held.into_iter().map(|held| Held { value: theirs(&held.value), ..held }).collect()
}

/// `1099 usd` in Stripe's units as FlashERP must hold it, `10.99 USD`, by Stripe's and ISO 4217's tables and not by the product's.
pub(super) fn in_major_units(value: &str) -> String {
    let (amount, currency) = value.split_once(' ').expect("an amount and a currency");
    let amount: i64 = amount.parse().expect("Stripe's amounts are whole");
    let (stripes, isos) = match currency {
        "jpy" | "krw" | "vnd" | "clp" | "xaf" => (0, 0),
        "mga" => (0, 2),
        "isk" | "ugx" => (2, 0),
        "kwd" | "bhd" | "jod" | "omr" | "tnd" => (3, 3),
        _ => (2, 2),
    };
    let minor = amount * 10_i64.pow(isos) / 10_i64.pow(stripes);
    let (whole, part) = (minor / 10_i64.pow(isos), minor % 10_i64.pow(isos));
    let currency = currency.to_uppercase();
    match usize::try_from(isos).expect("few digits") {
        0 => format!("{whole} {currency}"),
        digits => format!("{whole}.{part:0digits$} {currency}"),
    }
}

#[test]
fn amounts_in_major_units() {
    for (stripe, flasherp) in [
        ("1099 usd", "10.99 USD"),
        ("500 jpy", "500 JPY"),
        ("1230 kwd", "1.230 KWD"),
        ("50000 isk", "500 ISK"),
        ("500 mga", "500.00 MGA"),
        ("5 eur", "0.05 EUR"),
    ] {
        assert_eq!(in_major_units(stripe), flasherp);
    }
}
