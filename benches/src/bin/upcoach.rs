//! What UpCoach's own updates of its tables take: alone, while they ask for syncs, and while a worker syncs, paced and as fast as it can.
//!
//! pgbench updates transactions at a fixed rate well below what the machine could do, so that its latency shows who waits for whom. Four states take
//! turns: the triggers off; on, with outbound paused; a worker under a cap of requests a second; a worker without one.
//!
//! Worker and FlashERP stand beside UpCoach's database on other machines in production. Here they have the lowest priority, so that what they cost the
//! updates is what their statements cost in PostgreSQL; `SHARED=1` lets them compete for the processors. PostgreSQL is asked all the time what
//! pgbench's statements wait for: a lock (`Lock ...`), the WAL, a processor.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use benches::cpu;
use benches::stand::Stand;
use testkit::Service;
use tokio_util::sync::CancellationToken;

const ROUNDS: usize = 5;
/// How often PostgreSQL is asked what is waited for.
const LOOK: Duration = Duration::from_millis(10);
/// Updates a second.
const RATE: u32 = 400;
const SECONDS: u32 = 5;
const CLIENTS: u32 = 8;
/// Transactions that pgbench updates.
const LIVE: i32 = 20_000;
/// Calls a second of a paced worker.
const PACE: u32 = 300;
const SCRIPT: &str = "\\set n random(1, 20000)\n\
    UPDATE upcoach.transactions SET amount = amount + 1, updated_at = now() WHERE id = md5('live' || :n)::uuid;\n";

/// What goes on beside the updates.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// No trigger, no worker.
    Alone,
    /// Each update asks for a sync; nothing takes it.
    Asking,
    /// As `Asking`, and a worker under a cap.
    Paced,
    /// As `Asking`, and a worker without one.
    FullSpeed,
}

const STATES: [State; 4] = [State::Alone, State::Asking, State::Paced, State::FullSpeed];

fn main() -> anyhow::Result<()> {
    service::bootstrap::install_tls_provider();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
    runtime.block_on(async {
        let shared = std::env::var_os("SHARED").is_some_and(|shared| shared == "1");
        let bench = Bench { stand: Stand::start().await?, pgbench: pgbench()?, shared };
        bench.stand_aside(&bench.stand.sandbox_process)?;
        bench.stand.pause().await?;
        bench.stand.fill(100, LIVE, "live").await?;
        tokio::fs::write(bench.script(), SCRIPT).await?;
        let mut took: [Vec<Latencies>; 4] = Default::default();
        for round in 0..=ROUNDS {
            for (state, took) in STATES.iter().zip(&mut took) {
                let latencies = bench.round(*state).await?;
                if round > 0 {
                    took.push(latencies);
                }
            }
        }
        tell(&took);
        anyhow::Ok(())
    })
}

struct Bench {
    stand: Stand,
    pgbench: PathBuf,
    /// Whether worker and FlashERP compete with PostgreSQL for the processors.
    shared: bool,
}

/// In microseconds.
#[derive(Debug, Clone)]
struct Latencies {
    median: u64,
    p99: u64,
    /// How many statements were seen under way, by what they waited for.
    seen: Seen,
}

type Seen = BTreeMap<String, i64>;

impl Bench {
    fn script(&self) -> PathBuf {
        self.stand.scratch().join("update.sql")
    }

    async fn round(&self, state: State) -> anyhow::Result<Latencies> {
        let triggers = if state == State::Alone { "DISABLE" } else { "ENABLE ALWAYS" };
        for trigger in ["request_sync_insert", "request_sync_update"] {
            let alter = format!("ALTER TABLE upcoach.transactions {triggers} TRIGGER {trigger}");
            sqlx::query(sqlx::AssertSqlSafe(alter)).execute(&self.stand.pool).await?;
        }
        let mut worker = self.worker(state).await?;
        let over = CancellationToken::new();
        let (latencies, seen) = tokio::join!(
            async {
                let latencies = self.update(state).await;
                over.cancel();
                latencies
            },
            self.look(&over)
        );
        let latencies = Latencies { seen: seen?, ..latencies? };
        if let Some(worker) = &mut worker {
            let synced: i64 = sqlx::query_scalar("SELECT count(*) FROM sync.erp_syncs WHERE sync_status = 'synced'")
                .fetch_one(&self.stand.pool)
                .await?;
            ensure!(synced > 0, "the worker has synced nothing");
            self.stand.pause().await?;
            worker.stop().await?;
        }
        eprintln!("{state:?}: median {} us, p99 {} us", latencies.median, latencies.p99);
        Ok(latencies)
    }

    /// A worker with plenty to do: every transaction is asked for again.
    async fn worker(&self, state: State) -> anyhow::Result<Option<Service>> {
        let cap = match state {
            State::Alone | State::Asking => return Ok(None),
            State::Paced => PACE,
            State::FullSpeed => 0,
        };
        sqlx::query("UPDATE upcoach.transactions SET amount = amount + 1").execute(&self.stand.pool).await?;
        let worker = self.stand.worker("worker", &[("FLASHERP_MAX_RPS", cap.to_string())]).await?;
        self.stand_aside(&worker)?;
        self.stand.resume().await?;
        Ok(Some(worker))
    }

