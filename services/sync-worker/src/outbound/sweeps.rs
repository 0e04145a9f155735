//! What happens by itself now and then: leases that ran out, dependents nobody woke, FlashERP's capabilities, gauges.

use std::time::Duration;

use service::metrics::Gauge;
use tokio::time::MissedTickBehavior;

use super::role::Outbound;
use super::{leases, waiting};

/// How often expired leases are looked for.
const LEASE_SWEEP: Duration = Duration::from_secs(1);
/// How often dependents are looked for that nobody woke, and FlashERP is asked what it can do.
const SLOW_SWEEP: Duration = Duration::from_secs(60);
/// How often gauges are set.
const GAUGES: Duration = Duration::from_secs(5);

impl Outbound {
    pub(super) async fn sweep_leases(self) {
        self.every(LEASE_SWEEP, "leases", async |outbound: &Self| {
            let freed = leases::expire(&outbound.shared.pool, outbound.shared.settings.policy.settle).await?;
            if freed > 0 {
                tracing::warn!(syncs = freed, "leases ran out; their records are looked up after the settle time");
            }
            Ok(())
        })
        .await;
    }

    pub(super) async fn sweep_waiting(self) {
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
    pub(super) async fn keep_capabilities(self) {
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

    pub(super) async fn keep_gauges(self) {
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

    pub(super) fn note_in_hand(&self) {
        let free = self.shared.slots.available_permits() + self.shared.quick_slots.available_permits();
        let in_hand = self.shared.settings.in_hand.saturating_sub(free);
        Gauge::SyncsInFlight.set(i64::try_from(in_hand).unwrap_or(i64::MAX), &[]);
    }

    pub(super) async fn every(
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
            // Nothing here has to be finished: a statement that is broken off changes nothing, and the next worker's sweep does it again.
            let done = tokio::select! {
                () = self.shared.stop.cancelled() => return,
                done = work(self) => done,
            };
            if let Err(error) = done {
                tracing::debug!(error = error.to_string(), stage, "could not be done now; trying again");
            }
        }
    }
}
