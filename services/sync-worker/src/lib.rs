//! The sync worker: two roles that scale apart (`SYNC_WORKER_ROLES`), over the same rows.
//!
//! * [`inbound`] applies stored webhook events to `upcoach`, each exactly once;
//! * [`outbound`] brings what changed in `upcoach` into FlashERP, every record once, its newest state.
//!
//! Rows are truth: hints only hurry, timers find everything. A worker that dies leaves nothing half done: an uncommitted batch is gone, and a
//! lease runs out and is looked up.

pub mod config;
mod ending;
pub mod inbound;
pub mod outbound;

use std::sync::Arc;

use events::traffic::Party;
use flasherp::SharedGate;
use messaging::{Relay, of_service};
use service::config_watch::{Versioned, watch_built};
use service::{Context, database};
use syncs::StoredConfiguration;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

pub use config::{Config, Roles};

use inbound::Inbound;
use outbound::{Outbound, Target};

/// The facts of schema `sync`.
pub(crate) use syncs::OUTBOX;

/// Runs the worker until it is told to stop; what is in hand is finished first, what was not begun is handed back.
///
/// # Errors
/// The settings can't be used. Database and broker may be away; they are waited for.
pub async fn run(context: Context, config: Config) -> anyhow::Result<()> {
    let stop = context.shutdown.clone();
    let schema = migrations::schema_version();
    let connection = database::connect(&context, schema)?;
    let pool = connection.get_postgres_connection_pool().clone();
    let broker = of_service::connect(&context, Party::SyncWorker, "work goes on by timers").await?;
    context.listening(None)?;
    if !database::wait_for_schema(&pool, schema, &stop).await
        || !database::wait_for_upcoach(&pool, config.inbound.rules.upcoach, &stop).await
    {
        return Ok(());
    }

    let stated = Arc::new(Notify::new());
    let relay = Relay::new(OUTBOX, pool.clone(), broker.clone(), Arc::clone(&stated));
    // The relay goes last, so that the facts of what is finished at the end are still told.
    let relay_stop = CancellationToken::new();
    let relaying = tokio::spawn(relay.run(relay_stop.clone()));

    let gate = SharedGate::start(pool.clone(), config.gate, outbound::tell_of_circuit(Arc::clone(&stated)));
    let hurry = Arc::new(Notify::new());
    let (target, watching) = {
        let (calls, keyring, rows, passed) = (config.calls, config.keyring, pool.clone(), gate.clone());
        let load = move || {
            let rows = rows.clone();
            async move { Ok(StoredConfiguration::load(&rows).await?.map(Row)) }
        };
        let build = move |Row(stored)| Target::of(&stored, &keyring, calls, &passed);
        watch_built(load, build, Arc::clone(&hurry), stop.clone())
    };
    let mut running =
        vec![watching, tokio::spawn(of_service::hear_config_changes(broker.clone(), hurry, stop.clone()))];
    if config.roles.inbound {
        running.extend(Inbound::start(
            pool.clone(),
            &broker,
            config.inbound,
            target.clone(),
            Arc::clone(&stated),
            stop.clone(),
        ));
    }
    let outbound = config.roles.outbound.then(|| {
        Outbound::start(pool.clone(), &broker, config.outbound, gate, target, Arc::clone(&stated), stop.clone())
    });
    context.started();

    stop.cancelled().await;
    let finishing = async {
        for task in running {
            // A panic was logged by its hook; the others still have to end.
            let _panicked = task.await;
        }
        if let Some((outbound, in_hand)) = outbound {
            drop(outbound);
            in_hand.ended().await;
        }
        relay_stop.cancel();
        let _panicked = relaying.await;
    };
    if !ending::as_long_as_the_database_answers(&pool, finishing).await {
        tracing::warn!("the database does not answer; what is in hand is left to leases and to the next worker");
    }
    broker.close().await;
    Ok(())
}

/// The configuration row, for the watch.
struct Row(StoredConfiguration);

impl Versioned for Row {
    fn version(&self) -> i64 {
        self.0.version()
    }
}
