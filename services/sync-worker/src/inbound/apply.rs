//! One batch of events in one transaction: claim, read, change `upcoach`, settle, audit, state the facts, commit.
//!
//! Dies the process anywhere before the commit, nothing has happened and the row locks are gone; after it, everything has, and the
//! hints that were not sent cost the second until a timer finds the rows.

use std::time::Instant;

use domain::EntityType;
use messaging::Hints;
use service::metrics::{Counter, Histogram};
use sqlx::PgPool;
use uuid::Uuid;

use super::batch::{self, ClaimedEvent, Which};
use super::customers::Users;
use super::parking;
use super::payments::{Payer, Payers, Payments};
use super::reading::Reading;
use super::settlement::{self, Settlement};

/// How often a batch that ran into another worker's is done again before its events are applied singly.
const RACES: u32 = 3;
/// How often an event that fails by itself is tried before it waits for a replay.
const ATTEMPTS: i32 = 5;

/// Why a batch was rolled back.
#[derive(Debug, thiserror::Error)]
pub(super) enum ApplyError {
    /// Another worker made a row that this batch was about to make.
    #[error("another worker made the same row")]
    Raced,
    /// The database refused a statement, or could not be reached.
    #[error("the database: {0}")]
    Database(#[from] sqlx::Error),
}

impl ApplyError {
    /// Whether the database is away, or going down or coming up: the events have nothing to do with it, stay due and count no attempt. A
    /// lock, a deadlock or a time limit may be an event's own doing, again and again, and counts.
    fn is_outage(&self) -> bool {
        match self {
            Self::Raced => false,
            Self::Database(sqlx::Error::Database(error)) => error.code().is_some_and(|code| {
                let cancelled = code == "57014";
                !cancelled && (code == "25P03" || ["57", "08", "53"].iter().any(|class| code.starts_with(class)))
            }),
            Self::Database(
                sqlx::Error::ColumnDecode { .. }
                | sqlx::Error::Encode(_)
                | sqlx::Error::Decode(_)
                | sqlx::Error::TypeNotFound { .. },
            ) => false,
            Self::Database(_) => true,
        }
    }
}

/// What a round did.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Applied {
    /// Events claimed and settled.
    pub events: usize,
    /// Parked events that this round woke.
    pub woken: usize,
}

/// Applies events.
#[derive(Debug, Clone)]
pub struct Applier {
    pool: PgPool,
    hints: Hints,
    batch: i32,
}

/// What a committed batch leaves to be done.
#[derive(Default)]
struct Committed {
    events: usize,
    changed: Vec<(EntityType, Uuid)>,
    /// What was parked for, and what appeared.
    keys: Vec<String>,
    woken: Vec<Uuid>,
}

impl Applier {
    /// `batch`: how many events at most share a transaction.
    #[must_use]
    pub const fn new(pool: PgPool, hints: Hints, batch: i32) -> Self {
        Self { pool, hints, batch }
    }

    /// Applies exactly these rows, as far as they are due, and whatever they wake.
    ///
    /// # Errors
    /// The database can't be reached; the events stay due.
    pub async fn rows(&self, ids: &[Uuid]) -> anyhow::Result<Applied> {
        let mut total = Applied::default();
        let mut left: Vec<Vec<Uuid>> = ids.chunks(self.chunk()).map(<[Uuid]>::to_vec).collect();
        left.reverse();
        while let Some(chunk) = left.pop() {
            let committed = self.round(Which::Rows(&chunk)).await?;
            total.events += committed.events;
            total.woken += committed.woken.len();
            left.extend(committed.woken.chunks(self.chunk()).map(<[Uuid]>::to_vec));
        }
        Ok(total)
    }

    /// Applies one batch of whatever is due, and whatever it wakes.
    ///
    /// # Errors
    /// The database can't be reached; the events stay due.
    pub async fn due(&self) -> anyhow::Result<Applied> {
        let committed = self.round(Which::Due).await?;
        let woken = self.rows(&committed.woken).await?;
        Ok(Applied { events: committed.events + woken.events, woken: committed.woken.len() + woken.woken })
    }

