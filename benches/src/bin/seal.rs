//! Sealing of the audit log: how many rows a second come under seals, alone and beside a writer that appends 5,000 a second, against that rate; how long
//! the newest row waited; how fast the whole is checked; and, as the limit of the part underneath, how fast the same rows are only read and hashed.
//!
//! SEAL_ROWS rows are there at first (600,000 where nothing is said: two minutes' worth), and SEAL_SECS seconds (30) are written. PostgreSQL is this
//! program's own, and ends with it.

use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use audit::verify::Options;
use audit::{MOST_ROWS, seal_next};
use sqlx::{Connection as _, PgConnection, PgPool};
use testkit::PrivateDatabase;
use tokio::time::MissedTickBehavior;

/// What must be kept up with, rows a second.
const RATE: u64 = 5_000;
/// Transactions of the writer a second.
const TRANSACTIONS: u64 = 100;
/// Rows made by one statement.
const CHUNK: i64 = 20_000;

const APPEND: &str = "INSERT INTO audit.erp_audit_logs (action, entity_type, entity_id, erp_sync_id, status, request_payload,
        response_payload, duration_ms, performed_by, request_id, metadata)
    SELECT 'sync', 'transaction', gen_random_uuid()::text, gen_random_uuid(), 'success',
        jsonb_build_object('amount', 10.99, 'currency', 'USD', 'type', 'payment', 'status', 'completed', 'customerId', gen_random_uuid(),
            'upcoachReference', gen_random_uuid(), 'occurredAt', '2026-11-24T09:30:00.000Z', 'description', repeat('x', 80)),
        jsonb_build_object('id', gen_random_uuid(), 'createdAt', '2026-11-24T09:30:00.000Z', 'updatedAt', '2026-11-24T09:30:00.000Z'),
        120, 'worker', gen_random_uuid(), '{\"operation\": \"create\"}'
    FROM generate_series(1, $1)";

fn main() -> anyhow::Result<()> {
    service::bootstrap::install_tls_provider();
    let number = |name: &str, usual: i64| match std::env::var(name) {
        Ok(text) => text.parse().with_context(|| format!("{name} is a number")),
        Err(_) => Ok(usual),
    };
    let (rows, seconds) = (number("SEAL_ROWS", 600_000)?, number("SEAL_SECS", 30)?);
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    runtime.block_on(measure(rows, u64::try_from(seconds)?))
}

async fn measure(rows: i64, seconds: u64) -> anyhow::Result<()> {
    let database = PrivateDatabase::start().await;
    let pool = database.pool("erp_scheduler").await;
    let mut left = rows;
    while left > 0 {
        sqlx::query(APPEND).bind(i32::try_from(left.min(CHUNK))?).execute(&pool).await?;
        left -= CHUNK;
    }
    let admin = PgPool::connect(&database.admin_url()).await?;
    sqlx::raw_sql("VACUUM ANALYZE audit.erp_audit_logs").execute(&admin).await?;
    let begun = Instant::now();
    let _read: i64 = sqlx::query_scalar(
        "SELECT count(pg_catalog.sha256(pg_catalog.convert_to(to_jsonb(l)::text, 'UTF8'))) FROM audit.erp_audit_logs l",
    )
    .fetch_one(&pool)
    .await?;
    let reading = a_second(rows, begun.elapsed());
    eprintln!("rows only read, written as JSON and hashed by PostgreSQL: {reading} a second");

    let begun = Instant::now();
    let sealed = seal_all(&pool).await?;
    let alone = a_second(i64::try_from(sealed)?, begun.elapsed());
    eprintln!("sealed alone: {alone} rows a second, {}.{:02} times {RATE}", alone / RATE, alone % RATE * 100 / RATE);

    let writer = tokio::spawn(write(database.url_for("erp_sync_worker"), seconds));
    let (begun, mut beside, mut longest) = (Instant::now(), 0, Duration::ZERO);
    while !writer.is_finished() {
        tokio::time::sleep(Duration::from_secs(1)).await;
        let round = Instant::now();
        beside += seal_all(&pool).await?;
        longest = longest.max(round.elapsed());
    }
    let (written, took) = writer.await??;
    beside += seal_all(&pool).await?;
    let rate = a_second(i64::try_from(written)?, took);
    eprintln!("the writer: {rate} rows a second of {RATE} that it was to write, for {} s", took.as_secs());
    eprintln!(
        "beside it, sealed at {} rows a second until all were: {beside} of {written} rows sealed in rounds a second apart, the longest round {} ms",
        a_second(i64::try_from(beside)?, begun.elapsed()),
        longest.as_millis()
    );

    let mut connection = PgConnection::connect(&database.url_for("erp_scheduler")).await?;
    let begun = Instant::now();
    let verdict = audit::verify(&mut connection, &Options::default()).await?;
    let checking = a_second(i64::try_from(verdict.rows_checked)?, begun.elapsed());
    eprintln!("checked: {checking} rows a second, {} seals", verdict.seals);
    ensure!(verdict.intact, "{verdict:?}");
    ensure!(beside == written, "{beside} of {written} rows are sealed");
    ensure!(alone >= RATE, "sealing does not keep up with {RATE} rows a second");
    Ok(())
}

async fn seal_all(pool: &PgPool) -> anyhow::Result<u64> {
    let mut rows = 0;
    loop {
        let mut transaction = pool.begin().await?;
        let Some(seal) = seal_next(&mut transaction, MOST_ROWS).await? else { return Ok(rows) };
        transaction.commit().await?;
        rows += seal.row_count;
    }
}

/// Appends at the rate that is to be kept up with; returns how many rows, and in which time.
async fn write(url: String, seconds: u64) -> anyhow::Result<(u64, Duration)> {
    let mut connection = PgConnection::connect(&url).await?;
    let begun = Instant::now();
    let mut ticks = tokio::time::interval(Duration::from_millis(1_000 / TRANSACTIONS));
    ticks.set_missed_tick_behavior(MissedTickBehavior::Burst);
    let each = RATE / TRANSACTIONS;
    for _ in 0..seconds * TRANSACTIONS {
        ticks.tick().await;
        sqlx::query(APPEND).bind(i32::try_from(each)?).execute(&mut connection).await?;
    }
    Ok((seconds * RATE, begun.elapsed()))
}

fn a_second(rows: i64, took: Duration) -> u64 {
    let millis = u64::try_from(took.as_millis()).unwrap_or(u64::MAX).max(1);
    u64::try_from(rows).unwrap_or(0) * 1_000 / millis
}
