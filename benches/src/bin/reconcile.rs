//! A reconciliation of 100,000, 300,000 and 1,000,000 transactions that agree, against a sandbox that answers in 5 ms: how long it takes from being asked
//! for to its end, how long both sides are compared, how much memory the reconciler takes at most, and that all of it grows with the records and not
//! faster. `RECONCILE_SIZES` (comma-separated) are the sizes.
//!
//! It fails where a million takes longer, or more memory, than it may ([`WHOLE`], [`COMPARED`], [`RESIDENT_KB`]), and where a record of the largest size
//! takes half as long again as one of the smallest ([`GROWTH`]).
//!
//! The limit beside it: the same pages read by bare calls, as many at once, nothing done with them.
//!
//! PostgreSQL, NATS and the sandbox of each round are this program's own, and end with it.

use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use benches::cpu;
use sqlx::PgPool;
use testkit::ledger::Ledger;
use testkit::{PrivateBroker, PrivateDatabase, Scratch, Service, service as program};
use time::OffsetDateTime;
use uuid::Uuid;

const WITHIN: Duration = Duration::from_secs(600);
const LATENCY_MS: u64 = 5;
const SIZES: &str = "100000,300000,1000000";
/// The size that limits of its own are set for.
const MILLION: u32 = 1_000_000;
/// From being asked for to its end.
const WHOLE: Duration = Duration::from_secs(60);
/// Of that, both sides held against each other.
const COMPARED: Duration = Duration::from_secs(15);
/// The reconciler's memory at most.
const RESIDENT_KB: u64 = 150 * 1024;
/// The time of a record at the largest size, in percent of that of one at the smallest.
const GROWTH: u128 = 150;
/// Calls in flight.
const AT_ONCE: usize = 8;

fn main() -> anyhow::Result<()> {
    service::bootstrap::install_tls_provider();
    let sizes = std::env::var("RECONCILE_SIZES").unwrap_or_else(|_| SIZES.to_owned());
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
    runtime.block_on(async {
        let mut rounds = Vec::new();
        for size in sizes.split(',') {
            let size = size.trim().parse().with_context(|| format!("RECONCILE_SIZES: {size} is no number"))?;
            rounds.push(round(size).await?);
        }
        // After all of them were told.
        rounds.sort_by_key(|round| round.transactions);
        rounds.iter().try_for_each(Round::holds)?;
        match (rounds.first(), rounds.last()) {
            (Some(smallest), Some(largest)) => largest.grows_no_faster_than(smallest),
            _ => Ok(()),
        }
    })
}

/// What a round has taken.
#[derive(Debug, Clone, Copy)]
struct Round {
    transactions: u32,
    whole: Duration,
    compared: Duration,
    resident_kb: u64,
}

impl Round {
    fn holds(&self) -> anyhow::Result<()> {
        if self.transactions != MILLION {
            return Ok(());
        }
        ensure!(self.whole < WHOLE, "a million took {:?}, and may take less than {WHOLE:?}", self.whole);
        ensure!(self.compared < COMPARED, "comparing took {:?}, and may take less than {COMPARED:?}", self.compared);
        ensure!(self.resident_kb <= RESIDENT_KB, "it held {} kB, and may hold {RESIDENT_KB}", self.resident_kb);
        Ok(())
    }

    fn grows_no_faster_than(&self, smallest: &Self) -> anyhow::Result<()> {
        let growth = self.picos_each() * 100 / smallest.picos_each().max(1);
        eprintln!("a record of {} takes {growth} % of the time of one of {}", self.transactions, smallest.transactions);
        ensure!(growth <= GROWTH, "and may take {GROWTH} %");
        Ok(())
    }

    /// Of a record, in picoseconds.
    fn picos_each(&self) -> u128 {
        self.whole.as_nanos() * 1_000 / u128::from(self.transactions.max(1))
    }
}

async fn round(transactions: u32) -> anyhow::Result<Round> {
    let scratch = Scratch::new()?;
    let (database, broker) = (PrivateDatabase::start().await, PrivateBroker::start().await);
    let pool = database.pool("postgres").await;
    let file = scratch.path().join("flasherp.snapshot");
    Ledger::of(transactions).write(&pool, &file).await;
    let options = program("flasherp-sandbox", scratch.path())
        .env("SANDBOX_SNAPSHOT_FILE", file.to_str().context("a plain path")?)
        .env("SANDBOX_LATENCY_MS", LATENCY_MS.to_string());
    let mut sandbox = Service::start(options).await?;
    sandbox.until_ready(WITHIN).await?;
    testkit::configure(&pool, &sandbox.url("/v1")).await;
    let limit = bare(&sandbox, &pool).await?;

    let options = program("reconciler", scratch.path())
        .env("DATABASE_URL", database.url_for("erp_reconciler"))
        .env("NATS_URL", broker.url_for("reconciler"))
        .env("ERP_ENCRYPTION_KEYS", testkit::ENCRYPTION_KEYS)
        .env("ERP_ALLOW_PRIVATE_BASE_URL", "true")
        .env("RECONCILIATION_SLICES", AT_ONCE.to_string());
    let mut reconciler = Service::start(options).await?;
    reconciler.until_ready(WITHIN).await?;
    let idle = status_kb(&reconciler, "VmRSS:")?;
    let begun = Instant::now();
    let to = OffsetDateTime::now_utc();
    let run: Uuid = sqlx::query_scalar(
        "SELECT reconciliation.request($1, $2, ARRAY['transaction']::sync.entity_type[], false, 300, 'bench', NULL)",
    )
    .bind(to - time::Duration::days(90))
    .bind(to)
    .fetch_one(&pool)
    .await?;
    let (status, proven, matched) = testkit::eventually_some(WITHIN, "the run has ended", || ended(&pool, run)).await;
    let took = begun.elapsed();
    ensure!(status == "completed" && proven == Some(true), "the run is {status}, proven {proven:?}");
    ensure!(matched == i64::from(transactions), "{matched} of {transactions} match");
    let [read, compared, verified] = stages(&reconciler).await?;
    let resident_kb = status_kb(&reconciler, "VmHWM:")?;
    eprintln!(
        "{transactions:9} transactions: {took:?} ({} records/s; bare calls for the same pages {limit:?}); read {read:?}, compare {compared:?}, \
         verify {verified:?}; memory {idle} kB idle, {resident_kb} kB at most; processor time: {:?} reconciler, {:?} PostgreSQL, {:?} sandbox",
        u128::from(transactions) * 1000 / took.as_millis().max(1),
        reconciler.process().map(|process| cpu::used_by(process.pid)).unwrap_or_default(),
        database.postgres.process().map(|process| cpu::used_by_family(process.pid)).unwrap_or_default(),
        sandbox.process().map(|process| cpu::used_by(process.pid)).unwrap_or_default(),
    );
    reconciler.stop().await?;
    sandbox.stop().await?;
    Ok(Round { transactions, whole: took, compared, resident_kb })
}

