//! Two books that agree: UpCoach's tables with their syncs, and a sandbox's snapshot file that holds the same records. Written in bulk, so that a
//! million of them is there in a minute, and what is to differ can be changed afterwards.

use std::fs::File;
use std::io::{BufWriter, Write as _};
use std::path::Path;

use domain::{EntityType, Money, SourceSystem, SyncId, instant, stripe_uuid};
use serde_json::json;
use sqlx::PgPool;
use time::{Duration, OffsetDateTime};
use uuid::Uuid;

/// Rows to one statement.
const CHUNK: u32 = 20_000;
const CURRENCIES: [&str; 4] = ["eur", "usd", "jpy", "kwd"];
/// How long ago the first transaction was, and the last.
const FIRST: Duration = Duration::days(60);
const LAST: Duration = Duration::days(1);

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

/// The books.
#[derive(Debug, Clone, Copy)]
pub struct Ledger {
    customers: u32,
    transactions: u32,
    begun: OffsetDateTime,
}

impl Ledger {
    /// Of so many transactions, a hundredth as many customers.
    pub fn of(transactions: u32) -> Self {
        let begun = instant::to_millis(OffsetDateTime::now_utc() - FIRST);
        Self { customers: (transactions / 100).max(1), transactions, begun }
    }

    /// The nth transaction, from 0.
    pub fn entry(&self, nth: u32) -> Entry {
        let id = stripe_uuid(&format!("pi_{nth}"));
        Entry {
            id,
            sync: SyncId::of(SourceSystem::Upcoach, EntityType::Transaction, id).as_uuid(),
            target: format!("ftx_{:016x}", self.customers + nth + 1),
            customer: customer_target(nth % self.customers),
            // A whole amount of each currency.
            units: i64::from(nth % 9_973 + 1) * 10,
            currency: CURRENCIES[nth as usize % CURRENCIES.len()],
            kind: if nth % 10 == 9 { "refund" } else { "payment" },
        }
    }

    fn born(&self, nth: u32) -> OffsetDateTime {
        let span = (FIRST - LAST).whole_milliseconds() as i64;
        self.begun + Duration::milliseconds(span / i64::from(self.transactions.max(1)) * i64::from(nth))
    }

    /// Fills UpCoach's tables and the syncs, and writes the sandbox's file. Nothing is asked for afterwards. `pool` is the superuser's.
    ///
    /// # Panics
    /// When PostgreSQL or the file refuses.
    pub async fn write(&self, pool: &PgPool, snapshot: &Path) {
        let mut file = BufWriter::new(File::create(snapshot).expect("the sandbox's file is made"));
        let newest = self.born(self.transactions);
        let next = self.customers + self.transactions + 1;
        let mut line = |line: serde_json::Value| {
            writeln!(file, "{line}").expect("the sandbox's file is written");
        };
        line(json!({"header": {"version": 1, "next_id": next, "newest_ms": millis(newest)}}));
        self.write_customers(pool, &mut line).await;
        for first in (0..self.transactions).step_by(CHUNK as usize) {
            let chunk: Vec<u32> = (first..(first + CHUNK).min(self.transactions)).collect();
            self.insert(pool, &chunk).await;
            for nth in chunk {
                line(self.record(nth));
            }
        }
        line(json!({"end": {"lines": self.customers + self.transactions + 1}}));
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
        let born: Vec<OffsetDateTime> = chunk.iter().map(|nth| self.born(*nth)).collect();
        let ids: Vec<Uuid> = entries.iter().map(|entry| entry.id).collect();
        sqlx::query(
            "INSERT INTO upcoach.transactions (id, user_id, stripe_transaction_id, type, status, amount, currency, payment_method,
                description, created_at, updated_at)
             SELECT id, owner, 'pi_' || nth, kind, 'completed', units, currency, 'card', 'Coaching ' || nth, born, born
             FROM unnest($1::uuid[], $2::uuid[], $3::bigint[], $4::text[], $5::bigint[], $6::text[], $7::timestamptz[])
                AS t (id, owner, nth, kind, units, currency, born)",
        )
        .bind(&ids)
        .bind(chunk.iter().map(|nth| customer(nth % self.customers)).collect::<Vec<_>>())
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
        let born = self.born(nth);
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
}

fn customer(nth: u32) -> Uuid {
    stripe_uuid(&format!("cus_{nth}"))
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