    /// Looks at all that is parked: wakes and applies what a missed waking left behind.
    ///
    /// # Errors
    /// The database can't be reached.
    pub async fn sweep_parked(&self) -> anyhow::Result<Applied> {
        let woken = parking::sweep(&self.pool).await?;
        let applied = self.rows(&woken).await?;
        Ok(Applied { woken: woken.len() + applied.woken, ..applied })
    }

    fn chunk(&self) -> usize {
        usize::try_from(self.batch).unwrap_or(1).max(1)
    }

    /// One batch; after a failure its events singly, so that a poison one stops no other.
    async fn round(&self, which: Which<'_>) -> anyhow::Result<Committed> {
        let begun = Instant::now();
        let mut races = 0;
        let committed = loop {
            match self.transaction(which, self.batch).await {
                Ok(committed) => break committed,
                Err((ApplyError::Raced, _)) if races < RACES => races += 1,
                Err((error, ids)) if ids.is_empty() => return Err(error.into()),
                Err((error, ids)) => {
                    tracing::warn!(
                        error = error.to_string(),
                        events = ids.len(),
                        "a batch was rolled back; its events are applied singly"
                    );
                    break self.singly(&ids).await?;
                }
            }
        };
        if committed.events > 0 {
            Histogram::ApplyDuration.observe(begun.elapsed(), &[]);
        }
        Ok(committed)
    }

    async fn singly(&self, ids: &[Uuid]) -> anyhow::Result<Committed> {
        let mut all = Committed::default();
        for id in ids {
            let one = [*id];
            match self.transaction(Which::Rows(&one), 1).await {
                Ok(committed) => {
                    all.events += committed.events;
                    all.woken.extend(committed.woken);
                }
                Err((error, _)) if error.is_outage() => return Err(error.into()),
                Err((error, _)) => {
                    tracing::error!(webhook_event_id = %id, error = error.to_string(), "an event can't be applied");
                    all.events += self.give_up_for_now(*id, &error).await?;
                }
            }
        }
        Ok(all)
    }

    /// Settles an event that failed by itself: again later, or failed for good.
    async fn give_up_for_now(&self, id: Uuid, error: &ApplyError) -> anyhow::Result<usize> {
        let mut transaction = self.pool.begin().await?;
        let events = batch::claim(&mut transaction, Which::Rows(&[id]), 1).await?;
        let Some(event) = events.first() else { return Ok(0) };
        let settlement = if event.attempts + 1 < ATTEMPTS {
            Settlement::retried(2 << event.attempts.clamp(0, 8), error.to_string())
        } else {
            Settlement::failed(error.to_string())
        };
        let settled = [(event, settlement)];
        batch::finish(&mut transaction, &settled).await?;
        settlement::audit(&mut transaction, &settled).await?;
        settlement::state_facts(&mut transaction, &settled).await?;
        transaction.commit().await?;
        count(&settled);
        Ok(1)
    }

    /// On an error, the ids that were claimed come with it.
    async fn transaction(&self, which: Which<'_>, limit: i32) -> Result<Committed, (ApplyError, Vec<Uuid>)> {
        let mut claimed = Vec::new();
        let committed = match self.apply(which, limit, &mut claimed).await {
            Ok(committed) => committed,
            Err(error) => return Err((error, claimed.iter().map(|event| event.id).collect())),
        };
        self.after_commit(committed).await.map_err(|error| (error.into(), Vec::new()))
    }

