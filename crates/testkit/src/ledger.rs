//! Two books that agree: UpCoach's tables with their syncs, and a sandbox's snapshot file that holds the same records. Written in bulk, so that a
//! million of them is there in a minute, and what is to differ can be changed afterwards.
//!
//! [`Ledger::of`] has transactions and their customers, [`Ledger::of_each`] records of all four types. What FlashERP holds of them is written here by
//! hand, and not by the mapping that a reconciliation holds against it.

use std::fs::File;
use std::io::{BufWriter, Write as _};
use std::ops::Range;
use std::path::Path;

use domain::{EntityType, Money, SourceSystem, SyncId, instant, stripe_uuid};
use serde_json::json;
use sqlx::PgPool;
use time::{Duration, OffsetDateTime};
use uuid::Uuid;

/// Rows to one statement.
const CHUNK: u32 = 20_000;
const CURRENCIES: [&str; 4] = ["eur", "usd", "jpy", "kwd"];
const PLANS: [&str; 4] = ["basic", "pro", "team", "enterprise"];
const INTERVALS: [&str; 3] = ["monthly", "quarterly", "yearly"];
/// A subscription's status here and in FlashERP.
const SUBSCRIBED: [(&str, &str); 5] = [
    ("active", "active"),
    ("trialing", "active"),
    ("past_due", "past_due"),
    ("canceled", "canceled"),
    ("paused", "incomplete"),
];
const BILLED: [&str; 5] = ["draft", "open", "paid", "void", "uncollectible"];
/// How long ago the first transaction was, and the last.
const FIRST: Duration = Duration::days(60);
const LAST: Duration = Duration::days(1);
/// Of a subscription, and until an invoice with a due date is due.
const PERIOD: Duration = Duration::days(30);

/// A transaction that both sides have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// UpCoach's id.
    pub id: Uuid,
    /// Its sync.
    pub sync: Uuid,
    /// FlashERP's id.
    pub target: String,
    /// Its customer in FlashERP.
    pub customer: String,
    /// In Stripe's units.
    pub units: i64,
    /// In lower case.
    pub currency: &'static str,
    /// payment or refund.
    pub kind: &'static str,
}

/// A record of any type that both sides have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pair {
    /// Its type.
    pub of: EntityType,
    /// UpCoach's id.
    pub id: Uuid,
    /// Its sync.
    pub sync: Uuid,
    /// FlashERP's id.
    pub target: String,
    /// In FlashERP, whose it is; of a customer itself.
    pub customer: String,
}

/// The books.
#[derive(Debug, Clone, Copy)]
pub struct Ledger {
    customers: u32,
    /// Of the customers those that own something, the first.
    owners: u32,
    transactions: u32,
    subscriptions: u32,
    invoices: u32,
    begun: OffsetDateTime,
}

impl Ledger {
    /// Of so many transactions, a hundredth as many customers.
    pub fn of(transactions: u32) -> Self {
        let begun = instant::to_millis(OffsetDateTime::now_utc() - FIRST);
        let customers = (transactions / 100).max(1);
        Self { customers, owners: customers, transactions, subscriptions: 0, invoices: 0, begun }
    }

    /// Of so many of each type. A tenth of the customers, the first, own all the rest.
    pub fn of_each(records: u32) -> Self {
        let records = records.max(1);
        Self {
            customers: records,
            owners: records.div_ceil(10),
            subscriptions: records,
            invoices: records,
            ..Self::of(records)
        }
    }

    /// How many there are of a type.
    pub const fn count(&self, of: EntityType) -> u32 {
        match of {
            EntityType::Customer => self.customers,
            EntityType::Transaction => self.transactions,
            EntityType::Subscription => self.subscriptions,
            EntityType::Invoice => self.invoices,
            EntityType::FinancialReport => 0,
        }
    }

