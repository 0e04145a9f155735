//! Events a second that one worker applies: Stripe's stories of every kind, stored beforehand by ingress, in order and shuffled.
//!
//! Each round stores its events while no worker runs and times from a worker's start of work to the last event. Beside it stands what the same machine
//! commits a second, one row to a transaction on one connection, so that the figure can be told on another one.
//!
//! PostgreSQL, NATS and the sandbox are this program's own, and end with it.

use std::time::{Duration, Instant};

use anyhow::ensure;
use benches::cpu;
use benches::stand::{Stand, WITHIN};
use testkit::Service;
use testkit::sandbox::StripeSend;

/// Stories a round; each is a customer with all that happens to it.
const STORIES: u32 = 3000;
const LOOK: Duration = Duration::from_millis(20);
const COMMITS: u32 = 1000;

fn main() -> anyhow::Result<()> {
    service::bootstrap::install_tls_provider();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
    runtime.block_on(async {
        let stand = Stand::start().await?;
        eprintln!("lone commits: {}/s", lone_commits(&stand).await?);
        for (round, shuffle) in [false, true].into_iter().enumerate() {
            round_of(&stand, u64::try_from(round)?, shuffle).await?;
        }
        anyhow::Ok(())
    })
}

async fn round_of(stand: &Stand, round: u64, shuffle: bool) -> anyhow::Result<()> {
    let mut ingress = stand.ingress().await?;
    let send = StripeSend {
        count: STORIES,
        seed: Some(round),
        first_story: Some(round * u64::from(STORIES)),
        stories: Some(vec!["all".to_owned()]),
        concurrency: Some(64),
        target: Some(ingress.url("/api/webhooks/stripe")),
        shuffle,
        deadline_secs: Some(WITHIN.as_secs()),
        ..StripeSend::default()
    };
    let sent = stand.sandbox.send_stripe(&send).await;
    let sent = stand.sandbox.wait_send_done(sent.id, WITHIN).await;
    ensure!(sent.failed == 0, "{} events were not taken: {:?}", sent.failed, sent.last_error);
    ingress.stop().await?;
    sqlx::query("ANALYZE").execute(&stand.pool).await?;

    let waiting = count(stand, "status = 'received'").await?;
    let begun_by = cpu_of_postgres(stand);
    let mut worker = stand.worker("worker", &[("SYNC_WORKER_ROLES", "inbound".to_owned())]).await?;
    let mut begun = Instant::now();
    let mut at_first = waiting;
    // What was applied before it was seen to be ready is left out.
    loop {
        let left = count(stand, "status = 'received'").await?;
        if at_first == waiting {
            (begun, at_first) = (Instant::now(), left);
        }
        if left == 0 {
            break;
        }
        ensure!(begun.elapsed() < WITHIN, "{left} of {waiting} events wait");
        tokio::time::sleep(LOOK).await;
    }
    let took = begun.elapsed();
    tell(shuffle, waiting, at_first, took, used(&worker), cpu_of_postgres(stand).saturating_sub(begun_by));
    let (parked, failed) = (count(stand, "status = 'parked'").await?, count(stand, "status = 'failed'").await?);
    ensure!(failed == 0, "{failed} events failed");
    eprintln!("    {parked} are parked");
    worker.stop().await?;
    Ok(())
}

async fn count(stand: &Stand, of: &str) -> anyhow::Result<u32> {
    let sql = format!("SELECT count(*) FROM ingress.webhook_events WHERE {of}");
    let count: i64 = sqlx::query_scalar(sqlx::AssertSqlSafe(sql)).fetch_one(&stand.pool).await?;
    Ok(u32::try_from(count)?)
}

fn used(worker: &Service) -> Duration {
    worker.process().map(|process| cpu::used_by(process.pid)).unwrap_or_default()
}

fn cpu_of_postgres(stand: &Stand) -> Duration {
    stand.database.postgres.process().map(|process| cpu::used_by_family(process.pid)).unwrap_or_default()
}

#[expect(clippy::float_arithmetic, reason = "a rate for people to read")]
fn tell(shuffle: bool, waiting: u32, timed: u32, took: Duration, worker: Duration, postgres: Duration) {
    eprintln!(
        "{}: {:.0} events/s of {timed} timed; an event: {:?} worker, {:?} PostgreSQL",
        if shuffle { "shuffled" } else { "in order" },
        f64::from(timed) / took.as_secs_f64(),
        worker / waiting,
        postgres / waiting,
    );
}

async fn lone_commits(stand: &Stand) -> anyhow::Result<u128> {
    let mut connection = stand.pool.acquire().await?;
    sqlx::query("CREATE TABLE public.bench (n integer)").execute(&mut *connection).await?;
    let begun = Instant::now();
    for n in 0..COMMITS {
        sqlx::query("INSERT INTO public.bench VALUES ($1)").bind(i32::try_from(n)?).execute(&mut *connection).await?;
    }
    let rate = u128::from(COMMITS) * 1_000_000 / begun.elapsed().as_micros().max(1);
    sqlx::query("DROP TABLE public.bench").execute(&mut *connection).await?;
    Ok(rate)
}
