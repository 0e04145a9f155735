//! The role's machinery: who claims when, how much is in hand, and the way of a claimed batch to its finish.
//!
//! A hint brings ids and they are claimed at once; a timer claims what is left, so that a lost hint costs no more than its interval. What is in hand is
//! bounded by slots, taken before the claim, so that no lease runs while its record waits for a turn.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use domain::retry::RetryPolicy;
use domain::state::Verdict;
use domain::{EntityType, ErrorCode, FlashErpId, Origin, Outcome, SyncId, UserId};
use events::{Event, SyncRequested};
use messaging::{Broker, ConsumerOptions, Disposition, Dispositions, Handler, Received};
use service::config_watch::Watched;
use service::metrics::Gauge;
use sqlx::PgPool;
use time::OffsetDateTime;
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore, mpsc, watch};
use tokio::task::JoinHandle;
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use uuid::Uuid;

use super::attempt::{Attempt, AttemptError, End};
use super::claim::{self, Claimed, Which};
use super::customers::{Customer, without_customer};
use super::finish::Finisher;
use super::load::{self, Loaded};
use super::push::Push;
use super::target::Target;
use super::{leases, waiting};

/// How often requests without a hint are looked for (UpCoach's own changes never notify).
const POLL: Duration = Duration::from_millis(100);
/// How often expired leases are looked for.
const LEASE_SWEEP: Duration = Duration::from_secs(1);
/// How often dependents are looked for that nobody woke, and FlashERP is asked what it can do.
const SLOW_SWEEP: Duration = Duration::from_secs(60);
/// How often gauges are set.
const GAUGES: Duration = Duration::from_secs(5);
/// Rows claimed at a time by the timer.
const CLAIM_LIMIT: usize = 250;
/// How often a dependent whose customer changed under its hands is looked at again before it is put back.
const CUSTOMER_ROUNDS: u32 = 3;

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
    shared: Arc<Shared>,
}

