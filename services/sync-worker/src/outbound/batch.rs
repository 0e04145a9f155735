//! The way of a claimed batch to its finish: loaded together, sorted into what is not to be written and what is, then each record by itself, its
//! customer first.
//!
//! A record holds its slot until its attempt is handed to the finisher. Dying anywhere here leaves leases that run out, and rows that are looked up.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use domain::mapping::{Field, Fields};
use domain::state::Verdict;
use domain::{EntityType, ErrorCode, FlashErpId, Origin, Outcome, SourceSystem, SyncId, UserId};
use syncs::SourceRecord;
use time::OffsetDateTime;
use tokio::sync::OwnedSemaphorePermit;
use uuid::Uuid;

use super::attempt::{Attempt, AttemptError, End};
use super::claim::{self, Claimed};
use super::customers::{self, Customer, without_customer};
use super::push::Push;
use super::role::Outbound;
use super::target::Target;
use super::waiting;

/// How often a dependent whose customer changed under its hands is looked at again before it is put back.
const CUSTOMER_ROUNDS: u32 = 3;
/// How long what could not be worked on is left alone.
const HAND_BACK_PAUSE: Duration = Duration::from_secs(2);

/// A claimed record that needs its customer first, and the slot it holds.
struct Dependent {
    claimed: Claimed,
    record: SourceRecord,
    slot: Option<OwnedSemaphorePermit>,
}

/// SourceRecord records by type and id; one that can't be read says why.
type Records = HashMap<(&'static str, Uuid), Result<SourceRecord, String>>;

impl Outbound {
    /// A claimed batch: load, sort out what is not to be written, then each record by itself, its customer first.
    pub(super) async fn process(self, claimed: Vec<Claimed>, mut slots: OwnedSemaphorePermit) {
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
    async fn push_all(
        &self,
        target: &Arc<Target>,
        records: Vec<(Claimed, SourceRecord)>,
        mut slots: OwnedSemaphorePermit,
    ) {
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
    pub(super) async fn push_customer(&self, target: &Target, claimed: Claimed) {
        let loaded = syncs::load(&self.shared.pool, EntityType::Customer, &[claimed.source_id]).await;
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
                let records = syncs::load(&self.shared.pool, *kind, &ids).await?;
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
        record: SourceRecord,
        customer: Option<FlashErpId>,
        slot: Option<OwnedSemaphorePermit>,
    ) {
        let (outbound, target) = (self.clone(), Arc::clone(target));
        self.shared.tasks.spawn(async move {
            let attempt = outbound.push_one(&target, claimed, &record, customer.as_ref()).await;
            let attempt = outbound.with_customer_checked(&target, attempt, &record).await;
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
        record: &SourceRecord,
        customer: Option<&FlashErpId>,
    ) -> Attempt {
        if self.shared.stop.is_cancelled() {
            return Attempt::handed_back(claimed, OffsetDateTime::now_utc(), "the worker is stopping");
        }
        match record.map(customer) {
            Some(Ok(wanted)) => {
                let open = match self.changed_by_nobody_else(&claimed, record).await {
                    Ok(open) => open,
                    Err(error) => {
                        tracing::warn!(error = error.to_string(), stage = "load", "an unknown sync is handed back");
                        let not_before = OffsetDateTime::now_utc() + HAND_BACK_PAUSE;
                        return Attempt::handed_back(claimed, not_before, "what it wanted before can't be read");
                    }
                };
                let push = Push::new(target, &self.shared.settings.policy, claimed, &wanted).open_to(open);
                push.told_by(record.bears_our_reference()).run(record.born()).await
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

    /// The fields that nobody but a person in FlashERP can have changed while the outcome was unknown. It asks for each such record by itself: they
    /// are few, and each is looked up in FlashERP anyway.
    async fn changed_by_nobody_else(
        &self,
        claimed: &Claimed,
        record: &SourceRecord,
    ) -> Result<&'static [Field], sqlx::Error> {
        let open = record.open();
        let may_differ = claimed.outcome == Outcome::Unknown && claimed.target_id.is_some() && !open.is_empty();
        Ok(if may_differ && claim::is_undisturbed(&self.shared.pool, claimed.id).await? { open } else { &[] })
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
}

/// Failed for good.
const fn failed(error: AttemptError) -> End {
    End::Failed { verdict: Verdict::Failed, error, because_of: None }
}
