//! The admin API over many rows: every list and filter at its first page, in the middle by page and by cursor, timeline, metrics and what shows how
//! it stands; the median of each beside an empty list's, which is what HTTP, the token and one statement cost.
//!
//! ADMIN_ROWS syncs and as many audit rows (200,000 where nothing is said; the limits are promised for 5,000,000), over 60 days. PostgreSQL and NATS are
//! this program's own, and end with it.

use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use serde_json::Value;
use sqlx::PgPool;
use testkit::{PrivateBroker, PrivateDatabase, Scratch, Service, service as program, tokens};

const ROWS: i64 = 200_000;
/// Rows made by one statement.
const CHUNK: i64 = 100_000;
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
    fill(&pool, rows).await?;
    eprintln!("{rows} syncs and {rows} audit rows made in {} s", begun.elapsed().as_secs());

    let options = program("config-api", scratch.path())
        .env("DATABASE_URL", database.url_for("erp_config_api"))
        .env("NATS_URL", broker.url_for("config-api"))
        .env("ERP_ENCRYPTION_KEYS", KEYS)
        .envs(tokens::environment());
    let mut service = Service::start(options).await?;
    service.until_ready(WITHIN).await?;
    let api = Api { service, client: reqwest::Client::builder().no_proxy().timeout(WITHIN).build()? };

    let nothing = api.median("/api/erp/batches").await?;
    eprintln!("{:70} median {}", "an empty list", millis(nothing.0));
    let mut over = Vec::new();
    for path in calls(&pool, &api, rows).await? {
        let (median, longest) = api.median(&path).await?;
        let shown: String = path.trim_start_matches("/api/erp/").chars().take(70).collect();
        eprintln!("{shown:70} median {} longest {}", millis(median), millis(longest));
        if median > LIMIT {
            over.push(shown);
        }
    }
    let begun = Instant::now();
    let exported = api.request("/api/erp/audit-logs").header("accept", "text/csv").send().await?;
    let bytes = exported.bytes().await?.len();
    eprintln!("all audit rows as CSV: {} MB in {} ms", bytes / 1_000_000, begun.elapsed().as_millis());
    let mut service = api.service;
    service.stop().await?;
    ensure!(over.is_empty(), "over {} ms: {over:?}", LIMIT.as_millis());
    Ok(())
}

/// What is asked: each list by each filter, then deep in it.
async fn calls(pool: &PgPool, api: &Api, rows: i64) -> anyhow::Result<Vec<String>> {
    let (source, target, sync): (String, String, String) = sqlx::query_as(
        "SELECT source_id::text, target_id, id::text FROM sync.erp_syncs WHERE target_id IS NOT NULL AND source_type = 'transaction' LIMIT 1",
    )
    .fetch_one(pool)
    .await?;
    let from = "from=2026-01-01T00:00:00Z";
    let history = [
        String::new(),
        "status=failed".to_owned(),
        "status=synced".to_owned(),
        "status=pending".to_owned(),
        "sourceType=invoice".to_owned(),
        "sourceType=invoice&status=failed".to_owned(),
        "sourceSystem=flasherp".to_owned(),
        "errorCode=TIMEOUT".to_owned(),
        "errorCode=TIMEOUT&sourceType=customer".to_owned(),
        format!("sourceId={source}"),
        from.to_owned(),
    ];
    let log = [
        String::new(),
        "action=sync".to_owned(),
        "action=manual_sync&status=failed".to_owned(),
        "status=success".to_owned(),
        "status=failed".to_owned(),
        "entityType=invoice".to_owned(),
        format!("entityId={source}"),
        "requestId=00000000-0000-4000-8000-000000000001".to_owned(),
        "performedBy=ada".to_owned(),
        "performedBy=nobody".to_owned(),
        from.to_owned(),
    ];
    let mut all = Vec::new();
    for (list, filters) in [("sync-history", history), ("audit-logs", log)] {
        for filter in filters {
            let path = format!("/api/erp/{list}?{filter}");
            let first = api.get(&path).await?;
            all.push(path.clone());
            let matched = first["pagination"]["total"].as_i64().unwrap_or_default().min(rows);
            let page = matched / 2 / 25;
            if page > 1 {
                let deep = api.get(&format!("{path}&page={page}")).await?;
                let cursor = deep["pagination"]["nextCursor"].as_str().map(ToOwned::to_owned);
                all.extend(cursor.map(|cursor| format!("{path}&cursor={cursor}")));
            }
        }
    }
    all.extend([source, target, sync].map(|id| format!("/api/erp/timeline?q={id}")));
    all.extend(["metrics", "exposure", "error-groups"].map(|name| format!("/api/erp/{name}")));
    Ok(all)
}

