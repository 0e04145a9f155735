//! Durable answers a second of ingress at 64 connections, against the same handler without storage, in turns on the same machine; and the same
//! beside a million stored events, as against an empty table.
//!
//! DURABLE_WORKERS and LIMIT_WORKERS are the HTTP threads of the one and the other (2, as ingress has them unless told otherwise).
//!
//! PostgreSQL is this program's own, on a disk under the folder for temporary files (`TMPDIR`), with fsync on; it ends with the program.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::Context as _;
use benches::cpu;
use benches::load::{self, Round};
use ingress::{Config, Ingress};
use service::health::Health;
use service::settings::{Common, Env, read};
use service::{Binary, Context};
use sqlx::PgPool;
use testkit::PrivateDatabase;
use time::OffsetDateTime;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;
use webhooks::signature::{SigningKey, stripe};

const SECRET: &str = "whsec_bench";
const EVENT: &str = include_str!("../../../crates/webhooks/fixtures/stripe/current/payment_intent_succeeded.json");
/// Of 16 MB each.
const WAL_SEGMENTS: usize = 64;
const EVENT_ID: &str = "evt_1Q2w3eB7WZ01zgkWcur00001";

fn main() -> anyhow::Result<()> {
    service::bootstrap::install_tls_provider();
    let rounds = number("ROUNDS", 7)?;
    let connections = number("CONNECTIONS", 64)?;
    let stored = number("STORED", 1_000_000)?;
    let requests = number("REQUESTS", 40_000)? / connections;
    let server = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
    let shutdown = CancellationToken::new();
    let (fresh, full, durable, beside, limit) = server.block_on(async {
        let (fresh, full) = (database(0).await?, database(stored).await?);
        let durable = start(&shutdown, &fresh.url_for("erp_ingress"), true).await?;
        let beside = start(&shutdown, &full.url_for("erp_ingress"), true).await?;
        let limit = start(&shutdown, &fresh.url_for("erp_ingress"), false).await?;
        anyhow::Ok((fresh, full, durable, beside, limit))
    })?;

    let client = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let local = tokio::task::LocalSet::new();
    let run = |name, address, database: &PrivateDatabase| {
        let requests = signed(connections, requests);
        let postmaster = database.postgres.process().map(|process| process.pid);
        let before = Used::now(postmaster);
        let round = client.block_on(local.run_until(load::run(address, requests)))?;
        show(name, &round, Used::now(postmaster), before);
        server.block_on(apply(database))?;
        anyhow::Ok(round)
    };
    let (mut ratios, mut beside_stored) = (Vec::new(), Vec::new());
    for round in 0..=rounds {
        let (with, full) = (run("durable", durable, &fresh)?, run("beside", beside, &full)?);
        let without = run("limit", limit, &fresh)?;
        if round > 0 {
            ratios.push(ratio(&with, &without));
            beside_stored.push(ratio(&full, &with));
        }
    }
    for (of, ratios) in [
        ("durable to limit".to_owned(), &mut ratios),
        (format!("beside {stored} stored events to an empty table"), &mut beside_stored),
    ] {
        ratios.sort_by(f64::total_cmp);
        eprintln!("ratio of {of}: median {:.3}, all {ratios:.3?}", ratios[ratios.len() / 2]);
    }
    let page = service::metrics::render()?;
    for line in page.lines().filter(|line| line.starts_with("erp_commit_") && !line.contains("bucket")) {
        eprintln!("{line}");
    }
    shutdown.cancel();
    Ok(())
}

/// Makes the cluster one that has run for a while: its next gigabyte of WAL goes into recycled segments. In a new one each segment is written
/// twice, once as zeros.
async fn recycle_wal(pool: &PgPool) -> anyhow::Result<()> {
    for statement in ["ALTER SYSTEM SET min_wal_size = '1GB'", "SELECT pg_reload_conf()"] {
        sqlx::query(statement).execute(pool).await?;
    }
    for _ in 0..WAL_SEGMENTS {
        for statement in ["SELECT pg_logical_emit_message(true, 'bench', '')", "SELECT pg_switch_wal()"] {
            sqlx::query(statement).execute(pool).await?;
        }
    }
    sqlx::query("CHECKPOINT").execute(pool).await?;
    Ok(())
}

/// A cluster of its own with so many events in the table, of the past and settled, with ids as Stripe gives them and bodies as long as the others.
async fn database(stored: usize) -> anyhow::Result<PrivateDatabase> {
    let database = PrivateDatabase::start().await;
    let pool = database.pool("postgres").await;
    sqlx::query(
        "INSERT INTO ingress.webhook_events
            (id, source, event_id, event_type, status, body, occurred_at, received_at, applied_at, due_at, attempts)
         SELECT uuidv7(past), 'stripe', 'evt_' || lpad(to_hex(extract(epoch FROM now() + past)::bigint), 10, '0') || md5(n::text),
            (ARRAY['payment_intent.succeeded', 'charge.succeeded', 'invoice.paid', 'customer.updated'])[1 + n % 4],
            'applied', $2, now() + past, now() + past, now() + past, NULL, 1
         FROM generate_series(1, $1) n, LATERAL (SELECT n * interval '2.5 seconds' - interval '30 days' AS past) AS age",
    )
    .bind(i64::try_from(stored)?)
    .bind(EVENT.as_bytes())
    .execute(&pool)
    .await?;
    sqlx::query("VACUUM ANALYZE ingress.webhook_events").execute(&pool).await?;
    recycle_wal(&pool).await?;
    Ok(database)
}

