//! The role's machinery: hints, the timer for what no hint brought, and the sweep of parked events.

use std::sync::Arc;
use std::time::Duration;

use events::{Event, WebhookReceived};
use messaging::{Broker, ConsumerOptions, Disposition, Dispositions, Handler, Received};
use service::config_watch::Watched;
use service::metrics::Counter;
use sqlx::PgPool;
use tokio::sync::{Notify, watch};
use tokio::task::JoinHandle;
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::apply::{Applied, Applier};
use super::reads;
use super::stripe::fold::Rules;
use crate::outbound::Target;

/// How often due events are looked for that no hint brought.
const POLL: Duration = Duration::from_millis(500);
/// How often parked events are looked at.
const PARKED_SWEEP: Duration = Duration::from_secs(60);
/// How often it is looked whether FlashERP's events may go on that wait for outbound, or for their record to be fetched.
const FLASHERP_SWEEP: Duration = Duration::from_secs(2);

/// How the inbound role works.
#[derive(Debug)]
pub struct InboundSettings {
    /// `SYNC_APPLY_BATCH`: events in one transaction at most.
    pub batch: i32,
    /// How Stripe's events are applied.
    pub rules: Rules,
    /// Stripe's API, if there is a key.
    pub stripe: Option<stripe::Client>,
}

/// The inbound role.
pub struct Inbound;

impl Inbound {
    /// Starts the role, which fetches from `target` what FlashERP's events left out, and from Stripe's API what Stripe's did; it stops taking when `stop` is cancelled. `stated` is rung when facts were stated. Returns what to wait for.
    pub fn start(
        pool: PgPool,
        broker: &Broker,
        settings: InboundSettings,
        target: watch::Receiver<Watched<Target>>,
        stated: Arc<Notify>,
        stop: CancellationToken,
    ) -> Vec<JoinHandle<()>> {
        let InboundSettings { batch, rules, stripe } = settings;
        let applier = Applier::new(pool.clone(), broker.hints().clone(), batch, rules);
        let hints = messaging::consumer::run(
            broker.clone(),
            messaging::topology::Durable::SyncWorkerInbound,
            ConsumerOptions::default(),
            Arc::new(ReceivedEvents { applier: applier.clone(), stated: Arc::clone(&stated) }),
            stop.clone(),
        );
        let reading = stripe
            .map(|stripe| tokio::spawn(reads::run(pool, stripe, applier.clone(), Arc::clone(&stated), stop.clone())));
        let mut running = vec![
            tokio::spawn(hints),
            tokio::spawn(apply_due(applier.clone(), Arc::clone(&stated), stop.clone())),
            tokio::spawn(sweep_parked(applier.clone(), Arc::clone(&stated), stop.clone())),
            tokio::spawn(go_on_with_flasherp(applier, target, stated, stop)),
        ];
        running.extend(reading);
        running
    }
}

struct ReceivedEvents {
    applier: Applier,
    stated: Arc<Notify>,
}

impl Handler for ReceivedEvents {
    type Message = Event<WebhookReceived>;

    async fn handle(&self, batch: Vec<Received<Self::Message>>) -> Dispositions {
        let ids: Vec<Uuid> = batch.into_iter().flat_map(|received| received.message.data.ids).map(Uuid::from).collect();
        let applied = self.applier.rows(&ids).await;
        note(&self.stated, "hint", &applied);
        // A hint that could not be followed is no loss: the timer finds its rows.
        Dispositions::all(Disposition::Ack)
    }
}

async fn apply_due(applier: Applier, stated: Arc<Notify>, stop: CancellationToken) {
    let mut ticks = tokio::time::interval(POLL);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            _ = ticks.tick() => {}
        }
        while !stop.is_cancelled() {
            let applied = applier.due().await;
            note(&stated, "timer", &applied);
            if !applied.is_ok_and(|applied| applied.events > 0) {
                break;
            }
        }
    }
}

async fn sweep_parked(applier: Applier, stated: Arc<Notify>, stop: CancellationToken) {
    let mut ticks = tokio::time::interval(PARKED_SWEEP);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            _ = ticks.tick() => {}
        }
        let applied = applier.sweep_parked().await;
        note(&stated, "sweep", &applied);
    }
}

async fn go_on_with_flasherp(
    applier: Applier,
    target: watch::Receiver<Watched<Target>>,
    stated: Arc<Notify>,
    stop: CancellationToken,
) {
    let mut ticks = tokio::time::interval(FLASHERP_SWEEP);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            _ = ticks.tick() => {}
        }
        note(&stated, "finished", &applier.sweep_finished().await);
        let target = target.borrow().present().cloned();
        if let Some(target) = target {
            note(&stated, "pull", &applier.pull(target.client()).await);
        }
    }
}

fn note(stated: &Notify, trigger: &'static str, applied: &anyhow::Result<Applied>) {
    match applied {
        Ok(applied) => {
            if applied.events > 0 {
                stated.notify_one();
            }
            Counter::EventsWoken.add(applied.woken as u64, &[]);
        }
        Err(error) => {
            Counter::DatabaseErrors.increment(&[("stage", "apply"), ("error_type", "unavailable")]);
            tracing::warn!(trigger, error = format!("{error:#}"), "events could not be applied now; they stay due");
        }
    }
}
