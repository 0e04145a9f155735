//! Takes runs up, one at a time, holds their leases, and carries them through.
//!
//! Runs are found by a timer; a hint only hurries. What a run could not write it leaves to whoever takes it up next, this process or another.

use std::sync::Arc;
use std::time::{Duration, Instant};

use domain::EntityType;
use messaging::Hints;
use service::metrics::{Counter, Histogram};
use sqlx::PgPool;
use syncs::target::Targets;
use tokio::sync::Notify;
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;

use crate::config::RunSettings;
use crate::run::{self, Run, StepError};
use crate::{basis, compare, finish, reading, slices, verify};

/// How often it is looked for runs.
const LOOK: Duration = Duration::from_secs(1);
/// Renewals within one lease.
const RENEWALS: u32 = 4;

/// What runs are carried out with.
pub(crate) struct Runner {
    pub(crate) pool: PgPool,
    pub(crate) hints: Hints,
    pub(crate) targets: Targets,
    pub(crate) settings: RunSettings,
    /// Rung when a run was asked for.
    pub(crate) requested: Arc<Notify>,
    /// Rung when a fact was stated.
    pub(crate) stated: Arc<Notify>,
    pub(crate) stop: CancellationToken,
}

impl Runner {
    /// Looks for runs until it is told to stop; one in hand is given back then.
    pub(crate) async fn run(self) {
        let mut ticks = tokio::time::interval(LOOK);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                () = self.stop.cancelled() => return,
                _ = ticks.tick() => {}
                () = self.requested.notified() => {}
            }
            while !self.stop.is_cancelled() {
                match run::take(&self.pool, self.settings.lease).await {
                    Ok(Some(run)) => Box::pin(self.carry_through(run)).await,
                    Ok(None) => break,
                    Err(error) => {
                        Counter::DatabaseErrors
                            .increment(&[("stage", "reconciliation"), ("error_type", "unavailable")]);
                        tracing::warn!(error = error.to_string(), "runs can't be looked for; they stay where they are");
                        break;
                    }
                }
            }
        }
    }

    async fn carry_through(&self, run: Run) {
        tracing::info!(run_id = %run.id, from = %run.from, to = %run.to, compared = run.is_compared, "a reconciliation is taken up");
        let in_hand = run.clone();
        let carried = tokio::select! {
            biased;
            carried = self.work(run) => carried,
            () = self.keep_lease(&in_hand) => Err(StepError::Lost),
            () = self.stop.cancelled() => {
                give_back(&in_hand).await;
                return;
            }
        };
        match carried {
            Ok(()) => {}
            Err(StepError::Lost) => {
                tracing::warn!(run_id = %in_hand.id, "the lease of a reconciliation is over; another reconciler has it");
            }
            Err(error) => {
                if let Some(refusal) = error.refusal()
                    && finish::failed(self, &in_hand, &refusal).await.is_ok()
                {
                    // Taken up again it would come to the same, and keep all others waiting.
                    return;
                }
                let cause = std::error::Error::source(&error).map(ToString::to_string);
                tracing::warn!(run_id = %in_hand.id, error = error.to_string(), cause, "a reconciliation can't go on now; it is taken up again");
                give_back(&in_hand).await;
                // Whatever it was is not over in the next moment.
                let _stopped = self.stop.run_until_cancelled(tokio::time::sleep(LOOK)).await;
            }
        }
    }

    async fn work(&self, mut run: Run) -> Result<(), StepError> {
        let target = match self.targets.in_use().await {
            Ok(target) => target,
            Err(why) => return finish::failed(self, &run, &why.to_string()).await,
        };
        let types: Vec<EntityType> = syncs::adopt::TYPES
            .into_iter()
            .filter(|kind| {
                // None named are all.
                (run.types.is_empty() || run.types.contains(kind)) && target.scope.holds(*kind)
            })
            .collect();
        if types.is_empty() {
            return finish::failed(self, &run, "none of these types is kept in step").await;
        }
        basis::settle(&mut run, &target, &types).await?;
        if !run.is_compared {
            let begun = Instant::now();
            let standing = slices::of(&mut run, &types).await?;
            reading::read(&run, &target, self.settings, standing.to_be_read).await?;
            let standing = slices::standing(&run).await?;
            if standing.done + standing.failed.len() == 0 {
                // The database has lost them in a crash meanwhile.
                return Err(StepError::Database(sqlx::Error::WorkerCrashed));
            }
            Histogram::ReconciliationDuration.observe(begun.elapsed(), &[("stage", "read")]);
            let slices = standing.done + standing.failed.len();
            let unread = (!standing.failed.is_empty()).then(|| standing.failed.join("; "));
            if let (Some(why), 0) = (&unread, standing.done) {
                return finish::failed(self, &run, why).await;
            }
            let begun = Instant::now();
            run.unread = unread;
            compare::compare(&mut run, &types, slices).await?;
            service::failpoint!("reconciler.compared");
            let took = begun.elapsed();
            tracing::info!(run_id = %run.id, duration_ms = u64::try_from(took.as_millis()).unwrap_or(u64::MAX), "both sides are compared");
            Histogram::ReconciliationDuration.observe(took, &[("stage", "compare")]);
        }
        let begun = Instant::now();
        verify::verify(&mut run, &target, self.settings).await?;
        Histogram::ReconciliationDuration.observe(begun.elapsed(), &[("stage", "verify")]);
        service::failpoint!("reconciler.before_finish");
        finish::ended(self, &run).await?;
        service::failpoint!("reconciler.after_finish");
        Ok(())
    }

    /// Returns when the run is another's, or the lease may be over.
    async fn keep_lease(&self, run: &Run) {
        let lease = self.settings.lease;
        let mut held_until = Instant::now() + lease;
        loop {
            tokio::time::sleep(lease / RENEWALS).await;
            let asked = Instant::now();
            match run.renew(lease).await {
                Ok(()) => held_until = asked + lease,
                Err(StepError::Lost) => return,
                Err(error) => {
                    tracing::warn!(run_id = %run.id, error = error.to_string(), "a lease can't be renewed now");
                    if Instant::now() >= held_until {
                        return;
                    }
                }
            }
        }
    }
}

async fn give_back(run: &Run) {
    if let Err(error) = run.give_back().await {
        tracing::warn!(run_id = %run.id, error = error.to_string(), "a reconciliation can't be given back; its lease ends");
    }
}