/// Settles what a round stored, and cleans up behind it as autovacuum does: each round finds the table that it finds in production, beside a
/// worker that keeps up, where new events go into the space that others have left.
async fn apply(database: &PrivateDatabase) -> anyhow::Result<()> {
    let pool = database.pool("postgres").await;
    for statement in [
        "UPDATE ingress.webhook_events SET status = 'applied', applied_at = now(), due_at = NULL, attempts = 1 WHERE due_at IS NOT NULL",
        "VACUUM ingress.webhook_events",
        "CHECKPOINT",
    ] {
        sqlx::query(statement).execute(&pool).await?;
    }
    pool.close().await;
    Ok(())
}

/// Starts an ingress in this process and tells where it listens.
async fn start(shutdown: &CancellationToken, database: &str, stores: bool) -> anyhow::Result<SocketAddr> {
    let settings = [
        ("DATABASE_URL", database.to_owned()),
        ("NATS_URL", "nats://127.0.0.1:1".to_owned()),
        ("STRIPE_WEBHOOK_SECRET", SECRET.to_owned()),
        ("WEBHOOK_RATE_LIMIT_STRIPE", "10000000".to_owned()),
        ("HTTP_ADDR", "127.0.0.1:0".to_owned()),
        ("MANAGEMENT_ADDR", "127.0.0.1:0".to_owned()),
        ("ERP_ENCRYPTION_KEYS", "k1:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=".to_owned()),
        ("HTTP_WORKERS", number(if stores { "DURABLE_WORKERS" } else { "LIMIT_WORKERS" }, 2)?.to_string()),
    ];
    let env = Env::from_pairs(Binary::Ingress, settings);
    let (common, config) = read(env, |env| (Common::read(env), Config::read(env)))?;
    let instance = Uuid::new_v4();
    let health = Health::new(Binary::Ingress, instance, shutdown.clone());
    let management = common.management_addr;
    let context = Context { binary: Binary::Ingress, instance, common, shutdown: shutdown.clone(), health, management };
    let ingress = if stores {
        Ingress::bind(context, config).await?
    } else {
        Ingress::bind_without_storage(context, config).await?
    };
    let address = ingress.address();
    tokio::spawn(ingress.run());
    Ok(address)
}

fn signed(connections: usize, requests: usize) -> Vec<Vec<Vec<u8>>> {
    let key = [SigningKey::new(SECRET.as_bytes())];
    let now = OffsetDateTime::now_utc().unix_timestamp();
    let request = |_| {
        let body = EVENT.replace(EVENT_ID, &event_id(now));
        let signature = stripe::sign(&key, now, body.as_bytes());
        format!(
            "POST /api/webhooks/stripe HTTP/1.1\r\nhost: localhost\r\nuser-agent: Stripe/1.0 (+https://stripe.com/docs/webhooks)\r\naccept: */*\r\ncontent-type: application/json; charset=utf-8\r\ncache-control: no-cache\r\ncontent-length: {}\r\nstripe-signature: {signature}\r\n\r\n{body}",
            body.len()
        )
        .into_bytes()
    };
    (0..connections).map(|_| (0..requests).map(request).collect()).collect()
}

/// An id as Stripe gives them: the second, the account, then what tells events apart; so those of a time stand together in an index.
fn event_id(now: i64) -> String {
    const DIGITS: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    let text = |mut number: u128, digits: usize| {
        let mut text = vec!['0'; digits];
        for digit in text.iter_mut().rev() {
            *digit = char::from(DIGITS[(number % 62) as usize]);
            number /= 62;
        }
        text.into_iter().collect::<String>()
    };
    format!("evt_{}B7WZ01zgkW{}", text(now.unsigned_abs().into(), 6), text(Uuid::new_v4().as_u128(), 8))
}

/// Processor time of this process, which is server and sender, and of PostgreSQL.
#[derive(Clone, Copy)]
struct Used {
    here: Duration,
    postgres: Duration,
}

impl Used {
    fn now(postmaster: Option<u32>) -> Self {
        Self {
            here: cpu::used_by(std::process::id()),
            postgres: postmaster.map(cpu::used_by_family).unwrap_or_default(),
        }
    }
}

fn show(name: &str, round: &Round, after: Used, before: Used) {
    let each = |used: Duration| used / u32::try_from(round.answers).unwrap_or(1).max(1);
    eprintln!(
        "{name:8} {:8.0}/s  p50 {:?} p99 {:?} p999 {:?}; processor time each: {:?} here, {:?} in PostgreSQL",
        round.rate(),
        round.quantile(500),
        round.quantile(990),
        round.quantile(999),
        each(after.here - before.here),
        each(after.postgres - before.postgres),
    );
}

#[expect(clippy::float_arithmetic, reason = "a ratio for people to read")]
fn ratio(with: &Round, without: &Round) -> f64 {
    with.rate() / without.rate()
}

fn number(name: &str, default: usize) -> anyhow::Result<usize> {
    match std::env::var(name) {
        Ok(text) => text.parse().with_context(|| format!("{name} is not a number")),
        Err(_) => Ok(default),
    }
}