    /// The nth record of a type, from 0.
    ///
    /// # Panics
    /// Of a type that FlashERP keeps no records of.
    pub fn pair(&self, of: EntityType, nth: u32) -> Pair {
        let (id, target) = match of {
            EntityType::Customer => (customer(nth), customer_target(nth)),
            EntityType::Transaction => (transaction(nth), format!("ftx_{:016x}", self.customers + nth + 1)),
            EntityType::Subscription => {
                let before = self.customers + self.transactions;
                (stripe_uuid(&format!("sub_{nth}")), format!("fsu_{:016x}", before + nth + 1))
            }
            EntityType::Invoice => {
                let before = self.customers + self.transactions + self.subscriptions;
                (stripe_uuid(&format!("in_{nth}")), format!("fin_{:016x}", before + nth + 1))
            }
            EntityType::FinancialReport => panic!("FlashERP keeps no records of reports"),
        };
        let customer = if of == EntityType::Customer { target.clone() } else { customer_target(self.owner(nth)) };
        Pair { of, id, sync: SyncId::of(SourceSystem::Upcoach, of, id).as_uuid(), target, customer }
    }

    /// The nth transaction, from 0.
    pub fn entry(&self, nth: u32) -> Entry {
        let Pair { id, sync, target, customer, .. } = self.pair(EntityType::Transaction, nth);
        Entry {
            id,
            sync,
            target,
            customer,
            units: units(nth),
            currency: in_turn(&CURRENCIES, nth),
            kind: if nth % 10 == 9 { "refund" } else { "payment" },
        }
    }

    /// Whose the nth of a type is.
    const fn owner(&self, nth: u32) -> u32 {
        nth % self.owners
    }

    /// When the nth of so many was made.
    fn born(&self, nth: u32, count: u32) -> OffsetDateTime {
        let span = (FIRST - LAST).whole_milliseconds() as i64;
        self.begun + Duration::milliseconds(span / i64::from(count.max(1)) * i64::from(nth))
    }

    /// Fills UpCoach's tables and the syncs, and writes the sandbox's file. Nothing is asked for afterwards. `pool` is the superuser's.
    ///
    /// # Panics
    /// When PostgreSQL or the file refuses.
    pub async fn write(&self, pool: &PgPool, snapshot: &Path) {
        let mut file = BufWriter::new(File::create(snapshot).expect("the sandbox's file is made"));
        let newest = self.begun + (FIRST - LAST);
        let records = self.customers + self.transactions + self.subscriptions + self.invoices;
        let mut line = |line: serde_json::Value| {
            writeln!(file, "{line}").expect("the sandbox's file is written");
        };
        line(json!({"header": {"version": 1, "next_id": records + 1, "newest_ms": millis(newest)}}));
        self.write_customers(pool, &mut line).await;
        for first in (0..self.transactions).step_by(CHUNK as usize) {
            let chunk: Vec<u32> = (first..(first + CHUNK).min(self.transactions)).collect();
            self.insert(pool, &chunk).await;
            for nth in chunk {
                line(self.record(nth));
            }
        }
        for first in (0..self.subscriptions).step_by(CHUNK as usize) {
            self.write_subscriptions(pool, first..(first + CHUNK).min(self.subscriptions), &mut line).await;
        }
        for first in (0..self.invoices).step_by(CHUNK as usize) {
            self.write_invoices(pool, first..(first + CHUNK).min(self.invoices), &mut line).await;
        }
        line(json!({"end": {"lines": records + 1}}));
        file.into_inner().expect("the sandbox's file is written").sync_all().expect("the sandbox's file is written");
        sqlx::raw_sql("TRUNCATE sync.requests; ANALYZE").execute(pool).await.expect("nothing is asked for");
    }

    async fn write_customers(&self, pool: &PgPool, line: &mut impl FnMut(serde_json::Value)) {
        let customers: Vec<u32> = (0..self.customers).collect();
        let ids: Vec<Uuid> = customers.iter().map(|nth| customer(*nth)).collect();
        let targets: Vec<String> = customers.iter().map(|nth| customer_target(*nth)).collect();
        let born = self.begun - Duration::DAY;
        sqlx::query(
            "INSERT INTO upcoach.users (id, email, name, created_at, updated_at)
             SELECT id, id || '@example.com', 'Ada', $2, $2 FROM unnest($1::uuid[]) AS u (id)",
        )
        .bind(&ids)
        .bind(born)
        .execute(pool)
        .await
        .expect("users");
        let syncs: Vec<Uuid> =
            ids.iter().map(|id| SyncId::of(SourceSystem::Upcoach, EntityType::Customer, *id).as_uuid()).collect();
        insert_syncs(pool, "customer", &syncs, &ids, &targets, &vec![born; ids.len()]).await;
        for (id, target) in ids.iter().zip(&targets) {
            let body = format!(
                r#"{{"id":"{target}","email":"{id}@example.com","name":"Ada","upcoachReference":"{id}","createdAt":"{at}","updatedAt":"{at}"}}"#,
                at = instant::text(born)
            );
            line(record("customers", number(target), born, body));
        }
    }

