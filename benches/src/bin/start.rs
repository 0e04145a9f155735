//! What each service costs when nothing happens, and how soon it is ready once its database is there.
//!
//! Started with the database away, each waits; then the database starts, and the time runs from its first answer to the service's own `/readyz`.
//! PostgreSQL, NATS and the sandbox are this program's own, and end with it.

use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use testkit::{PrivateBroker, PrivateDatabase, Scratch, Service, ServiceOptions, service as program};

const ROUNDS: usize = 5;
const WITHIN: Duration = Duration::from_secs(60);
/// The longest median until a service is ready.
const READY_LIMIT: Duration = Duration::from_secs(1);
/// The most that a service may hold when idle, in kB.
const IDLE_LIMIT: u64 = 40_000;
/// Long enough for every timer of a service to have fired a few times.
const IDLE_FOR: Duration = Duration::from_secs(10);
const KEYS: &str = "bench:MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=";

fn main() -> anyhow::Result<()> {
    service::bootstrap::install_tls_provider();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
    runtime.block_on(measure())
}

async fn measure() -> anyhow::Result<()> {
    let scratch = Scratch::new()?;
    let mut database = PrivateDatabase::start().await;
    let broker = PrivateBroker::start().await;
    let mut sandbox = Service::start(program("flasherp-sandbox", scratch.path())).await?;
    sandbox.until_ready(WITHIN).await?;

    let options = options(&scratch, &database, &broker, &sandbox);
    let mut ready = vec![Vec::new(); options.len()];
    for _ in 0..ROUNDS {
        database.postgres.kill().await?;
        let mut services = Vec::new();
        for options in &options {
            services.push(Service::start(options.clone()).await?);
        }
        database.postgres.restart().await?;
        let answers = Instant::now();
        let waits = services.iter_mut().map(|service| async {
            service.until_ready(WITHIN).await?;
            anyhow::Ok(answers.elapsed())
        });
        for (took, ready) in futures::future::try_join_all(waits).await?.into_iter().zip(&mut ready) {
            ready.push(took);
        }
        for service in &mut services {
            service.stop().await?;
        }
    }
    let mut over = Vec::new();
    for (options, mut took) in options.iter().zip(ready) {
        took.sort_unstable();
        if took[took.len() / 2] > READY_LIMIT {
            over.push(format!("{} is not ready within {READY_LIMIT:?}", options.name));
        }
        eprintln!(
            "ready after its database: {:11} median {} ms, longest {} ms, of {ROUNDS}",
            options.name,
            took[took.len() / 2].as_millis(),
            took[took.len() - 1].as_millis(),
        );
    }

    let mut services = vec![sandbox];
    for options in &options {
        let mut service = Service::start(options.clone()).await?;
        service.until_ready(WITHIN).await?;
        services.push(service);
    }
    let mut gateway = Service::start(gateway(&scratch, &services)?).await?;
    gateway.until_ready(WITHIN).await?;
    services.push(gateway);
    tokio::time::sleep(IDLE_FOR).await;
    for service in &services {
        let resident = resident(service)?;
        eprintln!("idle for {} s: {:16} {resident} kB resident", IDLE_FOR.as_secs(), service.name());
        if resident > IDLE_LIMIT {
            over.push(format!("{} holds more than {IDLE_LIMIT} kB", service.name()));
        }
    }
    for service in services.iter_mut().rev() {
        service.stop().await?;
    }
    ensure!(over.is_empty(), "{}", over.join("; "));
    Ok(())
}

/// How the services of the path are started, each under its own role.
fn options(
    scratch: &Scratch,
    database: &PrivateDatabase,
    broker: &PrivateBroker,
    sandbox: &Service,
) -> Vec<ServiceOptions> {
    let of = |name: &str, role: &str| {
        program(name, scratch.path())
            .env("DATABASE_URL", database.url_for(role))
            .env("NATS_URL", broker.url_for(name))
            .env("ERP_ENCRYPTION_KEYS", KEYS)
            .env("ERP_ALLOW_PRIVATE_BASE_URL", "true")
    };
    vec![
        of("config-api", "erp_config_api")
            .envs(testkit::tokens::environment())
            .env("FLASHERP_ENABLED", "true")
            .env("FLASHERP_API_KEY", "sandbox-key")
            .env("FLASHERP_API_SECRET", "sandbox-secret")
            .env("FLASHERP_BASE_URL", sandbox.url("/v1")),
        of("ingress", "erp_ingress").env("STRIPE_WEBHOOK_SECRET", "whsec_bench"),
        of("sync-worker", "erp_sync_worker"),
        of("scheduler", "erp_scheduler"),
        of("reconciler", "erp_reconciler"),
    ]
}

/// The one that has no database to wait for, before those that run.
fn gateway(scratch: &Scratch, running: &[Service]) -> anyhow::Result<ServiceOptions> {
    let at = |name: &str| {
        running.iter().find(|service| service.name() == name).map(|service| service.url("")).context(name.to_owned())
    };
    Ok(program("gateway", scratch.path())
        .envs(testkit::tokens::environment())
        .env("INGRESS_URL", at("ingress")?)
        .env("CONFIG_API_URL", at("config-api")?))
}

/// `VmRSS` of its process in kB, as the kernel writes it.
fn resident(service: &Service) -> anyhow::Result<u64> {
    let process = service.process().with_context(|| format!("{} runs", service.name()))?;
    let status = std::fs::read_to_string(format!("/proc/{}/status", process.pid))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).context("VmRSS")?;
    line.trim().trim_end_matches(" kB").parse().with_context(|| format!("VmRSS: {line}"))
}
