//! A full sync's enqueueing: every record asked for, chunk by chunk as workers do it, and nobody answering; how long, and what it takes of memory.
//!
//! ENQUEUE_ROWS transactions (1,000,000 where nothing is said; the limit of 60 s is for so many). PostgreSQL is this program's own, and ends with it.

use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use domain::EntityType;
use sqlx::PgPool;
use syncs::batch::{self, Asked, Created, NewBatch, What};
use testkit::PrivateDatabase;

const ROWS: i64 = 1_000_000;
/// Records asked for in one transaction, as in a worker.
const CHUNK: i64 = 1_000;
/// What so many rows may take.
const LIMIT: Duration = Duration::from_secs(60);
/// How much the process may grow, in kB.
const GROWTH: i64 = 16 * 1024;

fn main() -> anyhow::Result<()> {
    service::bootstrap::install_tls_provider();
    let rows = match std::env::var("ENQUEUE_ROWS") {
        Ok(text) => text.parse().context("ENQUEUE_ROWS is a number of rows")?,
        Err(_) => ROWS,
    };
    tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?.block_on(measure(rows))
}

async fn measure(rows: i64) -> anyhow::Result<()> {
    let database = PrivateDatabase::start().await;
    let admin = PgPool::connect(&database.admin_url()).await?;
    // As an import makes them, without asking for each.
    sqlx::raw_sql("ALTER TABLE upcoach.transactions DISABLE TRIGGER USER").execute(&admin).await?;
    sqlx::query(
        "INSERT INTO upcoach.transactions (id, user_id, type, status, amount, currency)
         SELECT gen_random_uuid(), gen_random_uuid(), 'payment', 'completed', n, 'usd' FROM generate_series(1, $1) AS n",
    )
    .bind(rows)
    .execute(&admin)
    .await?;
    sqlx::raw_sql("ALTER TABLE upcoach.transactions ENABLE TRIGGER USER").execute(&admin).await?;
    sqlx::raw_sql("VACUUM ANALYZE upcoach.transactions").execute(&admin).await?;
    let new = NewBatch {
        what: What::FullSync { entity_types: vec![EntityType::Transaction], since: None, force: false },
        asked: Asked { by: "bench".to_owned(), ..Asked::default() },
        idempotency_key: None,
    };
    let owner = database.pool("erp_owner").await;
    let Created::New(id) = batch::create(&owner, &new).await? else { anyhow::bail!("a new database has a batch") };
    let pool = database.pool("erp_sync_worker").await;
    let (begun, before) = (Instant::now(), resident()?);
    let mut asked = 0;
    while let Some(chunk) = batch::ask(&pool, id, CHUNK).await? {
        asked += chunk;
    }
    let (took, grown) = (begun.elapsed(), resident()? - before);
    eprintln!("{asked} records asked for in {} ms; the process grew by {grown} kB", took.as_millis());
    ensure!(asked == rows, "{asked} of {rows} were asked for");
    ensure!(rows > ROWS || took < LIMIT, "over {} s", LIMIT.as_secs());
    ensure!(grown < GROWTH, "memory is not flat");
    Ok(())
}

/// What this process has in memory, in kB.
fn resident() -> anyhow::Result<i64> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).context("VmRSS")?;
    line.trim().trim_end_matches(" kB").parse().context("a number of kB")
}
