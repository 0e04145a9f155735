//! Records a second from UpCoach's tables to FlashERP: one worker, 100 customers, at several latencies of the sandbox; then two workers.
//!
//! Each round fills the tables while outbound is paused, lets the worker begin, and times from the first record that the sandbox holds to the last. Beside
//! it stands the part's limit in the same run: bare calls that create a record, as many at once as the worker may have in flight, nothing else. SQL is
//! counted by pg_stat_statements, calls by the sandbox, processor time by the kernel.
//!
//! PostgreSQL, NATS and the sandbox are this program's own, and end with it.

use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use benches::cpu;
use benches::stand::{Stand, WITHIN};
use serde_json::json;
use testkit::Service;
use uuid::Uuid;

const LOOK: Duration = Duration::from_millis(5);
const LIMIT_FOR: Duration = Duration::from_secs(2);
const CUSTOMERS: i32 = 100;

/// What a round is made of.
#[derive(Debug, Clone, Copy)]
struct Case {
    workers: usize,
    latency: Duration,
    in_flight: usize,
    records: u32,
}

const fn case(workers: usize, latency_ms: u64, in_flight: usize, records: u32) -> Case {
    Case { workers, latency: Duration::from_millis(latency_ms), in_flight, records }
}

/// In their order: bound by the processor, by the latency, by a long one; what a second worker adds; a long run for the memory.
const CASES: [Case; 6] = [
    case(1, 0, 64, 20_000),
    case(1, 20, 64, 20_000),
    case(1, 200, 400, 20_000),
    case(1, 200, 64, 4_000),
    case(2, 200, 64, 8_000),
    case(1, 0, 64, 200_000),
];

fn main() -> anyhow::Result<()> {
    service::bootstrap::install_tls_provider();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
    runtime.block_on(async {
        let bench = Bench { stand: Stand::start().await? };
        for case in cases()? {
            bench.round(case).await?;
        }
        anyhow::Ok(())
    })
}

/// All, or those whose places (from 1) the environment's `CASES` names.
fn cases() -> anyhow::Result<Vec<Case>> {
    let Ok(places) = std::env::var("CASES") else { return Ok(CASES.to_vec()) };
    let case = |place: &str| {
        let place = place.trim().parse::<usize>().ok().and_then(|place| place.checked_sub(1));
        place.and_then(|place| CASES.get(place).copied())
    };
    places
        .split(',')
        .map(|place| case(place).with_context(|| format!("CASES: {place} is none of 1 to {}", CASES.len())))
        .collect()
}

struct Bench {
    stand: Stand,
}

impl Bench {
    async fn round(&self, case: Case) -> anyhow::Result<()> {
        self.stand.sandbox.set_latency(case.latency, case.latency).await;
        let limit = self.limit(case).await?;
        self.stand.pause().await?;
        self.stand.fill(CUSTOMERS, i32::try_from(case.records)?, &Uuid::new_v4().to_string()).await?;
        let mut workers = Vec::new();
        for n in 0..case.workers {
            let settings = [("SYNC_MAX_IN_FLIGHT", case.in_flight.to_string())];
            workers.push(self.stand.worker(&format!("worker-{n}"), &settings).await?);
        }

        sqlx::query("SELECT pg_stat_statements_reset()").execute(&self.stand.pool).await?;
        let before = self.stand.sandbox.counters().await;
        let used = self.used(&workers);
        self.stand.resume().await?;
        let held = before.records_of("transactions");
        self.arrived(held + 1).await;
        let begun = Instant::now();
        let mut grown = Vec::new();
        for part in 1..=4 {
            self.arrived(held + u64::from(case.records) * part / 4).await;
            grown.push(resident(&workers[0])?);
        }
        let took = begun.elapsed();
        let used = self.used(&workers).since(&used);
        let all_written = "every record's sync is finished";
        testkit::eventually(WITHIN, all_written, || async { self.unfinished().await == Ok(0) }).await;
        let after = self.stand.sandbox.counters().await;
        let statements: i64 = sqlx::query_scalar(
            "SELECT sum(calls)::bigint FROM pg_stat_statements s JOIN pg_roles r ON r.oid = s.userid WHERE rolname = 'erp_sync_worker'",
        )
        .fetch_one(&self.stand.pool)
        .await?;
        ensure!(after.doubled() == 0, "{} references are there twice", after.doubled());
        let calls: u64 = after.calls.values().sum::<u64>() - before.calls.values().sum::<u64>();
        tell(case, took, limit, calls, statements, &used, &grown);
        for (spent, ran, rows, text) in self.dearest().await? {
            eprintln!("    {spent} ms in {ran} runs, {rows} rows: {text}");
        }
        for worker in &mut workers {
            worker.stop().await?;
        }
        Ok(())
    }