    fn stand_aside(&self, process: &Service) -> anyhow::Result<()> {
        let running = process.process().context("it has ended")?;
        if self.shared { Ok(()) } else { cpu::yield_to_all(running.pid) }
    }

    /// What pgbench's statements wait for, until it is over.
    async fn look(&self, over: &CancellationToken) -> anyhow::Result<Seen> {
        let mut seen = Seen::default();
        let mut ticks = tokio::time::interval(LOOK);
        while over.run_until_cancelled(ticks.tick()).await.is_some() {
            let now: Vec<(String, i64)> = sqlx::query_as(
                "SELECT coalesce(wait_event_type || ' ' || wait_event, 'a processor'), count(*) FROM pg_stat_activity
                 WHERE application_name = 'pgbench' AND state = 'active' GROUP BY 1",
            )
            .fetch_all(&self.stand.pool)
            .await?;
            for (what, statements) in now {
                *seen.entry(what).or_default() += statements;
            }
        }
        Ok(seen)
    }

    /// pgbench's own times of each update.
    async fn update(&self, state: State) -> anyhow::Result<Latencies> {
        let logs = self.stand.scratch().join(format!("{state:?}"));
        tokio::fs::create_dir_all(&logs).await?;
        let ended = tokio::process::Command::new(&self.pgbench)
            .args(["--no-vacuum", "--protocol=prepared", "--log", "--jobs=1"])
            .arg(format!("--log-prefix={}", logs.join("log").display()))
            .arg(format!("--client={CLIENTS}"))
            .arg(format!("--rate={RATE}"))
            .arg(format!("--time={SECONDS}"))
            .arg(format!("--file={}", self.script().display()))
            .arg(self.stand.database.url_for("postgres"))
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .output()
            .await
            .context("running pgbench")?;
        ensure!(ended.status.success(), "pgbench: {}", String::from_utf8_lossy(&ended.stderr));
        let latencies = read(&logs).await?;
        tokio::fs::remove_dir_all(&logs).await?;
        Ok(latencies)
    }
}

/// PostgreSQL's own, beside the server that the bench runs.
fn pgbench() -> anyhow::Result<PathBuf> {
    let bin = std::env::var_os("PG_BIN").context("PG_BIN names no folder with pgbench; run `./justw bench upcoach`")?;
    let pgbench = Path::new(&bin).join("pgbench");
    ensure!(pgbench.exists(), "{} is not there; it comes with PostgreSQL's contrib programs", pgbench.display());
    Ok(pgbench)
}

/// Each line is client, transaction number, microseconds, script, second, microsecond, and how late it began.
async fn read(logs: &Path) -> anyhow::Result<Latencies> {
    let mut took = Vec::new();
    let mut files = tokio::fs::read_dir(logs).await?;
    while let Some(file) = files.next_entry().await? {
        for line in tokio::fs::read_to_string(file.path()).await?.lines() {
            let of = |column: usize| line.split_whitespace().nth(column).and_then(|number| number.parse::<u64>().ok());
            let (latency, late) = of(2).zip(of(6)).with_context(|| format!("pgbench logs {line:?}"))?;
            // How late it began says how the machine shares its processors, not how long the statement took.
            took.push(latency.saturating_sub(late));
        }
    }
    took.sort_unstable();
    let at = |per_thousand: usize| took.get(took.len() * per_thousand / 1000).copied();
    let (median, p99) = at(500).zip(at(990)).context("pgbench has logged nothing")?;
    Ok(Latencies { median, p99, seen: Seen::new() })
}

#[expect(clippy::float_arithmetic, reason = "ratios for people to read")]
fn tell(took: &[Vec<Latencies>; 4]) {
    let median = |of: &[Latencies], which: fn(&Latencies) -> u64| {
        let mut all: Vec<u64> = of.iter().map(which).collect();
        all.sort_unstable();
        f64::from(u32::try_from(all[all.len() / 2]).unwrap_or(u32::MAX))
    };
    let alone = (median(&took[0], |took| took.median), median(&took[0], |took| took.p99));
    for (state, took) in STATES.iter().zip(took) {
        let (half, most) = (median(took, |took| took.median), median(took, |took| took.p99));
        let mut seen = Seen::new();
        for (what, statements) in took.iter().flat_map(|took| &took.seen) {
            *seen.entry(what.clone()).or_default() += statements;
        }
        eprintln!(
            "{state:?}: median {half:.0} us (ratio {:.2}), p99 {most:.0} us (ratio {:.2}), at {RATE} updates/s; seen waiting for {seen:?}",
            half / alone.0,
            most / alone.1
        );
    }
}
