//! What the gateway costs: the same calls of the admin API straight to config-api and through the gateway, in turns over kept connections, and the
//! medians beside each other. PostgreSQL, NATS and the services are this program's own, and end with it.

use std::time::{Duration, Instant};

use anyhow::ensure;
use testkit::{PrivateBroker, PrivateDatabase, Scratch, Service, service as program, tokens};

const CALLS: usize = 1_001;
const WITHIN: Duration = Duration::from_secs(60);
const KEYS: &str = "bench:MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=";
/// What the gateway may add to the median.
const LIMIT: Duration = Duration::from_millis(1);
/// A short answer, and pages of the two long lists.
const PATHS: [&str; 3] = ["/api/erp/jobs", "/api/erp/sync-history?limit=100", "/api/erp/audit-logs?limit=100"];

fn main() -> anyhow::Result<()> {
    service::bootstrap::install_tls_provider();
    tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(measure())
}

async fn measure() -> anyhow::Result<()> {
    let scratch = Scratch::new()?;
    let (database, broker) = (PrivateDatabase::start().await, PrivateBroker::start().await);
    fill(&database).await?;
    let options = program("config-api", scratch.path())
        .env("DATABASE_URL", database.url_for("erp_config_api"))
        .env("NATS_URL", broker.url_for("config-api"))
        .env("ERP_ENCRYPTION_KEYS", KEYS)
        .envs(tokens::environment());
    let mut config_api = Service::start(options).await?;
    config_api.until_ready(WITHIN).await?;
    let options = program("gateway", scratch.path())
        .env("CONFIG_API_URL", config_api.url(""))
        // Nothing goes there in this bench.
        .env("INGRESS_URL", config_api.url(""))
        .env("GATEWAY_RATE_LIMIT", "0")
        .envs(tokens::environment());
    let mut gateway = Service::start(options).await?;
    gateway.until_ready(WITHIN).await?;

    let client = reqwest::Client::builder().no_proxy().timeout(WITHIN).build()?;
    let token = tokens::admin();
    let call = async |service: &Service, path: &str| {
        let begun = Instant::now();
        let answer = client.get(service.url(path)).bearer_auth(&token).send().await?;
        let (status, body) = (answer.status(), answer.bytes().await?);
        ensure!(status.as_u16() == 200, "{path}: {status} {}", String::from_utf8_lossy(&body));
        Ok((begun.elapsed(), body.len()))
    };
    let mut over = Vec::new();
    for path in PATHS {
        let (mut direct, mut through) = (Vec::with_capacity(CALLS), Vec::with_capacity(CALLS));
        // Connections, pools and caches are there.
        for service in [&config_api, &gateway] {
            call(service, path).await?;
        }
        let mut bytes = 0;
        for _ in 0..CALLS {
            let (took, length) = call(&config_api, path).await?;
            direct.push(took);
            through.push(call(&gateway, path).await?.0);
            bytes = length;
        }
        let (direct, through) = (median(direct), median(through));
        let added = through.saturating_sub(direct);
        eprintln!(
            "{path:34} {bytes:6} bytes: median {direct:?} straight, {through:?} through the gateway: {added:?} more"
        );
        if added > LIMIT {
            over.push(path);
        }
    }
    gateway.stop().await?;
    config_api.stop().await?;
    ensure!(over.is_empty(), "the gateway adds more than {LIMIT:?} to {over:?}");
    Ok(())
}

/// Some hundred rows of each list.
async fn fill(database: &PrivateDatabase) -> anyhow::Result<()> {
    let pool = database.pool("postgres").await;
    for statement in [
        "INSERT INTO sync.erp_syncs (id, source_type, source_id, target_id, sync_status, last_sync_attempt, last_sync_success)
         SELECT gen_random_uuid(), 'transaction', gen_random_uuid(), 'ftx_' || n, 'synced', now(), now() FROM generate_series(1, 500) AS n",
        "INSERT INTO audit.erp_audit_logs (action, entity_type, entity_id, status, request_payload, response_payload, duration_ms, performed_by)
         SELECT 'sync', 'transaction', gen_random_uuid()::text, 'success', '{\"amount\": 10.99}', '{\"id\": \"fe_1\"}', 12, 'sync-worker'
         FROM generate_series(1, 500) AS n",
        "ANALYZE",
    ] {
        sqlx::query(statement).execute(&pool).await?;
    }
    pool.close().await;
    Ok(())
}

fn median(mut took: Vec<Duration>) -> Duration {
    took.sort_unstable();
    took[took.len() / 2]
}