    /// Records a second of callers that do nothing but create them.
    async fn limit(&self, case: Case) -> anyhow::Result<u128> {
        let client = reqwest::Client::builder().no_proxy().timeout(WITHIN).build()?;
        let url = self.stand.sandbox_process.url("/v1/customers");
        let until = Instant::now() + LIMIT_FOR;
        let callers = (0..case.in_flight * case.workers).map(|_| {
            let (client, url) = (client.clone(), url.clone());
            tokio::spawn(async move {
                let mut created: u32 = 0;
                while Instant::now() < until {
                    let body =
                        json!({ "upcoachReference": Uuid::new_v4(), "name": "Limit", "email": "limit@example.com" });
                    let request = client
                        .post(&url)
                        .bearer_auth("sandbox-key")
                        .header("X-API-Secret", "sandbox-secret")
                        .json(&body);
                    let answer = request.send().await?;
                    let status = answer.status();
                    let text = answer.text().await?;
                    ensure!(status.is_success(), "the sandbox answers {status}: {text}");
                    created += 1;
                }
                anyhow::Ok(created)
            })
        });
        let mut created: u128 = 0;
        for caller in futures::future::join_all(callers).await {
            created += u128::from(caller.context("a caller's task")??);
        }
        Ok(created * 1000 / LIMIT_FOR.as_millis())
    }

    /// The statements on which PostgreSQL spent most time: how much, runs, rows, beginning.
    async fn dearest(&self) -> anyhow::Result<Vec<(i64, i64, i64, String)>> {
        Ok(sqlx::query_as(
            "SELECT total_exec_time::bigint, calls, rows, left(regexp_replace(query, '\\s+', ' ', 'g'), 110)
             FROM pg_stat_statements ORDER BY total_exec_time DESC LIMIT 6",
        )
        .fetch_all(&self.stand.pool)
        .await?)
    }

    async fn arrived(&self, count: u64) {
        let begun = Instant::now();
        while self.stand.sandbox.counters().await.records_of("transactions") < count {
            assert!(begun.elapsed() < WITHIN, "{count} transactions are not in FlashERP after {WITHIN:?}");
            tokio::time::sleep(LOOK).await;
        }
    }

    async fn unfinished(&self) -> Result<i64, String> {
        sqlx::query_scalar(
            "SELECT (SELECT count(*) FROM sync.requests) + (SELECT count(*) FROM sync.erp_syncs WHERE sync_status <> 'synced')",
        )
        .fetch_one(&self.stand.pool)
        .await
        .map_err(|error| error.to_string())
    }

    fn used(&self, workers: &[Service]) -> Used {
        let of = |service: &Service| service.process().map(|process| cpu::used_by(process.pid)).unwrap_or_default();
        Used {
            workers: workers.iter().map(of).sum(),
            postgres: self
                .stand
                .database
                .postgres
                .process()
                .map(|process| cpu::used_by_family(process.pid))
                .unwrap_or_default(),
            sandbox: of(&self.stand.sandbox_process),
        }
    }
}

/// Processor time.
struct Used {
    workers: Duration,
    postgres: Duration,
    sandbox: Duration,
}

impl Used {
    fn since(self, before: &Self) -> Self {
        Self {
            workers: self.workers.saturating_sub(before.workers),
            postgres: self.postgres.saturating_sub(before.postgres),
            sandbox: self.sandbox.saturating_sub(before.sandbox),
        }
    }
}

#[expect(clippy::float_arithmetic, reason = "ratios for people to read")]
fn tell(case: Case, took: Duration, limit: u128, calls: u64, statements: i64, used: &Used, grown: &[u64]) {
    let records = f64::from(case.records);
    let rate = records / took.as_secs_f64();
    let limit = f64::from(u32::try_from(limit).unwrap_or(u32::MAX));
    let statements = f64::from(i32::try_from(statements).unwrap_or(i32::MAX));
    let calls = f64::from(u32::try_from(calls).unwrap_or(u32::MAX));
    let each = |used: Duration| used / case.records;
    eprintln!(
        "{} worker(s), sandbox {:3} ms, {:3} in flight: {rate:6.0} records/s of {} ({limit:.0} bare calls/s, ratio {:.2}); a record: {:.3} calls, {:.3} statements; \
         processor time: {:?} worker, {:?} PostgreSQL, {:?} sandbox; worker's memory after each quarter {grown:?} kB",
        case.workers,
        case.latency.as_millis(),
        case.in_flight,
        case.records,
        rate / limit,
        calls / records,
        statements / records,
        each(used.workers),
        each(used.postgres),
        each(used.sandbox),
    );
}

/// `VmRSS` of its process, in kB.
fn resident(service: &Service) -> anyhow::Result<u64> {
    let process = service.process().with_context(|| format!("{} runs", service.name()))?;
    let status = std::fs::read_to_string(format!("/proc/{}/status", process.pid))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).context("VmRSS")?;
    line.trim().trim_end_matches(" kB").parse().context("VmRSS is a number")
}
