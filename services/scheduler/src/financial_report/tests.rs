//! Reports of random books against a computation that is as naive as can be: a loop over all rows for each day and currency.

use std::collections::BTreeMap;

use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use sqlx::PgPool;
use testkit::TestDatabase;
use time::macros::date;
use time::{Date, Duration, OffsetDateTime, Time};
use uuid::Uuid;

use super::write;

const LAST_DAY: Date = date!(2026 - 11 - 23);
/// USD in either case, one of Stripe's exceptions, one without digits.
const CURRENCIES: [&str; 4] = ["usd", "USD", "isk", "jpy"];
const TYPES: [&str; 5] = ["payment", "refund", "adjustment", "chargeback", "payout"];
const STATUSES: [&str; 5] = ["pending", "completed", "failed", "refunded", "partially_refunded"];
const RUNNING: [&str; 7] = ["active", "past_due", "canceled", "incomplete", "incomplete_expired", "trialing", "paused"];
const INTERVALS: [(&str, i64); 3] = [("monthly", 12), ("quarterly", 4), ("yearly", 1)];

/// A row of a table: which day before the last, and the rest as numbers to choose by.
#[derive(Debug, Clone)]
struct Entry {
    /// Hours before the end of the last day.
    hours: i64,
    currency: usize,
    kind: usize,
    status: usize,
    amount: i64,
    fee: Option<i64>,
    /// Hours between then and a trial's or a subscription's end.
    until: Option<i64>,
}

fn entry() -> impl Strategy<Value = Entry> {
    (
        0_i64..96,
        0..CURRENCIES.len(),
        0..TYPES.len(),
        0..RUNNING.len(),
        0_i64..100_000,
        prop::option::of(0_i64..500),
        prop::option::of(-100_i64..100),
    )
        .prop_map(|(hours, currency, kind, status, amount, fee, until)| {
            // Stripe's amounts of krónur are multiples of 100.
            Entry { hours, currency, kind, status, amount: amount * 100, fee: fee.map(|fee| fee * 100), until }
        })
}

impl Entry {
    fn at(&self) -> OffsetDateTime {
        end() - Duration::hours(self.hours) - Duration::SECOND
    }

    fn currency(&self) -> &'static str {
        CURRENCIES[self.currency]
    }

    fn upper(&self) -> String {
        self.currency().to_uppercase()
    }
}

fn end() -> OffsetDateTime {
    LAST_DAY.next_day().expect("there is one").with_time(Time::MIDNIGHT).assume_utc()
}

#[derive(Debug, Clone)]
struct Books {
    transactions: Vec<Entry>,
    costs: Vec<Entry>,
    subscriptions: Vec<Entry>,
}

fn books() -> impl Strategy<Value = Books> {
    let entries = || prop::collection::vec(entry(), 0..25);
    (entries(), entries(), entries()).prop_map(|(transactions, costs, subscriptions)| Books {
        transactions,
        costs,
        subscriptions,
    })
}

async fn fill(pool: &PgPool, books: &Books) {
    sqlx::raw_sql(
        "TRUNCATE upcoach.transactions, upcoach.cost_entries, upcoach.subscriptions, scheduling.reports CASCADE",
    )
    .execute(pool)
    .await
    .expect("empty");
    for entry in &books.transactions {
        sqlx::query(
            "INSERT INTO upcoach.transactions (id, user_id, stripe_transaction_id, type, status, amount, currency, fee, created_at)
             VALUES ($1, $1, $1::text, $2, $3, $4, $5, $6, $7)",
        )
        .bind(Uuid::new_v4())
        .bind(TYPES[entry.kind])
        .bind(STATUSES[entry.status % STATUSES.len()])
        .bind(entry.amount)
        .bind(entry.currency())
        .bind(entry.fee)
        .bind(entry.at())
        .execute(pool)
        .await
        .expect("a transaction");
    }
    for entry in &books.costs {
        sqlx::query(
            "INSERT INTO upcoach.cost_entries (category, amount, currency, incurred_on) VALUES ('rent', $1, $2, $3)",
        )
        .bind(entry.amount)
        .bind(entry.currency())
        .bind(entry.at().date())
        .execute(pool)
        .await
        .expect("a cost");
    }
    for entry in &books.subscriptions {
        let status = RUNNING[entry.status];
        let until = entry.until.map(|hours| entry.at() + Duration::hours(hours));
        sqlx::query(
            "INSERT INTO upcoach.subscriptions (id, user_id, plan, status, billing_interval, amount, currency, created_at, canceled_at, trial_end)
             VALUES ($1, $1, 'pro', $2, $3, $4, $5, $6, $7, $8)",
        )
        .bind(Uuid::new_v4())
        .bind(status)
        .bind(INTERVALS[entry.kind % INTERVALS.len()].0)
        .bind(entry.amount)
        .bind(entry.currency())
        .bind(entry.at())
        .bind(if status == "canceled" { until } else { None })
        .bind(if status == "canceled" { None } else { until })
        .execute(pool)
        .await
        .expect("a subscription");
    }
}

