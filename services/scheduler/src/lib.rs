//! The scheduler: runs jobs by the timetable in the database, each firing once however many replicas run, and keeps their history.
//!
//! * [`timetable`] fires what is due and takes back what a dead scheduler held; `runner` runs it under a lease;
//! * [`jobs`] is the list of jobs; each has a module of its own (`ask`, `health`, `pull`, `financial_report`, `seal`, `prune`, ...);
//! * `alerts` tells people what needs them.
//!
//! A scheduler that dies leaves a lease that ends; the job is then run again, and every job may be cut off at any point.

mod alerts;
mod ask;
pub mod config;
mod exposure;
mod financial_report;
mod health;
pub mod jobs;
mod prune;
mod pull;
mod retry_queue;
pub mod run;
mod runner;
mod seal;
pub mod timetable;

use std::sync::Arc;
use std::time::Duration;

use events::traffic::{Durable, Party};
use messaging::{ConsumerOptions, Outbox, Relay, of_service};
use service::{Context, database};
use sqlx::PgPool;
use syncs::View;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

pub use config::Config;

use alerts::announce::Announcer;
use ask::Ask;
use financial_report::FinancialReports;
use health::HealthCheck;
use jobs::Jobs;
use prune::Prune;
use pull::Pull;
use retry_queue::RetryQueue;
use runner::Runner;
use seal::SealAuditLog;

/// The facts of schema `scheduling`, stated by this service.
const OUTBOX: Outbox = Outbox::new("scheduling", Party::Scheduler);
/// The pause before the timetable is filled again when the database refused.
const FILL_PAUSE: Duration = Duration::from_secs(1);

/// Runs the scheduler until it is told to stop; runs in hand are given back.
///
/// # Errors
/// The settings can't be used. Database and broker may be away; they are waited for.
pub async fn run(context: Context, config: Config) -> anyhow::Result<()> {
    let stop = context.shutdown.clone();
    let schema = migrations::schema_version();
    let connection = database::connect(&context, schema)?;
    let pool = connection.get_postgres_connection_pool().clone();
    let broker = of_service::connect(&context, Party::Scheduler, "jobs run without").await?;
    context.listening(None)?;
    if !database::wait_for_schema(&pool, schema, &stop).await || !fill_timetable(&pool, &stop).await {
        return Ok(());
    }

    let stated = Arc::new(Notify::new());
    let relay = Relay::new(OUTBOX, pool.clone(), broker.clone(), Arc::clone(&stated));
    // The relay goes last, so that the facts of what is finished at the end are still told.
    let relay_stop = CancellationToken::new();
    let relaying = tokio::spawn(relay.run(relay_stop.clone()));

    let (hurry, disabled) = (Arc::new(Notify::new()), config.flasherp.is_disabled());
    let (targets, watching) = config.flasherp.watch(&pool, View::Scheduler, Arc::clone(&hurry), stop.clone());
    let jobs = Jobs {
        ask: Ask { hints: broker.hints().clone(), disabled },
        retry_queue: RetryQueue { settle: config.settle, most: config.alerts.retry_queue },
        health: HealthCheck {
            targets: targets.clone(),
            outbox: OUTBOX,
            stated: Arc::clone(&stated),
            slow: config.health_slow,
        },
        pull: Pull {
            pool: pool.clone(),
            hints: broker.hints().clone(),
            stripe: config.stripe,
            targets,
            settings: config.pull,
        },
        reports: FinancialReports { disabled },
        seal: SealAuditLog { outbox: OUTBOX, stated: Arc::clone(&stated) },
        prune: Prune {
            bodies: config.retention.bodies,
            events: config.retention.events,
            history: config.retention.history,
        },
    };
    let runner = Runner {
        pool: pool.clone(),
        jobs: Arc::new(jobs),
        outbox: OUTBOX,
        instance: context.instance,
        lease: config.lease,
        stated: Arc::clone(&stated),
        stop: stop.clone(),
    };
    let (changed, raised) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let channels = config.alerts.channels;
    let announcer = Announcer { pool: pool.clone(), outbox: OUTBOX, stated, channels: channels.names() };
    let heard = Arc::new(alerts::watch::Hurry(Arc::clone(&changed)));
    let running = [
        watching,
        tokio::spawn(of_service::hear_config_changes(broker.clone(), hurry, stop.clone())),
        tokio::spawn(messaging::consumer::run(
            broker.clone(),
            Durable::Scheduler,
            ConsumerOptions::default(),
            heard,
            stop.clone(),
        )),
        tokio::spawn(pull::watch_behind(pool.clone(), stop.clone())),
        tokio::spawn(seal::watch_unsealed(pool.clone(), stop.clone())),
        tokio::spawn(exposure::watch(pool.clone(), stop.clone())),
        tokio::spawn(alerts::watch::run(pool, changed, Arc::clone(&raised), stop.clone())),
        tokio::spawn(alerts::deliver::run(announcer, channels, raised, stop.clone())),
        tokio::spawn(runner.run()),
    ];
    context.started();

    stop.cancelled().await;
    for task in running {
        // A panic was logged by its hook; the others still have to end.
        let _panicked = task.await;
    }
    relay_stop.cancel();
    let _panicked = relaying.await;
    broker.close().await;
    Ok(())
}

/// Tries until every job is in the timetable; false when it was told to stop before.
async fn fill_timetable(pool: &PgPool, stop: &CancellationToken) -> bool {
    loop {
        match timetable::add_missing(pool).await {
            Ok(()) => return true,
            Err(error) => {
                tracing::warn!(error = format!("{error:#}"), "the timetable can't be filled yet; trying again")
            }
        }
        if stop.run_until_cancelled(tokio::time::sleep(FILL_PAUSE)).await.is_none() {
            return false;
        }
    }
}