/// Rows as a system that has run for 60 days has them: of 100 syncs one failed, of 1000 a few wait or were skipped; FlashERP's audit rows to it.
async fn fill(pool: &PgPool, rows: i64) -> anyhow::Result<()> {
    let mut first = 1;
    while first <= rows {
        let last = (first + CHUNK - 1).min(rows);
        for statement in [
            "INSERT INTO sync.erp_syncs (id, source_system, source_type, source_id, target_id, sync_status, last_sync_attempt, created_at,
                sync_duration_ms, error_code, error_message, waiting_since)
             SELECT md5('sync' || n)::uuid, CASE WHEN n % 100000 = 7 THEN 'flasherp' ELSE 'upcoach' END::sync.source_system,
                (ARRAY['transaction', 'subscription', 'customer', 'invoice'])[1 + n % 4]::sync.entity_type, md5('source' || n)::uuid,
                CASE WHEN status = 'synced' THEN 'fe_' || n END, status::sync.sync_status, CASE WHEN status <> 'pending' THEN tried END, tried,
                (10 + n % 500)::integer, CASE WHEN status = 'failed' THEN (ARRAY['VALIDATION_ERROR', 'TIMEOUT', 'SERVER_ERROR'])[1 + n % 3] END,
                CASE WHEN status = 'failed' THEN 'record ' || n || ' was refused' END, CASE WHEN status IN ('failed', 'pending') THEN tried END
             FROM generate_series($1, $2) AS n, LATERAL (SELECT CASE WHEN n % 100 = 0 THEN 'failed' WHEN n % 333 = 0 THEN 'pending'
                WHEN n % 499 = 0 THEN 'skipped' ELSE 'synced' END AS status, now() - interval '60 days' * (n::numeric / $3)::double precision AS tried) AS made",
            "INSERT INTO audit.erp_audit_logs (action, entity_type, entity_id, erp_sync_id, status, request_payload, response_payload, duration_ms,
                performed_by, request_id, metadata, created_at)
             SELECT CASE WHEN n % 3 = 0 THEN 'webhook_received' WHEN n % 100 = 1 THEN 'manual_sync' ELSE 'sync' END::audit.action,
                (ARRAY['transaction', 'subscription', 'customer', 'invoice'])[1 + n % 4], md5('source' || n)::uuid::text, md5('sync' || n)::uuid,
                CASE WHEN n % 100 = 0 THEN 'failed' WHEN n % 1000 = 1 THEN 'initiated' ELSE 'success' END::audit.status,
                '{\"amount\": 10.99, \"currency\": \"USD\"}', '{\"id\": \"fe_1\"}', (n % 900)::integer,
                CASE WHEN n % 1000 = 0 THEN 'ada' ELSE 'sync-worker' END, md5('request' || n)::uuid,
                CASE WHEN n % 3 = 0 THEN jsonb_build_object('records', jsonb_build_array('transaction:' || md5('source' || n)::uuid)) ELSE '{}' END,
                now() - interval '60 days' * (n::numeric / $3)::double precision
             FROM generate_series($1, $2) AS n",
        ] {
            sqlx::query(statement).bind(first).bind(last).bind(rows).execute(pool).await?;
        }
        sqlx::query(
            "INSERT INTO upcoach.transactions (id, user_id, type, status, amount, currency)
             SELECT source_id, source_id, 'payment', 'completed', 1099, 'usd' FROM sync.erp_syncs
             WHERE source_type = 'transaction' AND sync_status IN ('failed', 'pending') ON CONFLICT DO NOTHING",
        )
        .execute(pool)
        .await?;
        first = last + 1;
    }
    // The transactions asked for syncs, as any change does.
    for statement in [
        "DELETE FROM sync.requests",
        "VACUUM ANALYZE sync.erp_syncs",
        "VACUUM ANALYZE audit.erp_audit_logs",
        "VACUUM ANALYZE upcoach.transactions",
        "VACUUM ANALYZE sync.requests",
    ] {
        sqlx::query(statement).execute(pool).await?;
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
