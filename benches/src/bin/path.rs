//! From a webhook to FlashERP: the whole stack, 100 payments a second, how long each took beyond the sandbox's own latency.
//!
//! Times are read where they are written: the event's arrival in `ingress.webhook_events`, the record's `createdAt` in the sandbox; both
//! clocks are this machine's. Beside them stands the part's limit: the path has four durable commits one after the other (store, apply, claim, and the answer's own
//! call), so a lone commit is measured in the same run.
//!
//! Takes its data folder and ports from ERP_DATA_DIR and ERP_PORT_BASE, as the local stack does, and the programs from beside itself.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use local_stack::stack::{Stack, StackSettings};
use sqlx::PgPool;
use testkit::sandbox::{Sandbox, StripeSend};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

const PAYMENTS: u32 = 3000;
const PER_SECOND: u32 = 100;
const CUSTOMERS: u32 = 300;
const WITHIN: Duration = Duration::from_secs(120);

fn main() -> anyhow::Result<()> {
    service::bootstrap::install_tls_provider();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
    runtime.block_on(async {
        let mut stack = Stack::start(StackSettings::read()?, |line| eprintln!("  {line}")).await?;
        let measured = measure(&mut stack).await;
        stack.stop().await?;
        measured
    })
}

async fn measure(stack: &mut Stack) -> anyhow::Result<()> {
    let at = |stack: &Stack, name: &str| {
        stack.env(name).map(str::to_owned).with_context(|| format!("the stack tells no {name}"))
    };
    let pool = PgPool::connect(&at(stack, "DATABASE_URL")?).await.context("the stack's database")?;
    let sandbox = Sandbox::at(at(stack, "SANDBOX_URL")?);

    let commit = lone_commit(&pool).await?;
    eprintln!("a lone durable commit: median {}", millis(commit));
    for latency in [0, 20] {
        let own = Duration::from_millis(latency);
        sandbox.set_latency(own, own).await;
        let mut took = payments(&pool, &sandbox, latency).await?;
        for duration in &mut took {
            *duration = duration.saturating_sub(own);
        }
        took.sort_unstable();
        let quantile = |per_mille: usize| took[(took.len() * per_mille / 1000).min(took.len() - 1)];
        eprintln!(
            "webhook to FlashERP, {PER_SECOND}/s, sandbox {latency} ms, above it: median {} p90 {} p99 {} max {} of {} payments (median is {} lone commits)",
            millis(quantile(500)),
            millis(quantile(900)),
            millis(quantile(990)),
            millis(quantile(1000)),
            took.len(),
            quantile(500).as_micros() / commit.as_micros().max(1),
        );
    }
    Ok(())
}

/// The median time of a one-row transaction, one after the other.
async fn lone_commit(pool: &PgPool) -> anyhow::Result<Duration> {
    let mut connection = pool.acquire().await?;
    sqlx::query("CREATE TABLE IF NOT EXISTS public.bench (id integer)").execute(&mut *connection).await?;
    let mut took = Vec::new();
    for n in 0..300 {
        let begun = Instant::now();
        sqlx::query("INSERT INTO public.bench VALUES ($1)").bind(n).execute(&mut *connection).await?;
        took.push(begun.elapsed());
    }
    sqlx::query("DROP TABLE public.bench").execute(&mut *connection).await?;
    took.sort_unstable();
    Ok(took[took.len() / 2])
}

/// Sends payments of customers that are in FlashERP already; how long each took from its arrival to its record's birth.
async fn payments(pool: &PgPool, sandbox: &Sandbox, seed: u64) -> anyhow::Result<Vec<Duration>> {
    let send = |kind: &str, per_second: Option<u32>| StripeSend {
        count: CUSTOMERS,
        seed: Some(seed),
        rate_per_second: per_second,
        concurrency: Some(64),
        deadline_secs: Some(WITHIN.as_secs()),
        payments_per_customer: Some(PAYMENTS / CUSTOMERS),
        kinds: Some(vec![kind.to_owned()]),
        update_every: Some(0),
        ..StripeSend::default()
    };
    let before = sandbox.counters().await;
    let customers = sandbox.send_stripe(&send("customer", None)).await;
    sandbox.wait_send_done(customers.id, WITHIN).await;
    arrived(sandbox, "customers", before.records_of("customers") + u64::from(CUSTOMERS)).await;

    let paid = sandbox.send_stripe(&send("payment", Some(PER_SECOND))).await;
    let paid = sandbox.wait_send_done(paid.id, WITHIN).await;
    ensure!(paid.failed == 0, "{} events were given up: {:?}", paid.failed, paid.last_error);
    arrived(sandbox, "transactions", before.records_of("transactions") + paid.payments).await;

    let came: Vec<(String, OffsetDateTime)> = sqlx::query_as(
        "SELECT t.id::text, e.received_at FROM ingress.webhook_events e
         JOIN upcoach.transactions t
            ON t.stripe_transaction_id = convert_from(e.body, 'UTF8')::jsonb #>> '{data,object,id}'
         WHERE e.event_type = 'payment_intent.succeeded'",
    )
    .fetch_all(pool)
    .await?;
    let came: HashMap<String, OffsetDateTime> = came.into_iter().collect();
    let mut took = Vec::new();
    let records = sandbox.records("transactions").await;
    for record in &records[usize::try_from(before.records_of("transactions"))?..] {
        let born = record.text("createdAt").context("a record has createdAt")?;
        let born = OffsetDateTime::parse(&born, &Rfc3339)?;
        let came = came.get(&record.reference()).context("every record's event was stored")?;
        took.push(Duration::try_from(born - *came).unwrap_or(Duration::ZERO));
    }
    ensure!(took.len() as u64 == paid.payments, "{} records of {} payments", took.len(), paid.payments);
    Ok(took)
}

async fn arrived(sandbox: &Sandbox, of: &str, count: u64) {
    testkit::eventually(WITHIN, &format!("{count} {of} are in FlashERP"), || async {
        sandbox.counters().await.records_of(of) >= count
    })
    .await;
}

fn millis(duration: Duration) -> String {
    format!("{}.{:01} ms", duration.as_millis(), duration.subsec_micros() % 1000 / 100)
}
