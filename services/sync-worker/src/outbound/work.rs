//! The role's machinery: who claims when, how much is in hand, and the way of a claimed batch to its finish.
//!
//! A hint brings ids and they are claimed at once; a timer claims what is left, so that a lost hint costs no more than its interval. What is in hand is
//! bounded by slots, taken before the claim, so that no lease runs while its record waits for a turn.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use domain::mapping::Fields;
use domain::retry::RetryPolicy;
use domain::state::Verdict;
use domain::{EntityType, ErrorCode, FlashErpId, Origin, Outcome, SourceSystem, SyncId, UserId};
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
use super::claim::{self, Claimed, Taken, Which};
use super::customers::{self, Customer, without_customer};
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
/// How long what could not be worked on is left alone.
const HAND_BACK_PAUSE: Duration = Duration::from_secs(2);

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
    /// For the timer, which takes whatever is due.
    slots: Arc<Semaphore>,
    /// Set apart for hints and wakes, so that what changes now does not wait behind a backlog.
    quick_slots: Arc<Semaphore>,
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
        let quick = quick_of(settings.in_hand);
        let outbound = Self {
            shared: Arc::new(Shared {
                pool,
                settings,
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
            tokio::spawn(outbound.clone().finish_in_hand()),
        ];
        (outbound, Running { tasks, finishing })
    }

    /// Whether anything may be claimed at all by this process.
    fn may_claim(&self) -> bool {
        !self.shared.settings.disabled_by_environment
            && !self.shared.stop.is_cancelled()
            && self.shared.target.borrow().present().is_some()
    }

    /// Claims with as many slots as there are and sends the batch on its way; says whether there may be more.
    async fn claim(&self, which: Which<'_>, slots: OwnedSemaphorePermit) -> Result<bool, sqlx::Error> {
        let Taken { claimed, requests } =
            claim::fold_and_claim(&self.shared.pool, which, self.shared.settings.lease).await?;
        let full = claimed.len() == slots.num_permits()
            || usize::try_from(requests).is_ok_and(|taken| taken >= slots.num_permits());
        if !claimed.is_empty() {
            let outbound = self.clone();
            self.shared.tasks.spawn(async move { outbound.process(claimed, slots).await });
        }
        Ok(full)
    }

    /// Slots for what a hint or a wake brought, `most` at most: of the common ones if there are enough, else from where there are more.
    fn free_slots(&self, most: usize) -> Option<OwnedSemaphorePermit> {
        let (common, quick) = (&self.shared.slots, &self.shared.quick_slots);
        let enough = common.available_permits() >= most.max(quick.available_permits());
        free_of(if enough { common } else { quick }, most).or_else(|| free_of(common, most))
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
        if !claim::something_is_due(&self.shared.pool).await? {
            return Ok(false);
        }
        // With few slots left, claims would be small and many: wait until a good part is free.
        let common = self.shared.settings.in_hand - self.quick();
        let worthwhile = common.div_ceil(4).min(CLAIM_LIMIT);
        let wanted = u32::try_from(worthwhile).unwrap_or(1);
        let Ok(mut slots) = Arc::clone(&self.shared.slots).acquire_many_owned(wanted).await else { return Ok(false) };
        if let Some(more) = free_of(&self.shared.slots, CLAIM_LIMIT - worthwhile) {
            slots.merge(more);
        }
        let limit = i64::try_from(slots.num_permits()).unwrap_or(1);
        self.claim(Which::Due(limit), slots).await
    }

    /// How many slots are set apart.
    fn quick(&self) -> usize {
        quick_of(self.shared.settings.in_hand)
    }

    /// A claimed batch: load, sort out what is not to be written, then each record by itself, its customer first.
    async fn process(self, claimed: Vec<Claimed>, mut slots: OwnedSemaphorePermit) {
        self.note_in_hand();
        let Some(target) = self.shared.target.borrow().present().cloned() else {
            return self.hand_back(claimed, "the configuration is gone").await;
        };
        let (mut loaded, needed) = match self.load(&target, &claimed).await {
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
            let in_scope = target.scope.holds(claimed.entity_type)
                || claimed.origin == Origin::Manual
                || needed.contains(&claimed.id.as_uuid());
            match loaded.remove(&(claimed.entity_type.as_str(), claimed.source_id)) {
                None => {
                    let error = AttemptError::new(ErrorCode::ResourceNotFound, "UpCoach has no such record any more");
                    self.end_later(&target, claimed, failed(error), slots.split(1));
                }
                Some(Err(reason)) => {
                    let error = AttemptError::new(
                        ErrorCode::ValidationError,
                        format!("UpCoach's record can't be read: {reason}"),
                    );
                    self.end_later(&target, claimed, failed(error), slots.split(1));
                }
                Some(Ok(_)) if !in_scope => {
                    let reason = format!("{} is out of the configured scope", claimed.entity_type);
                    self.end_later(&target, claimed, End::Skipped { reason }, slots.split(1));
                }
                Some(Ok(record)) => ready.push((claimed, record)),
            }
        }
        self.push_all(&target, ready, slots).await;
    }

    /// Pushes what can go now; the rest goes behind its customer.
    async fn push_all(&self, target: &Arc<Target>, records: Vec<(Claimed, Loaded)>, mut slots: OwnedSemaphorePermit) {
        let (mut behind, mut needed): (BTreeMap<UserId, Vec<Dependent>>, BTreeMap<UserId, Origin>) = Default::default();
        for (claimed, record) in records {
            let slot = slots.split(1);
            match record.depends_on() {
                None => self.push_later(target, claimed, record, None, slot),
                Some(user) => {
                    let origin = needed.entry(user).or_insert(claimed.origin);
                    *origin = Origin::stronger(*origin, claimed.origin);
                    behind.entry(user).or_default().push(Dependent { claimed, record, slot });
                }
            }
        }
        let behind = self.push_ready(target, behind).await;
        if behind.is_empty() {
            return;
        }
        needed.retain(|user, _| behind.contains_key(user));
        let mut claimed = match customers::claim_missing(&self.shared.pool, self.shared.settings.lease, &needed).await {
            Ok(claimed) => claimed,
            Err(error) => {
                tracing::warn!(
                    error = error.to_string(),
                    stage = "customers",
                    "customers could not be claimed; dependents are handed back"
                );
                HashMap::new()
            }
        };
        let mut elsewhere = BTreeMap::new();
        for (user, dependents) in behind {
            match claimed.remove(&user) {
                Some(customer) => {
                    let (outbound, target) = (self.clone(), Arc::clone(target));
                    self.shared.tasks.spawn(async move {
                        outbound.push_customer(&target, customer).await;
                        outbound.push_behind(&target, BTreeMap::from([(user, dependents)])).await;
                    });
                }
                None => {
                    elsewhere.insert(user, dependents);
                }
            }
        }
        self.push_behind(target, elsewhere).await;
    }

    /// Pushes a claimed customer and waits until that is finished.
    async fn push_customer(&self, target: &Target, claimed: Claimed) {
        let loaded = load::load(&self.shared.pool, EntityType::Customer, &[claimed.source_id]).await;
        let attempt = match loaded.map(|mut loaded| loaded.remove(&claimed.source_id)) {
            Ok(Some(Ok(user))) => self.push_one(target, claimed, &user, None).await,
            Ok(Some(Err(reason))) => {
                let error =
                    AttemptError::new(ErrorCode::ValidationError, format!("UpCoach's user can't be read: {reason}"));
                self.end(target, claimed, failed(error)).await
            }
            Ok(None) => {
                let error = AttemptError::new(ErrorCode::ResourceNotFound, "UpCoach has no such user any more");
                self.end(target, claimed, failed(error)).await
            }
            Err(error) => {
                tracing::warn!(
                    error = error.to_string(),
                    stage = "load",
                    "a customer could not be loaded; handed back"
                );
                Attempt::handed_back(claimed, OffsetDateTime::now_utc() + HAND_BACK_PAUSE, "it could not be loaded")
            }
        };
        self.shared.finisher.finish(attempt).await;
    }

    /// Pushes those whose customer is in FlashERP, and ends those whose customer will not come; returns the others.
    async fn push_ready(
        &self,
        target: &Arc<Target>,
        behind: BTreeMap<UserId, Vec<Dependent>>,
    ) -> BTreeMap<UserId, Vec<Dependent>> {
        if behind.is_empty() {
            return behind;
        }
        let users: Vec<Uuid> = behind.keys().map(|user| user.as_uuid()).collect();
        let states = match customers::states(&self.shared.pool, &users).await {
            Ok(states) => states,
            Err(error) => {
                tracing::warn!(error = error.to_string(), stage = "customers", "customers could not be looked up");
                return behind;
            }
        };
        let mut left = BTreeMap::new();
        for (user, dependents) in behind {
            match states.get(&user) {
                Some(Customer::Ready(id)) => {
                    for Dependent { claimed, record, slot } in dependents {
                        self.push_later(target, claimed, record, Some(id.clone()), slot);
                    }
                }
                Some(Customer::Ended { sync, why }) => {
                    for Dependent { claimed, slot, .. } in dependents {
                        self.end_later(target, claimed, without_customer(user, Some(*sync), why), slot);
                    }
                }
                Some(Customer::OnItsWay(_)) | None => {
                    left.insert(user, dependents);
                }
            }
        }
        left
    }

    /// Pushes dependents whose customer has arrived; the others wait for it without a lease.
    async fn push_behind(&self, target: &Arc<Target>, mut behind: BTreeMap<UserId, Vec<Dependent>>) {
        for _ in 0..CUSTOMER_ROUNDS {
            behind = self.push_ready(target, behind).await;
            if behind.is_empty() {
                return;
            }
            let pairs: Vec<(&Claimed, SyncId)> = behind
                .iter()
                .flat_map(|(user, dependents)| {
                    let customer = SyncId::of(SourceSystem::Upcoach, EntityType::Customer, user.as_uuid());
                    dependents.iter().map(move |dependent| (&dependent.claimed, customer))
                })
                .collect();
            let waiting = match waiting::wait(&self.shared.pool, &pairs).await {
                Ok(waiting) => waiting,
                Err(error) => {
                    tracing::warn!(error = error.to_string(), stage = "wait", "dependents could not be put to wait");
                    break;
                }
            };
            // Those left have a customer that changed meanwhile.
            for dependents in behind.values_mut() {
                dependents.retain(|dependent| !waiting.contains(&dependent.claimed.id));
            }
            behind.retain(|_, dependents| !dependents.is_empty());
        }
        let left: Vec<Claimed> = behind.into_values().flatten().map(|dependent| dependent.claimed).collect();
        self.hand_back(left, "its customer is not settled").await;
    }

    /// The records by type and id, and those customers among them that somebody waits for.
    async fn load(&self, target: &Target, claimed: &[Claimed]) -> Result<(Records, Vec<Uuid>), sqlx::Error> {
        let mut loaded = Records::new();
        for kind in EntityType::ALL {
            let ids: Vec<Uuid> = claimed
                .iter()
                .filter(|claimed| claimed.entity_type == *kind)
                .map(|claimed| claimed.source_id)
                .collect();
            if !ids.is_empty() {
                let records = load::load(&self.shared.pool, *kind, &ids).await?;
                loaded.extend(records.into_iter().map(|(id, record)| ((kind.as_str(), id), record)));
            }
        }
        let customers: Vec<Uuid> = claimed
            .iter()
            .filter(|claimed| claimed.entity_type == EntityType::Customer)
            .map(|claimed| claimed.id.as_uuid())
            .collect();
        let needed = if target.scope.holds(EntityType::Customer) || customers.is_empty() {
            Vec::new()
        } else {
            customers::waited_for(&self.shared.pool, &customers).await?
        };
        Ok((loaded, needed))
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

    fn end_later(&self, target: &Arc<Target>, claimed: Claimed, end: End, slot: Option<OwnedSemaphorePermit>) {
        let (outbound, target) = (self.clone(), Arc::clone(target));
        self.shared.tasks.spawn(async move {
            let attempt = outbound.end(&target, claimed, end).await;
            outbound.shared.finisher.finish(attempt).await;
            drop(slot);
        });
    }

    /// Ends a sync that is not to be written. What its last write came to is found out first, if that is unknown.
    async fn end(&self, target: &Target, claimed: Claimed, end: End) -> Attempt {
        if claimed.outcome == Outcome::Known {
            return Attempt::without_call(claimed, end);
        }
        Push::new(target, &self.shared.settings.policy, claimed, &Fields::new()).only_look_up(end).await
    }

    /// Maps and pushes one record.
    async fn push_one(
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
                self.end(target, claimed, failed(failure)).await
            }
            None => Attempt::handed_back(
                claimed,
                OffsetDateTime::now_utc() + HAND_BACK_PAUSE,
                "its customer is not settled",
            ),
        }
    }

    /// Puts claimed syncs back, to be claimed again a little later.
    async fn hand_back(&self, claimed: Vec<Claimed>, why: &str) {
        let not_before = OffsetDateTime::now_utc() + HAND_BACK_PAUSE;
        futures::future::join_all(
            claimed
                .into_iter()
                .map(|claimed| self.shared.finisher.finish(Attempt::handed_back(claimed, not_before, why))),
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
            outbound.note_in_hand();
            Ok(())
        })
        .await;
    }

    fn note_in_hand(&self) {
        let free = self.shared.slots.available_permits() + self.shared.quick_slots.available_permits();
        let in_hand = self.shared.settings.in_hand.saturating_sub(free);
        Gauge::SyncsInFlight.set(i64::try_from(in_hand).unwrap_or(i64::MAX), &[]);
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

/// A claimed record that needs its customer first, and the slot it holds.
struct Dependent {
    claimed: Claimed,
    record: Loaded,
    slot: Option<OwnedSemaphorePermit>,
}

/// Loaded records by type and id; one that can't be read says why.
type Records = HashMap<(&'static str, Uuid), Result<Loaded, String>>;

/// Of the slots, how many are set apart for hints and wakes.
fn quick_of(in_hand: usize) -> usize {
    in_hand.div_ceil(4).min(in_hand.saturating_sub(1))
}

/// Up to `most` free slots; none when there are none.
fn free_of(slots: &Arc<Semaphore>, most: usize) -> Option<OwnedSemaphorePermit> {
    let free = u32::try_from(slots.available_permits().min(most)).unwrap_or(u32::MAX);
    if free == 0 { None } else { Arc::clone(slots).try_acquire_many_owned(free).ok() }
}

/// Failed for good.
const fn failed(error: AttemptError) -> End {
    End::Failed { verdict: Verdict::Failed, error, because_of: None }
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
