//! The reconciler: holds what UpCoach has against what FlashERP has (design section 7), says where they differ, and has it mended.
//!
//! A run is a row. It goes through these steps, and a process that dies in any of them is followed by another one, which goes on where its
//! predecessor's last commit was:
//!
//! | step | file | a death leaves |
//! |---|---|---|
//! | taken up, under a lease | `run` | a lease that ends |
//! | its FlashERP and its types are noted | `basis` | a run that begins anew if they are others by then |
//! | the window is cut | `slices` | no slices: it is cut again |
//! | FlashERP is paged into staging, a few slices at a time | `reading`, `staging` | all pages before this one |
//! | both sides are joined; what differs becomes a suspect | `compare` | staging; it is compared again |
//! | each suspect is read again on both sides and judged | `verify`, `verdict`, `findings` | the suspects that are left |
//! | the end, its fact, and healing by itself | `finish` | all of that, or nothing |
//!
//! Healing syncs that others carry out are followed by `healing`.

mod basis;
mod call;
mod compare;
pub mod config;
mod findings;
mod finish;
mod healing;
mod reading;
mod run;
mod runner;
mod shown;
mod slices;
mod staging;
mod verdict;
mod verify;

use std::sync::Arc;

use events::traffic::Party;
use events::{Event, ReconciliationRequested};
use messaging::consumer::{Disposition, Dispositions, Handler, Received};
use messaging::topology::Durable;
use messaging::{ConsumerOptions, Outbox, Relay, of_service};
use service::{Context, database};
use syncs::View;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

pub use config::Config;

use runner::Runner;

/// The facts of schema `reconciliation`, stated by this service.
const OUTBOX: Outbox = Outbox::new("reconciliation", Party::Reconciler);

/// Runs the reconciler until it is told to stop; a run in hand is given back, and another one goes on with it.
///
/// # Errors
/// The settings can't be used. Database and broker may be away; they are waited for.
pub async fn run(context: Context, config: Config) -> anyhow::Result<()> {
    let stop = context.shutdown.clone();
    let schema = migrations::schema_version();
    let connection = database::connect(&context, schema)?;
    let pool = connection.get_postgres_connection_pool().clone();
    let broker = of_service::connect(&context, Party::Reconciler, "runs are found by a timer").await?;
    context.listening(None)?;
    if !database::wait_for_schema(&pool, schema, &stop).await {
        return Ok(());
    }

    let stated = Arc::new(Notify::new());
    let relay = Relay::new(OUTBOX, pool.clone(), broker.clone(), Arc::clone(&stated));
    // The relay goes last, so that the facts of what is finished at the end are still told.
    let relay_stop = CancellationToken::new();
    let relaying = tokio::spawn(relay.run(relay_stop.clone()));

    let hurry = Arc::new(Notify::new());
    let (targets, watching) = config.flasherp.watch(&pool, View::Reconciler, Arc::clone(&hurry), stop.clone());
    let requested = Arc::new(Notify::new());
    let runner = Runner {
        pool: pool.clone(),
        hints: broker.hints().clone(),
        targets,
        settings: config.runs,
        requested: Arc::clone(&requested),
        stated,
        stop: stop.clone(),
    };
    let hints = messaging::consumer::run(
        broker.clone(),
        Durable::Reconciler,
        ConsumerOptions::default(),
        Arc::new(Requested(requested)),
        stop.clone(),
    );
    let running = [
        watching,
        tokio::spawn(of_service::hear_config_changes(broker.clone(), hurry, stop.clone())),
        tokio::spawn(hints),
        tokio::spawn(healing::follow(pool, stop.clone())),
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

/// Hints that a run was asked for: the runner looks at once.
struct Requested(Arc<Notify>);

impl Handler for Requested {
    type Message = Event<ReconciliationRequested>;

    async fn handle(&self, _: Vec<Received<Self::Message>>) -> Dispositions {
        self.0.notify_one();
        // A run that could not be taken up is no loss: the timer finds its row.
        Dispositions::all(Disposition::Ack)
    }
}