    async fn apply(
        &self,
        which: Which<'_>,
        limit: i32,
        claimed: &mut Vec<ClaimedEvent>,
    ) -> Result<Committed, ApplyError> {
        let mut transaction = self.pool.begin().await?;
        *claimed = batch::claim(&mut transaction, which, limit).await?;
        if claimed.is_empty() {
            return Ok(Committed::default());
        }
        let readings: Vec<Reading> = claimed.iter().map(Reading::of).collect();
        let customers: Vec<_> = readings.iter().filter_map(Reading::as_customer).collect();
        let intents: Vec<_> = readings.iter().filter_map(Reading::as_payment).collect();

        // Users first, so that a payment finds the user that came in the same batch.
        let mut users = Users::load(&mut transaction, &customers).await?;
        let user_ids: Vec<Uuid> = customers.iter().map(|event| users.take(event)).collect();
        users.save(&mut transaction).await?;
        let payers = Payers::load(&mut transaction, &intents).await?;
        let mut payments = Payments::load(&mut transaction, &intents).await?;

        let mut user_ids = user_ids.into_iter();
        let settled: Vec<(&ClaimedEvent, Settlement)> = claimed
            .iter()
            .zip(readings.iter())
            .map(|(event, reading)| {
                let settlement = match reading {
                    Reading::Customer(_) => {
                        Settlement::applied(user_ids.next().map(|id| (EntityType::Customer, id)).into_iter().collect())
                    }
                    Reading::Payment(payment) => match payers.of(&payment.object) {
                        Payer::Known(user) => {
                            Settlement::applied(vec![(EntityType::Transaction, payments.take(payment, user))])
                        }
                        Payer::Missing { wait_key } => Settlement::parked(wait_key),
                    },
                    Reading::Ignored => Settlement::ignored(),
                    Reading::Quarantined { code, reason } => Settlement::quarantined(*code, reason.clone()),
                };
                (event, settlement)
            })
            .collect();
        payments.save(&mut transaction).await?;
        batch::finish(&mut transaction, &settled).await?;
        let woken = batch::wake(&mut transaction, users.appeared()).await?;
        settlement::audit(&mut transaction, &settled).await?;
        settlement::state_facts(&mut transaction, &settled).await?;
        service::failpoint!("inbound.before_commit");
        transaction.commit().await?;
        service::failpoint!("inbound.after_commit");

        count(&settled);
        let mut changed: Vec<_> =
            settled.iter().flat_map(|(_, settlement)| settlement.records.iter().copied()).collect();
        changed.sort_unstable_by_key(|(kind, id)| (kind.as_str(), *id));
        changed.dedup();
        Ok(Committed {
            events: settled.len(),
            changed,
            keys: settled
                .iter()
                .filter_map(|(_, settlement)| settlement.wait_key.clone())
                .chain(users.appeared().iter().cloned())
                .collect(),
            woken,
        })
    }

    /// Tells outbound what changed, and looks again at what was parked and what appeared: the parking and the appearing transaction
    /// don't see each other while both are open, but whichever commits last sees the other here.
    async fn after_commit(&self, mut committed: Committed) -> Result<Committed, sqlx::Error> {
        for kind in [EntityType::Customer, EntityType::Transaction] {
            let ids: Vec<Uuid> =
                committed.changed.iter().filter(|(changed, _)| *changed == kind).map(|(_, id)| *id).collect();
            if !ids.is_empty() {
                self.hints.publish(events::SyncRequested { entity_type: kind, ids });
            }
        }
        if !committed.keys.is_empty() {
            committed.woken.extend(parking::wake_known(&self.pool, &committed.keys).await?);
        }
        Ok(committed)
    }
}

impl Reading {
    const fn as_customer(&self) -> Option<&webhooks::stripe::Event<webhooks::stripe::Customer>> {
        match self {
            Self::Customer(event) => Some(event),
            _ => None,
        }
    }

    const fn as_payment(&self) -> Option<&webhooks::stripe::Event<webhooks::stripe::PaymentIntent>> {
        match self {
            Self::Payment(event) => Some(event),
            _ => None,
        }
    }
}

fn count(settled: &[(&ClaimedEvent, Settlement)]) {
    let now = time::OffsetDateTime::now_utc();
    for (event, settlement) in settled {
        let source = event.source.as_str();
        Counter::EventsApplied.increment(&[("source", source), ("status", settlement.status.as_str())]);
        if let Ok(latency) = std::time::Duration::try_from(now - event.received_at) {
            Histogram::ApplyLatency.observe(latency, &[("source", source)]);
        }
    }
}