async fn ended(pool: &PgPool, run: Uuid) -> Option<(String, Option<bool>, i64)> {
    sqlx::query_as(
        "SELECT status::text, proven, (totals #>> '{types,0,matched}')::bigint FROM reconciliation.runs
         WHERE id = $1 AND finished_at IS NOT NULL",
    )
    .bind(run)
    .fetch_optional(pool)
    .await
    .ok()
    .flatten()
}

/// The same pages read by bare calls: cut like the run cuts them, as many at once.
async fn bare(sandbox: &Service, pool: &PgPool) -> anyhow::Result<Duration> {
    let borders: Vec<OffsetDateTime> = sqlx::query_scalar(
        "WITH placed AS (SELECT target_created_at AS at, row_number() OVER (ORDER BY target_created_at) AS place, count(*) OVER () AS count
            FROM sync.erp_syncs WHERE source_type = 'transaction')
         SELECT at FROM placed WHERE place = 1 OR place = count OR place % greatest(1, count / $1) = 0 ORDER BY at",
    )
    .bind(i64::try_from(AT_ONCE)?)
    .fetch_all(pool)
    .await?;
    let client = reqwest::Client::builder().no_proxy().build()?;
    let begun = Instant::now();
    let slices = borders.windows(2).map(|border| {
        let (client, from, to) = (client.clone(), text(border[0]), text(border[1]));
        let base = sandbox.url("/v1/transactions");
        async move {
            let mut cursor: Option<String> = None;
            loop {
                let after = cursor.as_ref().map(|cursor| format!("&cursor={cursor}")).unwrap_or_default();
                let url = format!("{base}?limit=500&createdFrom={from}&createdTo={to}{after}");
                let request = client.get(url).bearer_auth("sandbox-key").header("X-API-Secret", "sandbox-secret");
                let page = request.send().await?.error_for_status()?.bytes().await?;
                // The cursor stands at the end; reading all of it would be more than a bare call.
                let end = String::from_utf8_lossy(&page[page.len().saturating_sub(80)..]).into_owned();
                let next = end.rsplit_once("\"nextCursor\":").map(|(_, next)| next.trim_end_matches('}').to_owned());
                match next.as_deref().map(|next| next.trim_matches('"')) {
                    Some("null") | None => return anyhow::Ok(()),
                    Some(next) => cursor = Some(next.to_owned()),
                }
            }
        }
    });
    for read in futures::future::join_all(slices).await {
        read?;
    }
    Ok(begun.elapsed())
}

fn text(at: OffsetDateTime) -> String {
    let (hour, minute, second, milli) = at.to_hms_milli();
    format!("{}T{hour:02}:{minute:02}:{second:02}.{milli:03}Z", at.date())
}

/// What the reconciler's own metrics say of its stages: reading, comparing, verifying.
async fn stages(reconciler: &Service) -> anyhow::Result<[Duration; 3]> {
    let client = reqwest::Client::builder().no_proxy().build()?;
    let metrics = client.get(reconciler.management_url("/metrics")).send().await?.text().await?;
    let of = |stage: &str| {
        let line = metrics.lines().find(|line| {
            line.starts_with("erp_reconciliation_duration_seconds_sum") && line.contains(&format!("stage=\"{stage}\""))
        });
        let seconds = line.and_then(|line| line.rsplit(' ').next()?.parse().ok());
        seconds.map(Duration::from_secs_f64).with_context(|| format!("the metrics know no stage {stage}"))
    };
    Ok([of("read")?, of("compare")?, of("verify")?])
}

/// A line of its process' status, in kB.
fn status_kb(service: &Service, name: &str) -> anyhow::Result<u64> {
    let process = service.process().with_context(|| format!("{} runs", service.name()))?;
    let status = std::fs::read_to_string(format!("/proc/{}/status", process.pid))?;
    let line = status.lines().find_map(|line| line.strip_prefix(name)).with_context(|| name.to_owned())?;
    line.trim().trim_end_matches(" kB").parse().with_context(|| format!("{name} is a number"))
}