/// Revenue, costs, ARR, and whether fees are missing; minor units of ISO 4217.
type Figures = (i64, i64, i64, bool);

/// As docs/financial-reports.md has it, entry by entry. None where the books say nothing of the day and currency.
fn naive(books: &Books, day: Date, currency: &str) -> Option<Figures> {
    let day_ends = day.next_day().expect("there is one").with_time(Time::MIDNIGHT).assume_utc();
    let (mut revenue, mut costs, mut arr, mut missing, mut said) = (0, 0, 0, false, false);
    for entry in books.transactions.iter().filter(|entry| entry.at().date() == day && entry.upper() == currency) {
        let (kind, status) = (TYPES[entry.kind], STATUSES[entry.status % STATUSES.len()]);
        if status == "failed" && entry.fee.is_none() {
            continue;
        }
        said = true;
        let paid = kind == "payment" && ["completed", "refunded", "partially_refunded"].contains(&status);
        revenue += match (kind, status) {
            _ if paid => entry.amount,
            ("refund", "completed") | ("chargeback", "pending" | "completed") => -entry.amount,
            ("adjustment", "completed") => entry.amount,
            _ => 0,
        };
        if kind != "payout" {
            costs += entry.fee.unwrap_or(0);
        }
        missing |= paid && entry.fee.is_none();
    }
    for entry in books.costs.iter().filter(|entry| entry.at().date() == day && entry.upper() == currency) {
        said = true;
        costs += entry.amount;
    }
    for entry in books.subscriptions.iter().filter(|entry| entry.upper() == currency && entry.amount > 0) {
        let status = RUNNING[entry.status];
        let until = entry.until.map(|hours| entry.at() + Duration::hours(hours));
        let runs = match status {
            "active" | "past_due" => until.is_none_or(|trial_end| trial_end < day_ends),
            "canceled" => until.is_some_and(|canceled| canceled >= day_ends),
            _ => false,
        };
        if entry.at() < day_ends && runs {
            said = true;
            arr += entry.amount * INTERVALS[entry.kind % INTERVALS.len()].1;
        }
    }
    let iso = |units: i64| if currency == "ISK" { units / 100 } else { units };
    said.then(|| (iso(revenue), iso(costs), iso(arr), missing))
}

type Stored = BTreeMap<(Date, String), (i64, i64, i64, i64, i64, bool)>;

/// A row as it is read.
type Row = (OffsetDateTime, String, i64, i64, i64, i64, i64, bool);

async fn stored(pool: &PgPool) -> Stored {
    let rows: Vec<Row> = sqlx::query_as(
        "SELECT period_start, currency, revenue, costs, profit, mrr, arr, fees_incomplete FROM scheduling.reports",
    )
    .fetch_all(pool)
    .await
    .expect("reports");
    rows.into_iter().map(|(start, currency, a, b, c, d, e, f)| ((start.date(), currency), (a, b, c, d, e, f))).collect()
}

fn expected(books: &Books, days: impl Iterator<Item = Date>) -> Stored {
    let mut all = Stored::new();
    for day in days {
        for currency in ["USD", "ISK", "JPY"] {
            if let Some((revenue, costs, arr, missing)) = naive(books, day, currency) {
                let mrr = (arr * 2 + 12) / 24;
                all.insert((day, currency.to_owned()), (revenue, costs, revenue - costs, mrr, arr, missing));
            }
        }
    }
    all
}