    async fn insert(&self, pool: &PgPool, chunk: &[u32]) {
        let entries: Vec<Entry> = chunk.iter().map(|nth| self.entry(*nth)).collect();
        let born: Vec<OffsetDateTime> = chunk.iter().map(|nth| self.born(*nth, self.transactions)).collect();
        let ids: Vec<Uuid> = entries.iter().map(|entry| entry.id).collect();
        sqlx::query(
            "INSERT INTO upcoach.transactions (id, user_id, stripe_transaction_id, type, status, amount, currency, payment_method,
                description, created_at, updated_at)
             SELECT id, owner, 'pi_' || nth, kind, 'completed', units, currency, 'card', 'Coaching ' || nth, born, born
             FROM unnest($1::uuid[], $2::uuid[], $3::bigint[], $4::text[], $5::bigint[], $6::text[], $7::timestamptz[])
                AS t (id, owner, nth, kind, units, currency, born)",
        )
        .bind(&ids)
        .bind(chunk.iter().map(|nth| customer(self.owner(*nth))).collect::<Vec<_>>())
        .bind(chunk.iter().map(|nth| i64::from(*nth)).collect::<Vec<_>>())
        .bind(entries.iter().map(|entry| entry.kind).collect::<Vec<_>>())
        .bind(entries.iter().map(|entry| entry.units).collect::<Vec<_>>())
        .bind(entries.iter().map(|entry| entry.currency).collect::<Vec<_>>())
        .bind(&born)
        .execute(pool)
        .await
        .expect("transactions");
        let syncs: Vec<Uuid> = entries.iter().map(|entry| entry.sync).collect();
        let targets: Vec<String> = entries.into_iter().map(|entry| entry.target).collect();
        insert_syncs(pool, "transaction", &syncs, &ids, &targets, &born).await;
    }

    fn record(&self, nth: u32) -> serde_json::Value {
        let entry = self.entry(nth);
        let born = self.born(nth, self.transactions);
        let money = Money::from_stripe(entry.units, entry.currency).expect("a whole amount");
        let body = format!(
            r#"{{"id":"{}","customerId":"{}","amount":{},"currency":"{}","status":"completed","type":"{}","paymentMethod":"card","description":"Coaching {nth}","upcoachReference":"{}","stripeTransactionId":"pi_{nth}","createdAt":"{at}","updatedAt":"{at}"}}"#,
            entry.target,
            entry.customer,
            money.to_decimal(),
            money.code(),
            entry.kind,
            entry.id,
            at = instant::text(born)
        );
        record("transactions", number(&entry.target), born, body)
    }

    async fn write_subscriptions(&self, pool: &PgPool, chunk: Range<u32>, line: &mut impl FnMut(serde_json::Value)) {
        let pairs: Vec<Pair> = chunk.clone().map(|nth| self.pair(EntityType::Subscription, nth)).collect();
        let born: Vec<OffsetDateTime> = chunk.clone().map(|nth| self.born(nth, self.subscriptions)).collect();
        sqlx::query(
            "INSERT INTO upcoach.subscriptions (id, user_id, stripe_subscription_id, plan, status, billing_interval, amount, currency,
                trial_end, current_period_start, current_period_end, canceled_at, created_at, updated_at)
             SELECT id, owner, 'sub_' || nth, plan, status, billed_each, units, currency, CASE WHEN status = 'trialing' THEN period_end END,
                born, period_end, CASE WHEN status = 'canceled' THEN born END, born, born
             FROM unnest($1::uuid[], $2::uuid[], $3::bigint[], $4::text[], $5::text[], $6::text[], $7::bigint[], $8::text[],
                $9::timestamptz[], $10::timestamptz[]) AS s (id, owner, nth, plan, status, billed_each, units, currency, born, period_end)",
        )
        .bind(pairs.iter().map(|pair| pair.id).collect::<Vec<_>>())
        .bind(chunk.clone().map(|nth| customer(self.owner(nth))).collect::<Vec<_>>())
        .bind(chunk.clone().map(i64::from).collect::<Vec<_>>())
        .bind(chunk.clone().map(|nth| in_turn(&PLANS, nth)).collect::<Vec<_>>())
        .bind(chunk.clone().map(|nth| in_turn(&SUBSCRIBED, nth).0).collect::<Vec<_>>())
        .bind(chunk.clone().map(|nth| in_turn(&INTERVALS, nth)).collect::<Vec<_>>())
        .bind(chunk.clone().map(units).collect::<Vec<_>>())
        .bind(chunk.clone().map(|nth| in_turn(&CURRENCIES, nth)).collect::<Vec<_>>())
        .bind(&born)
        .bind(born.iter().map(|at| *at + PERIOD).collect::<Vec<_>>())
        .execute(pool)
        .await
        .expect("subscriptions");
        insert_syncs_of(pool, EntityType::Subscription, &pairs, &born).await;
        for ((nth, pair), born) in chunk.zip(&pairs).zip(born) {
            let (at, end) = (instant::text(born), instant::text(born + PERIOD));
            let (here, there) = in_turn(&SUBSCRIBED, nth);
            let (amount, code) = money(nth);
            let mut body = json!({
                "id": pair.target, "customerId": pair.customer, "plan": in_turn(&PLANS, nth), "status": there,
                "billingInterval": in_turn(&INTERVALS, nth), "amount": amount, "currency": code, "currentPeriodStart": at,
                "currentPeriodEnd": end, "upcoachReference": pair.id, "stripeSubscriptionId": format!("sub_{nth}"), "createdAt": at,
                "updatedAt": at,
            });
            match here {
                "trialing" => body["metadata"] = json!({"trialEndsAt": end}),
                "paused" => body["metadata"] = json!({"paused": true}),
                "canceled" => body["canceledAt"] = json!(at),
                _ => {}
            }
            line(record("subscriptions", number(&pair.target), born, with_amount(&body)));
        }
    }

    async fn write_invoices(&self, pool: &PgPool, chunk: Range<u32>, line: &mut impl FnMut(serde_json::Value)) {
        let pairs: Vec<Pair> = chunk.clone().map(|nth| self.pair(EntityType::Invoice, nth)).collect();
        let born: Vec<OffsetDateTime> = chunk.clone().map(|nth| self.born(nth, self.invoices)).collect();
        let bills: Vec<Option<Uuid>> = chunk.clone().map(|nth| self.billed(nth)).collect();
        // Every other one is Stripe's; every third has a due date of its own.
        sqlx::query(
            "INSERT INTO upcoach.invoices (id, user_id, transaction_id, stripe_invoice_id, status, amount, currency, due_date, paid_at,
                created_at, updated_at)
             SELECT id, owner, bills, CASE WHEN nth % 2 = 0 THEN 'in_' || nth END, status, units, currency, due,
                CASE WHEN status = 'paid' THEN born END, born, born
             FROM unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::bigint[], $5::text[], $6::bigint[], $7::text[], $8::timestamptz[],
                $9::timestamptz[]) AS i (id, owner, bills, nth, status, units, currency, born, due)",
        )
        .bind(pairs.iter().map(|pair| pair.id).collect::<Vec<_>>())
        .bind(chunk.clone().map(|nth| customer(self.owner(nth))).collect::<Vec<_>>())
        .bind(&bills)
        .bind(chunk.clone().map(i64::from).collect::<Vec<_>>())
        .bind(chunk.clone().map(|nth| in_turn(&BILLED, nth)).collect::<Vec<_>>())
        .bind(chunk.clone().map(units).collect::<Vec<_>>())
        .bind(chunk.clone().map(|nth| in_turn(&CURRENCIES, nth)).collect::<Vec<_>>())
        .bind(&born)
        .bind(chunk.clone().zip(&born).map(|(nth, at)| due(nth, *at)).collect::<Vec<_>>())
        .execute(pool)
        .await
        .expect("invoices");
        insert_syncs_of(pool, EntityType::Invoice, &pairs, &born).await;
        for (((nth, pair), born), bills) in chunk.zip(&pairs).zip(born).zip(bills) {
            let at = instant::text(born);
            let (amount, code) = money(nth);
            let mut body = json!({
                "id": pair.target, "customerId": pair.customer, "amount": amount, "currency": code,
                "dueDate": instant::text(due(nth, born).unwrap_or(born)), "upcoachReference": pair.id, "status": in_turn(&BILLED, nth),
                "createdAt": at, "updatedAt": at,
            });
            if in_turn(&BILLED, nth) == "paid" {
                body["paidAt"] = json!(at);
            }
            if let Some(transaction) = bills {
                body["metadata"] = json!({"upcoachTransactionId": transaction});
            }
            line(record("invoices", number(&pair.target), born, with_amount(&body)));
        }
    }

    /// The transaction that an invoice bills: of every fourth, one.
    fn billed(&self, nth: u32) -> Option<Uuid> {
        (nth.is_multiple_of(4) && nth < self.transactions).then(|| transaction(nth))
    }
}

