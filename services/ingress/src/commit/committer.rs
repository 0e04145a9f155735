//! The loop that stores what waits, and its way through failures: once more together, then singly.

use std::sync::Arc;
use std::time::{Duration, Instant};

use domain::EventRowId;
use events::WebhookSource;
use service::metrics::Histogram;
use sqlx::postgres::PgConnectOptions;

use super::batch::{Batch, Group};
use super::complaints::Complaints;
use super::connection::{Connection, Error};
use super::counts::Counts;
use super::event::{Event, NotStored, Stored};
use super::queue::Queue;
use super::statement;

/// Told the row ids of what was stored and waits to be applied, after the commit. Must not wait for anything.
pub(crate) type Announce = Arc<dyn Fn(WebhookSource, Vec<EventRowId>) + Send + Sync>;

/// From here on a batch's events are not tried any more: their senders give up after ten seconds, and others wait behind them.
const GIVE_UP: Duration = Duration::from_secs(8);

/// After an event that was there before, this many commits go without thinking that all are new.
const COMMITS_WITH_REPEATS: u8 = 32;

/// Stores what waits in one queue.
pub(super) struct Committer {
    queue: Arc<Queue>,
    connection: Connection,
    announce: Announce,
    /// For how many commits more events are expected to have been there before.
    repeats_expected: u8,
    complaints: Complaints,
}

/// Keeps a committer going for as long as the process does. One that panics is replaced: its batch is answered as not stored, the senders
/// come again.
pub(crate) async fn run(queue: Arc<Queue>, options: PgConnectOptions, announce: Announce) {
    loop {
        let committer = Committer::new(Arc::clone(&queue), options.clone(), Arc::clone(&announce));
        match tokio::spawn(committer.run()).await {
            Ok(()) => return,
            Err(error) => tracing::error!(error = error.to_string(), "a committer has panicked and is replaced"),
        }
    }
}

impl Committer {
    /// A committer with a connection of its own, to be made at the first event.
    #[must_use]
    pub(super) fn new(queue: Arc<Queue>, options: PgConnectOptions, announce: Announce) -> Self {
        Self {
            queue,
            connection: Connection::new(options),
            announce,
            repeats_expected: 0,
            complaints: Complaints::default(),
        }
    }

    async fn run(mut self) {
        loop {
            self.commit_what_waits().await;
        }
    }

    /// One commit; waits while there is nothing.
    pub(super) async fn commit_what_waits(&mut self) {
        let mut waiting = Vec::new();
        self.queue.take(&mut waiting).await;
        self.commit(Batch::sorted(waiting).groups()).await;
    }

    /// Stores a batch and answers each of its callers.
    async fn commit(&mut self, groups: Vec<Group>) {
        let begun = Instant::now();
        let mut outcome = self.store_first(&groups).await;
        if outcome.is_err() {
            // The same error may be another's the second time: a lock, a deadlock, a restart.
            outcome = self.store_again(&groups, "batch_again").await;
        }
        match outcome {
            Ok(duplicates) => {
                service::failpoint!("ingress.after_commit");
                self.answer(groups, &duplicates);
            }
            Err(error) if groups.len() > 1 && error.may_be_one_events_fault() => {
                self.commit_singly(groups, begun).await
            }
            Err(_) => groups.into_iter().for_each(refuse),
        }
        Histogram::CommitDuration.observe(begun.elapsed(), &[]);
    }

    async fn commit_singly(&mut self, groups: Vec<Group>, begun: Instant) {
        let mut out_of_order = false;
        for group in groups {
            if out_of_order || begun.elapsed() > GIVE_UP {
                refuse(group);
                continue;
            }
            let one = std::slice::from_ref(&group);
            match self.store_again(one, "single").await {
                Ok(duplicates) => self.answer(vec![group], &duplicates),
                Err(error) => {
                    // With the connection gone the rest would only wait for their turn to hear the same.
                    out_of_order = !error.may_be_one_events_fault();
                    refuse(group);
                }
            }
        }
    }

    /// The first try. Senders repeat themselves seldom, and then often, after an outage of ours: so all events are thought to be new until
    /// one was not.
    async fn store_first(&mut self, groups: &[Group]) -> Result<Vec<EventRowId>, Error> {
        service::failpoint!("ingress.before_commit");
        let events: Vec<&Event> = groups.iter().map(|group| &group.leader.event).collect();
        if self.repeats_expected == 0 && statement::insertable(&events) {
            let inserted = self.connection.run(async |connection| statement::insert(connection, &events).await).await;
            match inserted {
                Ok(true) => return Ok(Vec::new()),
                Ok(false) => self.repeats_expected = COMMITS_WITH_REPEATS,
                Err(error) => {
                    self.complaints.note(&error, "batch", groups.len());
                    return Err(error);
                }
            }
        }
        let duplicates = self.store(groups, "batch").await?;
        self.repeats_expected =
            if duplicates.is_empty() { self.repeats_expected.saturating_sub(1) } else { COMMITS_WITH_REPEATS };
        Ok(duplicates)
    }

    async fn store(&mut self, groups: &[Group], stage: &'static str) -> Result<Vec<EventRowId>, Error> {
        let events: Vec<&Event> = groups.iter().map(|group| &group.leader.event).collect();
        let outcome = self.connection.run(async |connection| statement::store(connection, &events).await).await;
        outcome.inspect_err(|error| self.complaints.note(error, stage, groups.len()))
    }

    /// As [`Self::store`], for events that an earlier try may have stored although it failed: its answer may have been lost after its
    /// commit. Those are no duplicates.
    async fn store_again(&mut self, groups: &[Group], stage: &'static str) -> Result<Vec<EventRowId>, Error> {
        let mut duplicates = self.store(groups, stage).await?;
        if !duplicates.is_empty() {
            let ours =
                self.connection.run(async |connection| statement::already_ours(connection, &duplicates).await).await?;
            duplicates.retain(|id| !ours.contains(id));
        }
        Ok(duplicates)
    }

    fn answer(&self, groups: Vec<Group>, duplicates: &[EventRowId]) {
        let mut counts = Counts::default();
        let mut announced: Vec<(WebhookSource, Vec<EventRowId>)> = Vec::new();
        for group in groups {
            let event = &group.leader.event;
            let duplicate = duplicates.contains(&event.id);
            if !duplicate && event.defect.is_none() {
                match announced.iter_mut().find(|(source, _)| *source == event.source) {
                    Some((_, ids)) => ids.push(event.id),
                    None => announced.push((event.source, vec![event.id])),
                }
            }
            counts.add(event, duplicate);
            for again in group.again {
                counts.add(&again.event, true);
                let _nobody_there = again.answer.send(Ok(Stored::Duplicate));
            }
            let _nobody_there = group.leader.answer.send(Ok(if duplicate { Stored::Duplicate } else { Stored::New }));
        }
        for (source, ids) in announced {
            (self.announce)(source, ids);
        }
        counts.publish();
    }
}

fn refuse(group: Group) {
    for waiting in std::iter::once(group.leader).chain(group.again) {
        let _nobody_there = waiting.answer.send(Err(NotStored::Failed));
    }
}
