//! Half-open: one worker holds the probe, a lease in the gate's row. It asks for FlashERP's health, then tries the due record that was tried longest
//! ago, never the last probe again while another is due. What comes of that opens the breaker again or closes it.
//!
//! Dies the worker, the lease runs out and another one probes; what it had claimed runs out like any other lease.

use std::sync::Arc;
use std::time::Duration;

use domain::RequestId;
use flasherp::Call;
use tokio::sync::Semaphore;
use tokio::time::MissedTickBehavior;
use uuid::Uuid;

use super::claim;
use super::role::Outbound;

/// How often it is looked whether a probe is due.
const LOOK: Duration = Duration::from_millis(250);
/// How long a try of the health check may take.
const HEALTH_TRY: Duration = Duration::from_secs(5);
/// Records that need no call (equal, out of scope, behind their customer) are passed over, so many at most: then FlashERP's health is answer enough.
const RECORDS: u32 = 20;

impl Outbound {
    /// Probes when it is time, until the stop.
    pub(super) async fn probe_when_due(self) {
        let mut ticks = tokio::time::interval(LOOK);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                () = self.shared.stop.cancelled() => return,
                _ = ticks.tick() => {}
            }
            if !self.may_claim() {
                continue;
            }
            if let Some(owner) = self.shared.gate.take_probe(self.shared.settings.lease).await {
                self.probe(owner).await;
            }
        }
    }

    async fn probe(&self, owner: Uuid) {
        let gate = &self.shared.gate;
        let Some(target) = self.shared.target.borrow().present().cloned() else {
            return gate.give_probe_back(owner).await;
        };
        let call = Call::new(RequestId(Uuid::new_v4())).within(HEALTH_TRY);
        if let Err(error) = target.client.health(&call).await {
            tracing::info!(code = error.code.as_str(), stage = "probe", "FlashERP's health check failed");
            // Told already where it says that FlashERP is in trouble or refuses our credentials; then this changes nothing.
            return gate.probe_failed(owner).await;
        }
        for _ in 0..RECORDS {
            if !self.may_claim() {
                return gate.give_probe_back(owner).await;
            }
            let claimed = match claim::claim_for_probe(&self.shared.pool, owner, self.shared.settings.lease).await {
                Ok(Some(claimed)) => claimed,
                Ok(None) => break,
                Err(error) => {
                    tracing::warn!(
                        error = error.to_string(),
                        stage = "probe",
                        "no record could be claimed to probe with"
                    );
                    return gate.give_probe_back(owner).await;
                }
            };
            gate.probe_with(owner, claimed.id).await;
            // A slot of its own: when it is free again the record is finished.
            let slot = Arc::new(Semaphore::new(1));
            let Ok(permit) = Arc::clone(&slot).acquire_owned().await else { return };
            self.clone().process(vec![claimed], permit).await;
            let _finished = slot.acquire().await;
            let probed = gate.probed();
            if probed.failed {
                return;
            }
            if probed.answered > 0 {
                break;
            }
        }
        gate.probe_succeeded(owner).await;
    }
}
