//! What each place holds, and what it must hold by the history: the stored events, the audit log, UpCoach's tables, FlashERP.

use std::collections::BTreeMap;

use sqlx::PgPool;
use testkit::checker::{Held, Verdict, check};
use testkit::history::{SentEvent, claims};
use testkit::sandbox::Record;

use super::stage::Stage;

const EVENTS: &str = "SELECT event_id, id::text, status::text FROM ingress.webhook_events";
const APPLIED: &str = "SELECT metadata ->> 'eventId', id::text, metadata ->> 'status' FROM audit.erp_audit_logs
    WHERE action = 'webhook_received' AND status = 'success'";
const TRANSACTIONS: &str =
    "SELECT stripe_transaction_id, id::text, amount::text || ' ' || lower(currency) FROM upcoach.transactions";
const USERS: &str = "SELECT stripe_customer_id, id::text, '' FROM upcoach.users";
/// One row for each record that the log says was written, or taken over after a write whose answer nobody saw.
const WRITTEN: &str = "SELECT DISTINCT t.stripe_transaction_id, t.id::text, ''
    FROM audit.erp_audit_logs l JOIN upcoach.transactions t ON t.id::text = l.entity_id
    WHERE l.action = 'sync' AND l.entity_type = 'transaction' AND l.metadata ->> 'targetId' IS NOT NULL";
const LEFT: &str = "SELECT (SELECT count(*) FROM ingress.webhook_events WHERE status <> 'applied')
    + (SELECT count(*) FROM sync.requests)
    + (SELECT count(*) FROM sync.outbox)
    + (SELECT count(*) FROM sync.erp_syncs WHERE sync_status <> 'synced' OR outcome <> 'known')";
const OUT_OF_STEP: &str =
    "SELECT concat_ws(' ', 'event', event_id, event_type, status, error) FROM ingress.webhook_events
    WHERE status <> 'applied'
    UNION ALL SELECT concat_ws(' ', 'request', source_type, source_id) FROM sync.requests
    UNION ALL SELECT concat_ws(' ', 'sync', source_type, source_id, sync_status, outcome, 'retries', retry_count,
        'due', due_at - clock_timestamp(), error_code, error_message) FROM sync.erp_syncs
        WHERE sync_status <> 'synced' OR outcome <> 'known'
    UNION ALL SELECT concat_ws(' ', 'fact', subject, event_id) FROM sync.outbox
    LIMIT 50";

impl Stage {
    /// Whether nothing is left to do anywhere.
    pub(super) async fn is_in_step(&self) -> bool {
        let pool = self.pool().await;
        let left: i64 = sqlx::query_scalar(LEFT).fetch_one(&pool).await.unwrap_or(-1);
        pool.close().await;
        left == 0 && self.sandbox.counters().await.pending_writes == 0
    }

    /// What is left to do, for people.
    pub(super) async fn out_of_step(&self) -> Vec<String> {
        let pool = self.pool().await;
        sqlx::query_scalar(OUT_OF_STEP).fetch_all(&pool).await.expect("the rows are read")
    }

    /// Holds every place against the history.
    pub(super) async fn verdicts(&self) -> Vec<Verdict> {
        let entries = self.history.entries();
        let pool = self.pool().await;
        let events = claims(&entries, |event| Some((event.id.clone(), "applied".to_owned())));
        let payments = claims(&entries, |event| payment(event, str::to_owned));
        let customers = claims(&entries, customer);
        let transactions = rows(&pool, TRANSACTIONS).await;
        let users = rows(&pool, USERS).await;
        let in_flasherp = claims(&entries, |event| payment(event, in_major_units));
        let written = claims(&entries, |event| payment(event, |_| String::new()));
        let (their_transactions, their_customers) =
            (self.sandbox.records("transactions").await, self.sandbox.records("customers").await);
        vec![
            check("ingress.webhook_events", &events, &rows(&pool, EVENTS).await),
            check("webhooks in the audit log", &events, &rows(&pool, APPLIED).await),
            check("upcoach.transactions", &payments, &transactions),
            check("upcoach.users", &customers, &users),
            check("transactions in FlashERP", &in_flasherp, &held_by(&their_transactions, &transactions, amount)),
            check("customers in FlashERP", &customers, &held_by(&their_customers, &users, |_| String::new())),
            check("writes in the audit log", &written, &rows(&pool, WRITTEN).await),
        ]
    }

    async fn pool(&self) -> PgPool {
        self.database.pool("erp_owner").await
    }
}

/// Rows of (name, id, value).
async fn rows(pool: &PgPool, query: &'static str) -> Vec<Held> {
    let rows: Vec<(Option<String>, String, String)> =
        sqlx::query_as(query).fetch_all(pool).await.unwrap_or_else(|error| panic!("{query}: {error}"));
    rows.into_iter().map(|(name, id, value)| Held { name: name.unwrap_or_default(), id, value }).collect()
}

/// FlashERP's records by Stripe's ids, which it does not know: ours carry both. A record with a reference that is none of ours keeps it as its
/// name, and is unexpected.
fn held_by(records: &[Record], ours: &[Held], value: impl Fn(&Record) -> String) -> Vec<Held> {
    let names: BTreeMap<&str, &str> = ours.iter().map(|held| (held.id.as_str(), held.name.as_str())).collect();
    let held = |record: &Record| {
        let reference = record.reference();
        let name = names.get(reference.as_str()).map_or(reference.clone(), |name| (*name).to_owned());
        Held { name, id: record.id(), value: value(record) }
    };
    records.iter().map(held).collect()
}

fn payment(event: &SentEvent, value: impl Fn(&str) -> String) -> Option<(String, String)> {
    (event.kind == "payment_intent.succeeded").then(|| (event.object.clone(), value(&event.value)))
}

fn customer(event: &SentEvent) -> Option<(String, String)> {
    event.kind.starts_with("customer.").then(|| (event.object.clone(), String::new()))
}

fn amount(record: &Record) -> String {
    format!("{} {}", record.json("amount").unwrap_or_default(), record.text("currency").unwrap_or_default())
}

/// `1099 usd` in Stripe's units as FlashERP must hold it, `10.99 USD`, by Stripe's and ISO 4217's tables and not by the product's.
fn in_major_units(value: &str) -> String {
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