struct Shared {
    pool: PgPool,
    settings: OutboundSettings,
    target: watch::Receiver<Watched<Target>>,
    finisher: Finisher,
    slots: Arc<Semaphore>,
    tasks: TaskTracker,
    stop: CancellationToken,
    poll_now: Notify,
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
        target: watch::Receiver<Watched<Target>>,
        stated: Arc<Notify>,
        stop: CancellationToken,
    ) -> (Self, Running) {
        let (woken, waking) = mpsc::unbounded_channel();
        let (finisher, finishing) = Finisher::start(pool.clone(), settings.policy.settle, woken, stated);
        let outbound = Self {
            shared: Arc::new(Shared {
                pool,
                settings,
                target,
                finisher,
                slots: Arc::new(Semaphore::new(settings.in_hand)),
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
            tokio::spawn(outbound.clone().finish_in_hand()),
        ];
        (outbound, Running { tasks, finishing })
    }

    pub(super) fn pool(&self) -> &PgPool {
        &self.shared.pool
    }

    pub(super) fn settings(&self) -> &OutboundSettings {
        &self.shared.settings
    }

    pub(super) fn finisher(&self) -> &Finisher {
        &self.shared.finisher
    }

    /// Whether anything may be claimed at all by this process.
    fn may_claim(&self) -> bool {
        !self.shared.settings.disabled_by_environment
            && !self.shared.stop.is_cancelled()
            && self.shared.target.borrow().present().is_some()
    }

    /// Claims with as many slots as there are and sends the batch on its way; returns how many were claimed.
    async fn claim(&self, which: Which<'_>, slots: OwnedSemaphorePermit) -> Result<usize, sqlx::Error> {
        let claimed = claim::fold_and_claim(&self.shared.pool, which, self.shared.settings.lease).await?;
        let count = claimed.len();
        if count > 0 {
            let outbound = self.clone();
            self.shared.tasks.spawn(async move { outbound.process(claimed, slots).await });
        }
        Ok(count)
    }

    /// Slots, `most` at most; none when all are taken.
    fn free_slots(&self, most: usize) -> Option<OwnedSemaphorePermit> {
        let free = self.shared.slots.available_permits().min(most);
        let free = u32::try_from(free).unwrap_or(u32::MAX);
        if free == 0 { None } else { Arc::clone(&self.shared.slots).try_acquire_many_owned(free).ok() }
    }

    /// Claims what a hint brought, as far as there are slots; the timer finds the rest.
    async fn claim_sources(&self, kind: EntityType, ids: &[Uuid]) {
        if !self.may_claim() {
            return;
        }
        let Some(slots) = self.free_slots(ids.len()) else { return self.shared.poll_now.notify_one() };
        let (now, later) = ids.split_at(slots.num_permits().min(ids.len()));
        if let Err(error) = self.claim(Which::Sources(kind, now), slots).await {
            tracing::warn!(
                error = error.to_string(),
                stage = "claim",
                "a hint's records could not be claimed; the timer will"
            );
        }
        if !later.is_empty() {
            self.shared.poll_now.notify_one();
        }
    }

    /// Claims rows that this worker's finishes have made due: dependents of a customer, and what changed under its hands.
    async fn claim_woken(self, mut waking: mpsc::UnboundedReceiver<Vec<SyncId>>) {
        loop {
            let ids = tokio::select! {
                () = self.shared.stop.cancelled() => return,
                ids = waking.recv() => match ids { Some(ids) => ids, None => return },
            };
            if !self.may_claim() {
                continue;
            }
            let Some(slots) = self.free_slots(ids.len()) else {
                self.shared.poll_now.notify_one();
                continue;
            };
            let (now, later) = ids.split_at(slots.num_permits().min(ids.len()));
            if let Err(error) = self.claim(Which::Rows(now), slots).await {
                tracing::warn!(
                    error = error.to_string(),
                    stage = "claim",
                    "woken rows could not be claimed; the timer will"
                );
            }
            if !later.is_empty() {
                self.shared.poll_now.notify_one();
            }
        }
    }

    /// The timer: claims whatever is due, again and again while there is more.
    async fn claim_due(self) {
        let mut ticks = tokio::time::interval(POLL);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut failing = false;
        loop {
            tokio::select! {
                () = self.shared.stop.cancelled() => return,
                _ = ticks.tick() => {}
                () = self.shared.poll_now.notified() => {}
            }
            while self.may_claim() {
                match self.claim_some_due().await {
                    Ok(more) => {
                        failing = false;
                        if !more {
                            break;
                        }
                    }
                    Err(error) => {
                        if !failing {
                            tracing::warn!(
                                error = error.to_string(),
                                stage = "claim",
                                "due rows could not be claimed; trying again"
                            );
                        }
                        failing = true;
                        break;
                    }
                }
            }
        }
    }

    /// One claim by timer; says whether there may be more.
    async fn claim_some_due(&self) -> Result<bool, sqlx::Error> {
        if !self.something_is_due().await? {
            return Ok(false);
        }
        // With few slots left, claims would be small and many: wait until a good part is free.
        let worthwhile = self.shared.settings.in_hand.div_ceil(4).min(CLAIM_LIMIT);
        let Ok(wanted) =
            Arc::clone(&self.shared.slots).acquire_many_owned(u32::try_from(worthwhile).unwrap_or(1)).await
        else {
            return Ok(false);
        };
        let mut slots = wanted;
        if let Some(more) = self.free_slots(CLAIM_LIMIT - worthwhile) {
            slots.merge(more);
        }
        let limit = slots.num_permits();
        let claimed = self.claim(Which::Due(i64::try_from(limit).unwrap_or(1)), slots).await?;
        Ok(claimed == limit)
    }

    async fn something_is_due(&self) -> Result<bool, sqlx::Error> {
        sqlx::query_scalar(
            "SELECT EXISTS (SELECT FROM sync.requests)
                OR EXISTS (SELECT FROM sync.erp_syncs s, sync.outbound_conditions c
                    WHERE s.due_at <= clock_timestamp() AND c.enabled AND c.gate_open
                        AND (c.auto_sync OR s.origin IN ('manual', 'heal')))",
        )
        .fetch_one(&self.shared.pool)
        .await
    }

    /// A claimed batch: load, map, customers first, then each record by itself.
    async fn process(self, claimed: Vec<Claimed>, mut slots: OwnedSemaphorePermit) {
        Gauge::SyncsInFlight.set(i64::try_from(self.in_hand()).unwrap_or(i64::MAX), &[]);
        let Some(target) = self.shared.target.borrow().present().cloned() else {
            return self.hand_back(claimed, "the configuration is gone").await;
        };
        let mut loaded = match self.load(&claimed).await {
            Ok(loaded) => loaded,
            Err(error) => {
                tracing::warn!(
                    error = error.to_string(),
                    stage = "load",
                    "claimed records could not be loaded; handed back"
                );
                return self.hand_back(claimed, "its record could not be loaded").await;
            }
        };
        let mut ready = Vec::new();
        for claimed in claimed {
            match loaded.remove(&claimed.source_id) {
                None => {
                    let error = AttemptError::new(ErrorCode::ResourceNotFound, "UpCoach has no such record any more");
                    self.finish_later(Attempt::failed(claimed, error), slots.split(1));
                }
                // What is unknown is settled first, in scope or not.
                Some(_)
                    if !target.scope.holds(claimed.entity_type)
                        && claimed.origin != Origin::Manual
                        && claimed.outcome == Outcome::Known =>
                {
                    let reason = format!("{} is out of the configured scope", claimed.entity_type);
                    self.finish_later(Attempt::without_call(claimed, End::Skipped { reason }), slots.split(1));
                }
                Some(record) => ready.push((claimed, record)),
            }
        }
        self.push_all(&target, ready, slots).await;
    }

    /// Pushes records as soon as their customers are there.
    async fn push_all(&self, target: &Arc<Target>, mut left: Vec<(Claimed, Loaded)>, mut slots: OwnedSemaphorePermit) {
        for _ in 0..CUSTOMER_ROUNDS {
            let customers = match self.customers_of(target, &left).await {
                Ok(customers) => customers,
                Err(error) => {
                    tracing::warn!(
                        error = error.to_string(),
                        stage = "customers",
                        "customers could not be looked up; handed back"
                    );
                    break;
                }
            };
            let mut waiting = Vec::new();
            for (claimed, record) in left {
                let user = record.depends_on();
                match user.map(|user| (user, customers.get(&user))) {
                    None => self.push_later(target, claimed, record, None, slots.split(1)),
                    Some((_, Some(Customer::Ready(id)))) => {
                        self.push_later(target, claimed, record, Some(id.clone()), slots.split(1));
                    }
                    Some((user, Some(Customer::Ended { sync, why }))) => {
                        self.finish_later(without_customer(claimed, user, Some(*sync), why), slots.split(1));
                    }
                    Some((_, Some(Customer::OnItsWay(sync)))) => waiting.push((claimed, record, *sync)),
                    Some((user, None)) => {
                        self.finish_later(
                            without_customer(claimed, user, None, "UpCoach has no such user"),
                            slots.split(1),
                        );
                    }
                }
            }
            if waiting.is_empty() {
                return;
            }
            let pairs: Vec<(&Claimed, SyncId)> = waiting.iter().map(|(claimed, _, sync)| (claimed, *sync)).collect();
            let put_to_wait = match waiting::wait(&self.shared.pool, &pairs).await {
                Ok(put_to_wait) => put_to_wait,
                Err(error) => {
                    tracing::warn!(
                        error = error.to_string(),
                        stage = "wait",
                        "dependents could not be put to wait; handed back"
                    );
                    Vec::new()
                }
            };
            // Those left have a customer that changed meanwhile.
            left = waiting
                .into_iter()
                .filter(|(claimed, ..)| !put_to_wait.contains(&claimed.id))
                .map(|(claimed, record, _)| (claimed, record))
                .collect();
            if left.is_empty() {
                return;
            }
        }
        self.hand_back(left.into_iter().map(|(claimed, _)| claimed).collect(), "its customer is not settled").await;
    }

    async fn customers_of(
        &self,
        target: &Target,
        records: &[(Claimed, Loaded)],
    ) -> Result<HashMap<UserId, Customer>, sqlx::Error> {
        let mut needed: BTreeMap<UserId, Origin> = BTreeMap::new();
        for (claimed, record) in records {
            if let Some(user) = record.depends_on() {
                let origin = needed.entry(user).or_insert(claimed.origin);
                *origin = Origin::stronger(*origin, claimed.origin);
            }
        }
        if needed.is_empty() { Ok(HashMap::new()) } else { self.provide_customers(target, &needed).await }
    }

    async fn load(&self, claimed: &[Claimed]) -> Result<HashMap<Uuid, Loaded>, sqlx::Error> {
        let mut loaded = HashMap::new();
        for kind in EntityType::ALL {
            let ids: Vec<Uuid> = claimed
                .iter()
                .filter(|claimed| claimed.entity_type == *kind)
                .map(|claimed| claimed.source_id)
                .collect();
            if !ids.is_empty() {
                loaded.extend(load::load(&self.shared.pool, *kind, &ids).await?);
            }
        }
        Ok(loaded)
    }

    fn push_later(
        &self,
        target: &Arc<Target>,
        claimed: Claimed,
        record: Loaded,
        customer: Option<FlashErpId>,
        slot: Option<OwnedSemaphorePermit>,
    ) {
        let (outbound, target) = (self.clone(), Arc::clone(target));
        self.shared.tasks.spawn(async move {
            let attempt = outbound.push_one(&target, claimed, &record, customer.as_ref()).await;
            outbound.shared.finisher.finish(attempt).await;
            drop(slot);
        });
    }

    fn finish_later(&self, attempt: Attempt, slot: Option<OwnedSemaphorePermit>) {
        let finisher = self.shared.finisher.clone();
        self.shared.tasks.spawn(async move {
            finisher.finish(attempt).await;
            drop(slot);
        });
    }

    /// Maps and pushes one record.
    pub(super) async fn push_one(
        &self,
        target: &Target,
        claimed: Claimed,
        record: &Loaded,
        customer: Option<&FlashErpId>,
    ) -> Attempt {
        if self.shared.stop.is_cancelled() {
            return Attempt::handed_back(claimed, OffsetDateTime::now_utc(), "the worker is stopping");
        }
        match record.map(customer) {
            Some(Ok(wanted)) => {
                Push::new(target, &self.shared.settings.policy, claimed, &wanted).run(record.born()).await
            }
            Some(Err(error)) => {
                let mut failure = AttemptError::new(error.code, error.to_string());
                failure.details = vec![flasherp::FieldIssue { field: error.field.to_string(), issue: error.message }];
                Attempt::without_call(
                    claimed,
                    End::Failed { verdict: Verdict::Failed, error: failure, because_of: None },
                )
            }
            None => Attempt::handed_back(claimed, OffsetDateTime::now_utc(), "its customer is not settled"),
        }
    }

    async fn hand_back(&self, claimed: Vec<Claimed>, why: &str) {
        let now = OffsetDateTime::now_utc();
        futures::future::join_all(
            claimed.into_iter().map(|claimed| self.shared.finisher.finish(Attempt::handed_back(claimed, now, why))),
        )
        .await;
    }

    async fn sweep_leases(self) {
        self.every(LEASE_SWEEP, "leases", async |outbound: &Self| {
            let freed = leases::expire(&outbound.shared.pool, outbound.shared.settings.policy.settle).await?;
            if freed > 0 {
                tracing::warn!(syncs = freed, "leases ran out; their records are looked up after the settle time");
            }
            Ok(())
        })
        .await;
    }

    async fn sweep_waiting(self) {
        self.every(SLOW_SWEEP, "waiting", async |outbound: &Self| {
            let woken = waiting::sweep(&outbound.shared.pool).await?;
            if woken > 0 {
                tracing::info!(syncs = woken, "dependents were woken by the sweep");
            }
            Ok(())
        })
        .await;
    }

    /// Asks FlashERP what it can do: when the configuration changes, and now and then.
    async fn keep_capabilities(self) {
        let mut target = self.shared.target.clone();
        loop {
            let current = target.borrow_and_update().present().cloned();
            if let Some(current) = current {
                tokio::select! {
                    () = self.shared.stop.cancelled() => return,
                    () = current.refresh_capabilities() => {}
                }
            }
            tokio::select! {
                () = self.shared.stop.cancelled() => return,
                changed = target.changed() => if changed.is_err() { return },
                () = tokio::time::sleep(SLOW_SWEEP) => {}
            }
        }
    }

    async fn keep_gauges(self) {
        self.every(GAUGES, "gauges", async |outbound: &Self| {
            let (ready, retrying): (i64, i64) = sqlx::query_as(
                "SELECT count(*) FILTER (WHERE s.due_at <= clock_timestamp() AND c.enabled AND c.gate_open
                        AND (c.auto_sync OR s.origin IN ('manual', 'heal'))),
                    count(*) FILTER (WHERE s.sync_status = 'failed')
                 FROM sync.erp_syncs s, sync.outbound_conditions c WHERE s.due_at IS NOT NULL",
            )
            .fetch_one(&outbound.shared.pool)
            .await?;
            Gauge::SyncReady.set(ready, &[]);
            Gauge::RetryQueue.set(retrying, &[]);
            Gauge::SyncsInFlight.set(i64::try_from(outbound.in_hand()).unwrap_or(i64::MAX), &[]);
            Ok(())
        })
        .await;
    }

    fn in_hand(&self) -> usize {
        self.shared.settings.in_hand - self.shared.slots.available_permits()
    }

    async fn every(
        &self,
        interval: Duration,
        stage: &'static str,
        work: impl AsyncFn(&Self) -> Result<(), sqlx::Error>,
    ) {
        let mut ticks = tokio::time::interval(interval);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                () = self.shared.stop.cancelled() => return,
                _ = ticks.tick() => {}
            }
            if let Err(error) = work(self).await {
                tracing::debug!(error = error.to_string(), stage, "could not be done now; trying again");
            }
        }
    }

    /// After the stop: waits for what is in hand.
    async fn finish_in_hand(self) {
        self.shared.stop.cancelled().await;
        self.shared.tasks.close();
        self.shared.tasks.wait().await;
    }
}

/// Hints that syncs were asked for.
struct Requested(Outbound);

impl Handler for Requested {
    type Message = Event<SyncRequested>;

    async fn handle(&self, batch: Vec<Received<Self::Message>>) -> Dispositions {
        let mut by_kind: BTreeMap<&'static str, (EntityType, Vec<Uuid>)> = BTreeMap::new();
        for received in batch {
            let SyncRequested { entity_type, ids } = received.message.data;
            by_kind.entry(entity_type.as_str()).or_insert_with(|| (entity_type, Vec::new())).1.extend(ids);
        }
        for (kind, mut ids) in by_kind.into_values() {
            ids.sort_unstable();
            ids.dedup();
            self.0.claim_sources(kind, &ids).await;
        }
        // A hint that could not be followed is no loss: the timer finds its rows.
        Dispositions::all(Disposition::Ack)
    }
}
