//! What the outbound role is made of, and its start and stop.
//!
//! What is in hand is bounded by slots, taken before the claim, so that no lease runs while its record waits for a turn. At the stop nothing more
//! is taken, what is in hand is finished and written, and what is claimed but not yet sent is handed back.

use std::sync::Arc;
use std::time::Duration;

use domain::retry::RetryPolicy;
use flasherp::SharedGate;
use messaging::{Broker, ConsumerOptions};
use service::config_watch::Watched;
use sqlx::PgPool;
use tokio::sync::{Notify, Semaphore, mpsc, watch};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::claiming::Requested;
use super::finish::Finisher;
use super::target::Target;

/// How the outbound role works.
#[derive(Debug, Clone, Copy)]
pub struct OutboundSettings {
    /// Retries across calls, and the settle time.
    pub policy: RetryPolicy,
    /// How long a claim holds; well above a call's timeout.
    pub lease: Duration,
    /// Syncs in hand at once.
    pub in_hand: usize,
    /// `FLASHERP_ENABLED=false`: nothing is claimed, whatever the configuration row says.
    pub disabled_by_environment: bool,
}

/// The outbound role. Cheap to clone.
#[derive(Clone)]
pub struct Outbound {
    pub(super) shared: Arc<Shared>,
}

pub(super) struct Shared {
    pub(super) pool: PgPool,
    pub(super) settings: OutboundSettings,
    pub(super) gate: SharedGate,
    pub(super) target: watch::Receiver<Watched<Target>>,
    pub(super) finisher: Finisher,
    /// For the timer, which takes whatever is due.
    pub(super) slots: Arc<Semaphore>,
    /// Set apart for hints and wakes, so that what changes now does not wait behind a backlog.
    pub(super) quick_slots: Arc<Semaphore>,
    pub(super) tasks: TaskTracker,
    pub(super) stop: CancellationToken,
    pub(super) poll_now: Notify,
}

/// What keeps the role running; to be waited for at the end.
pub struct Running {
    tasks: Vec<JoinHandle<()>>,
    finishing: JoinHandle<()>,
}

impl Running {
    /// Waits until what was in hand is finished and written.
    pub async fn ended(self) {
        for task in self.tasks {
            // A panic in a loop is logged by its hook; the others still have to end.
            let _panicked = task.await;
        }
        let _panicked = self.finishing.await;
    }
}

impl Outbound {
    /// Starts the role: hints, timers, finisher. It stops taking when `stop` is cancelled. `stated` is rung when facts were stated.
    pub fn start(
        pool: PgPool,
        broker: &Broker,
        settings: OutboundSettings,
        gate: SharedGate,
        target: watch::Receiver<Watched<Target>>,
        stated: Arc<Notify>,
        stop: CancellationToken,
    ) -> (Self, Running) {
        let (woken, waking) = mpsc::unbounded_channel();
        let (finisher, finishing) = Finisher::start(pool.clone(), settings.policy.settle, woken, stated, stop.clone());
        let quick = quick_of(settings.in_hand);
        let outbound = Self {
            shared: Arc::new(Shared {
                pool,
                settings,
                gate,
                target,
                finisher,
                slots: Arc::new(Semaphore::new(settings.in_hand - quick)),
                quick_slots: Arc::new(Semaphore::new(quick)),
                tasks: TaskTracker::new(),
                stop: stop.clone(),
                poll_now: Notify::new(),
            }),
        };
        let hints = messaging::consumer::run(
            broker.clone(),
            messaging::topology::Durable::SyncWorkerOutbound,
            ConsumerOptions::default(),
            Arc::new(Requested(outbound.clone())),
            stop,
        );
        let tasks = vec![
            tokio::spawn(hints),
            tokio::spawn(outbound.clone().claim_woken(waking)),
            tokio::spawn(outbound.clone().claim_due()),
            tokio::spawn(outbound.clone().sweep_leases()),
            tokio::spawn(outbound.clone().sweep_waiting()),
            tokio::spawn(outbound.clone().keep_capabilities()),
            tokio::spawn(outbound.clone().keep_gauges()),
            tokio::spawn(outbound.clone().keep_circuit()),
            tokio::spawn(outbound.clone().carry_on_batches()),
            tokio::spawn(outbound.clone().probe_when_due()),
            tokio::spawn(outbound.clone().finish_in_hand()),
        ];
        (outbound, Running { tasks, finishing })
    }

    /// Whether anything may be claimed at all by this process.
    pub(super) fn may_claim(&self) -> bool {
        !self.shared.settings.disabled_by_environment
            && !self.shared.stop.is_cancelled()
            && self.shared.target.borrow().present().is_some()
    }

    /// How many slots are set apart.
    pub(super) fn quick(&self) -> usize {
        quick_of(self.shared.settings.in_hand)
    }

    /// After the stop: waits for what is in hand.
    async fn finish_in_hand(self) {
        self.shared.stop.cancelled().await;
        self.shared.tasks.close();
        self.shared.tasks.wait().await;
    }
}

/// Of the slots, how many are set apart for hints and wakes.
fn quick_of(in_hand: usize) -> usize {
    in_hand.div_ceil(4).min(in_hand.saturating_sub(1))
}
