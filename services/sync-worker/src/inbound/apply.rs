//! One batch of events in one transaction: claim, read, change `upcoach`, settle, audit, state the facts, commit.
//!
//! Dies the process anywhere before the commit, nothing has happened and the row locks are gone; after it, everything has, and the
//! hints that were not sent cost the second until a timer finds the rows.

use std::sync::Arc;
use std::time::{Duration, Instant};

use ::flasherp::Client;
use domain::EntityType;
use domain::upcoach::UpcoachMode;
use messaging::Hints;
use service::metrics::{Counter, Histogram};
use sqlx::{PgConnection, PgPool};
use time::OffsetDateTime;
use uuid::Uuid;

use super::batch::{self, ClaimedEvent, Which};
use super::events::{EventStatus, Source};
use super::flasherp;
use super::parking;
use super::reading::Reading;
use super::reads;
use super::settlement::{self, Settlement};
use super::store::{self, Needs};
use super::stripe::fold::{Outcome, Rules, fold};

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

impl ApplyError {
    /// Whether a row stayed locked for longer than we may wait for it.
    fn is_lock_timeout(&self) -> bool {
        match self {
            Self::Database(sqlx::Error::Database(error)) => error.code().as_deref() == Some("55P03"),
            Self::Raced | Self::Database(_) => false,
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
    rules: Arc<Rules>,
}

/// What a committed batch leaves to be done.
#[derive(Default)]
struct Committed {
    events: usize,
    ends: Vec<End>,
    changed: Vec<(EntityType, Uuid)>,
    /// What was parked for, and what appeared.
    keys: Vec<String>,
    woken: Vec<Uuid>,
}

/// What the metrics are told of an event, once it is true.
struct End {
    source: Source,
    status: EventStatus,
    received_at: OffsetDateTime,
}

impl End {
    fn of(event: &ClaimedEvent, settlement: &Settlement) -> Self {
        Self { source: event.source, status: settlement.status, received_at: event.received_at }
    }
}

impl Applier {
    /// `batch`: how many events at most share a transaction.
    #[must_use]
    pub fn new(pool: PgPool, hints: Hints, batch: i32, rules: Rules) -> Self {
        Self { pool, hints, batch, rules: Arc::new(rules) }
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

    /// Looks at what waits for outbound's open attempts, and applies what these have left free.
    ///
    /// # Errors
    /// The database can't be reached.
    pub async fn sweep_finished(&self) -> anyhow::Result<Applied> {
        let woken = parking::wake_finished(&self.pool).await?;
        let applied = self.rows(&woken).await?;
        Ok(Applied { woken: woken.len() + applied.woken, ..applied })
    }

    /// Fetches the records that events were older than, and applies them as they are now.
    ///
    /// # Errors
    /// The database can't be reached. What FlashERP does not answer waits on.
    pub async fn pull(&self, client: &Client) -> anyhow::Result<Applied> {
        let pulled = flasherp::pull::pull(&self.pool, client).await?;
        self.rows(&pulled).await
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
        if settlement.status == EventStatus::Failed && error.is_lock_timeout() {
            let reading = Reading::of(event);
            if let Some(told) = reading.as_flasherp() {
                flasherp::locked::report(&mut transaction, told).await?;
            }
        }
        let settled = [(event, settlement)];
        batch::finish(&mut transaction, &settled).await?;
        settlement::audit(&mut transaction, &settled).await?;
        settlement::state_facts(&mut transaction, &settled).await?;
        transaction.commit().await?;
        count(&[End::of(event, &settled[0].1)]);
        Ok(1)
    }

    /// On an error, the ids that were claimed come with it.
    async fn transaction(&self, which: Which<'_>, limit: i32) -> Result<Committed, (ApplyError, Vec<Uuid>)> {
        let mut claimed = Vec::new();
        let mut transaction = self.pool.begin().await.map_err(|error| (error.into(), Vec::new()))?;
        let committed = match self.apply(&mut transaction, which, limit, &mut claimed).await {
            Ok(committed) => {
                let ended = transaction.commit().await;
                service::failpoint!("inbound.after_commit");
                ended.map(|()| committed).map_err(ApplyError::from)
            }
            Err(error) => {
                // Here and now: left to the pool, the rows would still be locked when they are next claimed, and be passed over. Where it
                // fails the connection is gone, and the locks with it.
                let _ = transaction.rollback().await;
                Err(error)
            }
        };
        let committed = committed.map_err(|error| (error, claimed.iter().map(|event| event.id).collect()))?;
        self.after_commit(committed).await.map_err(|error| (error.into(), Vec::new()))
    }

    /// Claims and applies, up to the commit.
    async fn apply(
        &self,
        transaction: &mut PgConnection,
        which: Which<'_>,
        limit: i32,
        claimed: &mut Vec<ClaimedEvent>,
    ) -> Result<Committed, ApplyError> {
        *claimed = batch::claim(transaction, which, limit).await?;
        if claimed.is_empty() {
            return Ok(Committed::default());
        }
        // A batch is of one sender: each locks its tables in an order of its own. The others stay due, and are claimed next.
        let source = claimed[0].source;
        claimed.retain(|event| event.source == source);
        let mode = self.rules.upcoach;
        if (mode, source) == (UpcoachMode::Views, Source::Flasherp) {
            // Whoever writes UpCoach's own rows holds them for one event at most.
            claimed.truncate(1);
        }
        let readings: Vec<Reading> = claimed.iter().map(Reading::of).collect();
        let (outcomes, appeared) = match source {
            Source::Stripe if mode == UpcoachMode::Views => {
                let events: Vec<_> = readings.iter().filter_map(Reading::as_stripe).collect();
                (store::ask(transaction, &events, &self.rules).await?, Vec::new())
            }
            Source::Stripe => self.fold_stripe(transaction, &readings).await?,
            Source::Flasherp => (fold_flasherp(transaction, &readings, mode).await?, Vec::new()),
        };
        let mut outcomes = outcomes.into_iter();
        let settled: Vec<(&ClaimedEvent, Settlement)> = claimed
            .iter()
            .zip(readings)
            .map(|(event, reading)| {
                let outcome = match reading {
                    Reading::Stripe(_) | Reading::Flasherp(_) => outcomes.next().unwrap_or(Outcome::Ignored),
                    Reading::Settled(outcome) => outcome,
                };
                (event, Settlement::of(outcome))
            })
            .collect();
        batch::finish(transaction, &settled).await?;
        let woken = batch::wake(transaction, &appeared).await?;
        settlement::audit(transaction, &settled).await?;
        settlement::state_facts(transaction, &settled).await?;
        service::failpoint!("inbound.before_commit");
        let mut changed: Vec<_> =
            settled.iter().flat_map(|(_, settlement)| settlement.records.iter().copied()).collect();
        changed.sort_unstable_by_key(|(kind, id)| (kind.as_str(), *id));
        changed.dedup();
        Ok(Committed {
            events: settled.len(),
            ends: settled.iter().map(|(event, settlement)| End::of(event, settlement)).collect(),
            changed,
            keys: settled
                .iter()
                .filter_map(|(_, settlement)| settlement.wait_keys.clone())
                .flat_map(|keys| [Some(keys.first), keys.other])
                .flatten()
                .chain(appeared)
                .collect(),
            woken,
        })
    }

    /// What becomes of the readable ones, and the wait keys of what appeared.
    async fn fold_stripe(
        &self,
        connection: &mut PgConnection,
        readings: &[Reading],
    ) -> Result<(Vec<Outcome>, Vec<String>), ApplyError> {
        let events: Vec<_> = readings.iter().filter_map(Reading::as_stripe).collect();
        let mut books = store::load(connection, &Needs::of(&events)).await?;
        let outcomes = fold(&mut books, &events, &self.rules);
        store::save(connection, &books).await?;
        if self.rules.asks_stripe {
            reads::ask(connection, &books.wants).await?;
        }
        Ok((outcomes, books.appeared().into_iter().collect()))
    }

    /// Tells outbound what changed, and looks again at what was parked and what appeared: the parking and the appearing transaction
    /// don't see each other while both are open, but whichever commits last sees the other here.
    async fn after_commit(&self, mut committed: Committed) -> Result<Committed, sqlx::Error> {
        count(&committed.ends);
        for kind in [EntityType::Customer, EntityType::Transaction, EntityType::Subscription, EntityType::Invoice] {
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

/// What becomes of the readable ones.
async fn fold_flasherp(
    connection: &mut PgConnection,
    readings: &[Reading],
    mode: UpcoachMode,
) -> Result<Vec<Outcome>, ApplyError> {
    let events: Vec<_> = readings.iter().filter_map(Reading::as_flasherp).collect();
    if events.is_empty() {
        return Ok(Vec::new());
    }
    let mut ledger = flasherp::store::load(connection, &events, mode).await?;
    let outcomes = flasherp::take::take_all(&mut ledger, &events);
    flasherp::store::save(connection, &ledger, mode).await?;
    Ok(outcomes)
}

fn count(ends: &[End]) {
    let now = OffsetDateTime::now_utc();
    for end in ends {
        let source = end.source.as_str();
        Counter::EventsApplied.increment(&[("source", source), ("status", end.status.as_str())]);
        if let Ok(latency) = Duration::try_from(now - end.received_at) {
            Histogram::ApplyLatency.observe(latency, &[("source", source)]);
        }
    }
}
