//! The admin API over many rows: every list and filter at its first page, at the deepest page there is, and by cursor in the middle and near the end;
//! the timeline by each kind of id, metrics and what shows how it stands. The median of each beside an empty list's, which is what HTTP, the token and
//! one statement cost.
//!
//! ADMIN_ROWS syncs and as many audit rows (200,000 where nothing is said), over 60 days, with webhooks, batches, reconciliations, findings and runs of
//! jobs beside them; from 5,000,000 on, a median above the limit is a failure, but at the deepest page. PostgreSQL and NATS are this program's own, and end with it.

mod calls;
mod fill;

use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use serde_json::Value;
use sqlx::PgPool;
use testkit::{PrivateBroker, PrivateDatabase, Scratch, Service, service as program, tokens};

const ROWS: i64 = 200_000;
/// From so many rows on the limit must hold.
const PROMISED_FOR: i64 = 5_000_000;
const CALLS: usize = 31;
const WITHIN: Duration = Duration::from_secs(60);
const KEYS: &str = "bench:MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=";
/// What a median may be, for lists, filters, timeline and metrics.
const LIMIT: Duration = Duration::from_millis(50);

fn main() -> anyhow::Result<()> {
    service::bootstrap::install_tls_provider();
    let rows = match std::env::var("ADMIN_ROWS") {
        Ok(text) => text.parse().context("ADMIN_ROWS is a number of rows")?,
        Err(_) => ROWS,
    };
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
    runtime.block_on(measure(rows))
}

async fn measure(rows: i64) -> anyhow::Result<()> {
    let scratch = Scratch::new()?;
    let database = PrivateDatabase::start().await;
    let broker = PrivateBroker::start().await;
    let pool = PgPool::connect(&database.admin_url()).await?;
    let begun = Instant::now();
    fill::fill(&pool, rows).await?;
    eprintln!("{rows} syncs and {rows} audit rows made in {} s", begun.elapsed().as_secs());

    let options = program("config-api", scratch.path())
        .env("DATABASE_URL", database.url_for("erp_config_api"))
        .env("NATS_URL", broker.url_for("config-api"))
        .env("ERP_ENCRYPTION_KEYS", KEYS)
        .env("ERP_ALLOW_PRIVATE_BASE_URL", "true")
        .env("FLASHERP_ENABLED", "true")
        .env("FLASHERP_API_KEY", "bench-key")
        .env("FLASHERP_API_SECRET", "bench-secret")
        .env("FLASHERP_BASE_URL", "http://127.0.0.1:1/v1")
        .envs(tokens::environment());
    let mut service = Service::start(options).await?;
    service.until_ready(WITHIN).await?;
    let api = Api { service, client: reqwest::Client::builder().no_proxy().timeout(WITHIN).build()? };

    let nothing = api.median("/api/erp/batches?status=cancelled").await?;
    eprintln!("{:90} median {}", "an empty list", millis(nothing.0));
    let mut over = Vec::new();
    for call in calls::all(&pool, &api).await? {
        let (median, longest) = api.median(&call.path).await?;
        eprintln!("{:90} median {} longest {}", call.shown, millis(median), millis(longest));
        if median > LIMIT && call.promised {
            over.push(call.shown);
        }
    }
    let begun = Instant::now();
    let exported = api.request("/api/erp/audit-logs").header("accept", "text/csv").send().await?;
    let bytes = exported.bytes().await?.len();
    eprintln!("all audit rows as CSV: {} MB in {} ms", bytes / 1_000_000, begun.elapsed().as_millis());
    let mut service = api.service;
    service.stop().await?;
    let over_the_limit = format!("over {} ms: {over:?}", LIMIT.as_millis());
    ensure!(over.is_empty() || rows < PROMISED_FOR, "{over_the_limit}");
    if !over.is_empty() {
        eprintln!("{over_the_limit}");
    }
    Ok(())
}

struct Api {
    service: Service,
    client: reqwest::Client,
}

impl Api {
    fn request(&self, path: &str) -> reqwest::RequestBuilder {
        self.client.get(self.service.url(path)).bearer_auth(tokens::admin())
    }

    async fn get(&self, path: &str) -> anyhow::Result<Value> {
        let answer = self.request(path).send().await?;
        let (status, bytes) = (answer.status(), answer.bytes().await?);
        ensure!(status.as_u16() == 200, "{path}: {status} {}", String::from_utf8_lossy(&bytes));
        Ok(serde_json::from_slice(&bytes)?)
    }

    /// The median and the longest of some calls, one after the other, after one that fills caches.
    async fn median(&self, path: &str) -> anyhow::Result<(Duration, Duration)> {
        self.get(path).await?;
        let mut took = Vec::with_capacity(CALLS);
        for _ in 0..CALLS {
            let begun = Instant::now();
            self.get(path).await?;
            took.push(begun.elapsed());
        }
        took.sort_unstable();
        Ok((took[CALLS / 2], took[CALLS - 1]))
    }
}

fn millis(duration: Duration) -> String {
    format!("{}.{:01} ms", duration.as_millis(), duration.subsec_micros() % 1000 / 100)
}
