//! Who claims when: a hint brings ids and they are claimed at once; a timer claims what is left, so that a lost hint costs no more than its
//! interval.
//!
//! Dying before a claim's commit leaves nothing; after it the leases run out.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use domain::{EntityType, SyncId};
use events::{Event, SyncRequested};
use messaging::{Disposition, Dispositions, Handler, Received};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio::time::MissedTickBehavior;
use uuid::Uuid;

use super::claim::{self, Taken, Which};
use super::role::Outbound;

/// How often requests without a hint are looked for (UpCoach's own changes never notify).
const POLL: Duration = Duration::from_millis(100);
/// Rows claimed at a time by the timer.
const CLAIM_LIMIT: usize = 250;

impl Outbound {
    /// Claims with as many slots as there are and sends the batch on its way; says whether there may be more.
    async fn claim(&self, which: Which<'_>, slots: OwnedSemaphorePermit) -> Result<bool, sqlx::Error> {
        let Taken { claimed, more } =
            claim::fold_and_claim(&self.shared.pool, which, self.shared.settings.lease).await?;
        if !claimed.is_empty() {
            let outbound = self.clone();
            self.shared.tasks.spawn(async move { outbound.process(claimed, slots).await });
        }
        Ok(more)
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
    pub(super) async fn claim_woken(self, mut waking: mpsc::UnboundedReceiver<Vec<SyncId>>) {
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
    pub(super) async fn claim_due(self) {
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
}

/// Up to `most` free slots; none when there are none.
fn free_of(slots: &Arc<Semaphore>, most: usize) -> Option<OwnedSemaphorePermit> {
    let free = u32::try_from(slots.available_permits().min(most)).unwrap_or(u32::MAX);
    if free == 0 { None } else { Arc::clone(slots).try_acquire_many_owned(free).ok() }
}

/// Hints that syncs were asked for.
pub(super) struct Requested(pub(super) Outbound);

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