/// A whole amount of each currency, in Stripe's units.
fn units(nth: u32) -> i64 {
    i64::from(nth % 9_973 + 1) * 10
}

/// The same as FlashERP writes it, and its currency.
fn money(nth: u32) -> (String, &'static str) {
    let money = Money::from_stripe(units(nth), in_turn(&CURRENCIES, nth)).expect("a whole amount");
    (money.to_decimal(), money.code())
}

fn due(nth: u32, born: OffsetDateTime) -> Option<OffsetDateTime> {
    nth.is_multiple_of(3).then(|| born + PERIOD)
}

/// The body with its amount as the number whose digits it holds as text: no number of ours keeps them all.
fn with_amount(body: &serde_json::Value) -> String {
    let digits = body["amount"].as_str().expect("digits");
    body.to_string().replacen(&format!("\"amount\":\"{digits}\""), &format!("\"amount\":{digits}"), 1)
}

fn in_turn<T: Copy>(of: &[T], nth: u32) -> T {
    of[nth as usize % of.len()]
}

fn customer(nth: u32) -> Uuid {
    stripe_uuid(&format!("cus_{nth}"))
}

fn transaction(nth: u32) -> Uuid {
    stripe_uuid(&format!("pi_{nth}"))
}

fn customer_target(nth: u32) -> String {
    format!("fcu_{:016x}", nth + 1)
}

