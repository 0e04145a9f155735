//! The shared gate as the outbound role sees it: told of the configuration in force, shown in metrics, and, after an outage, gone through gently.

use std::sync::Arc;
use std::time::Duration;

use events::{CircuitChanged, CircuitState};
use flasherp::gate::Told;
use service::config_watch::Versioned as _;
use service::metrics::{Counter, Gauge};
use tokio::sync::Notify;
use tokio::time::MissedTickBehavior;

use super::role::Outbound;

/// How often the gate is looked at.
const LOOK: Duration = Duration::from_millis(500);

/// What is done with every change of the gate that this process makes: counted, logged, and its fact hurried.
pub(crate) fn tell_of_circuit(stated: Arc<Notify>) -> Told {
    Arc::new(move |changed: &CircuitChanged| {
        Counter::CircuitChanged.increment(&[("state", name(changed.state))]);
        tracing::warn!(
            state = name(changed.state),
            cause = ?changed.cause,
            stopped = changed.stopped_reason.map(domain::ErrorCode::as_str),
            failures = changed.failures,
            "the gate to FlashERP changed"
        );
        stated.notify_one();
        service::failpoint!("outbound.gate_changed");
    })
}

impl Outbound {
    /// Looks at the gate until the stop.
    pub(super) async fn keep_circuit(self) {
        let mut ticks = tokio::time::interval(LOOK);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let (mut before, mut version) = (None, None);
        loop {
            tokio::select! {
                () = self.shared.stop.cancelled() => return,
                _ = ticks.tick() => {}
            }
            let target = self.shared.target.borrow().present().cloned();
            if let Some(current) =
                target.as_ref().map(|target| target.version()).filter(|current| version != Some(*current))
            {
                self.shared.gate.configured(current).await;
                version = Some(current);
            }
            let Some(state) = self.shared.gate.circuit().await else { continue };
            Gauge::CircuitState.set(
                match state {
                    CircuitState::Closed => 0,
                    CircuitState::HalfOpen => 1,
                    CircuitState::Open => 2,
                },
                &[],
            );
            let Some(target) = target else { continue };
            if state == CircuitState::Closed && before.is_some_and(|before| before != CircuitState::Closed) {
                target.client.begin_gently();
                self.shared.poll_now.notify_one();
            }
            before = Some(state);
            let limit = target.client.limiter().limit();
            Gauge::CallLimit.set(i64::try_from(limit).unwrap_or(i64::MAX), &[]);
        }
    }
}

const fn name(state: CircuitState) -> &'static str {
    match state {
        CircuitState::Closed => "closed",
        CircuitState::Open => "open",
        CircuitState::HalfOpen => "half_open",
    }
}