#[test]
fn reports_are_what_a_naive_computation_says_of_any_books() {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let (_database, pool) = runtime.block_on(async {
        let database = TestDatabase::new().await;
        let pool = PgPool::connect(&database.admin_url()).await.expect("the superuser gets in");
        (database, pool)
    });
    let mut runner = TestRunner::new(Config { cases: 24, failure_persistence: None, ..Config::default() });
    let outcome = runner.run(&books(), |books| {
        runtime.block_on(async {
            fill(&pool, &books).await;
            // Three days before the last were never reported; the last run was of the day before these.
            let first = LAST_DAY - Duration::days(3);
            let after = |day: Date| {
                day.next_day().expect("there is one").with_time(Time::MIDNIGHT).assume_utc() + Duration::minutes(15)
            };
            write(&pool, after(first)).await.expect("written");
            prop_assert_eq!(stored(&pool).await, expected(&books, [first].into_iter()));
            write(&pool, after(LAST_DAY)).await.expect("written");
            let days = if expected(&books, [first].into_iter()).is_empty() { 0 } else { 3 };
            let days = (0..=days).map(|back| LAST_DAY - Duration::days(back));
            let whole = stored(&pool).await;
            prop_assert_eq!(&whole, &expected(&books, days));
            let again = write(&pool, after(LAST_DAY)).await.expect("written");
            prop_assert_eq!(again.changed, 0);
            prop_assert_eq!(stored(&pool).await, whole);
            Ok(())
        })
    });
    outcome.expect("reports agree");
}

#[tokio::test]
async fn a_changed_past_is_told_again_once_and_monthly_figures_stay() {
    let database = TestDatabase::new().await;
    let pool = PgPool::connect(&database.admin_url()).await.expect("the superuser gets in");
    let run = async |statement: &'static str| {
        sqlx::raw_sql(statement).execute(&pool).await.expect("it runs");
    };
    let now = end() + Duration::minutes(15);
    run("INSERT INTO upcoach.transactions (id, user_id, stripe_transaction_id, type, status, amount, currency, created_at)
            VALUES (gen_random_uuid(), gen_random_uuid(), 'pi_1', 'payment', 'completed', 5000, 'eur', '2026-11-23 10:00Z');
         INSERT INTO upcoach.subscriptions (id, user_id, plan, status, billing_interval, amount, currency, created_at)
            VALUES (gen_random_uuid(), gen_random_uuid(), 'pro', 'active', 'quarterly', 9900, 'eur', '2026-11-01')")
    .await;
    assert_eq!(write(&pool, now).await.expect("written").changed, 1);
    let asked = async || -> i64 {
        sqlx::query_scalar("SELECT count(*) FROM sync.requests WHERE entity_type = 'financial_report'")
            .fetch_one(&pool)
            .await
            .expect("a count")
    };
    let figures = async || stored(&pool).await.into_values().next().expect("a report");
    assert_eq!((asked().await, figures().await), (1, (5000, 0, 5000, 3300, 39_600, true)));
    run("UPDATE upcoach.subscriptions SET status = 'paused'; UPDATE upcoach.transactions SET fee = 175;
         INSERT INTO upcoach.cost_entries (category, amount, currency, incurred_on) VALUES ('rent', 100, 'EUR', '2026-11-23')")
    .await;
    assert_eq!(write(&pool, now + Duration::days(40)).await.map(|written| written.changed).expect("written"), 1);
    assert_eq!((asked().await, figures().await), (2, (5000, 275, 4725, 3300, 39_600, false)));
    run("DELETE FROM upcoach.cost_entries; DELETE FROM upcoach.transactions").await;
    assert_eq!(write(&pool, now).await.expect("written").changed, 1);
    assert_eq!((asked().await, figures().await), (3, (0, 0, 0, 3300, 39_600, false)));
    let revision: i32 =
        sqlx::query_scalar("SELECT revision FROM scheduling.reports").fetch_one(&pool).await.expect("one");
    assert_eq!(revision, 3);
}

#[tokio::test]
async fn an_amount_that_cant_be_told_makes_no_report_and_stops_no_other() {
    let database = TestDatabase::new().await;
    let pool = PgPool::connect(&database.admin_url()).await.expect("the superuser gets in");
    sqlx::raw_sql(
        "INSERT INTO upcoach.transactions (id, user_id, type, status, amount, currency, created_at)
         SELECT gen_random_uuid(), gen_random_uuid(), 'payment', 'completed', 550, c, '2026-11-23 10:00Z' FROM unnest(ARRAY['isk', 'eur']) AS c",
    )
    .execute(&pool)
    .await
    .expect("transactions");
    let written = write(&pool, end()).await.expect("written");
    assert_eq!((written.changed, written.refused.len()), (1, 1));
    assert!(written.refused[0].starts_with("2026-11-23 ISK: "), "{:?}", written.refused);
}