fn number(target: &str) -> u64 {
    u64::from_str_radix(&target[4..], 16).expect("made here")
}

fn millis(at: OffsetDateTime) -> i64 {
    i64::try_from(at.unix_timestamp_nanos() / 1_000_000).expect("a time of this millennium")
}

fn record(of: &str, id: u64, born: OffsetDateTime, body: String) -> serde_json::Value {
    let at = millis(born);
    json!({"record": {"of": of, "id": id, "created_ms": at, "updated_ms": at, "body": body}})
}

async fn insert_syncs_of(pool: &PgPool, kind: EntityType, pairs: &[Pair], born: &[OffsetDateTime]) {
    let syncs: Vec<Uuid> = pairs.iter().map(|pair| pair.sync).collect();
    let ids: Vec<Uuid> = pairs.iter().map(|pair| pair.id).collect();
    let targets: Vec<String> = pairs.iter().map(|pair| pair.target.clone()).collect();
    insert_syncs(pool, kind.as_str(), &syncs, &ids, &targets, born).await;
}

async fn insert_syncs(
    pool: &PgPool,
    kind: &str,
    syncs: &[Uuid],
    ids: &[Uuid],
    targets: &[String],
    born: &[OffsetDateTime],
) {
    sqlx::query(
        "INSERT INTO sync.erp_syncs (id, source_type, source_id, target_id, sync_status, last_sync_attempt, last_sync_success, requested,
            taken, taken_known, target_created_at, target_updated_at, created_at)
         SELECT id, $1::text::sync.entity_type, source, target, 'synced', born, born, 1, 1, 1, born, born, born
         FROM unnest($2::uuid[], $3::uuid[], $4::text[], $5::timestamptz[]) AS s (id, source, target, born)",
    )
    .bind(kind)
    .bind(syncs)
    .bind(ids)
    .bind(targets)
    .bind(born)
    .execute(pool)
    .await
    .expect("syncs");
}
