//! `circuit.changed`, made of the gate before and after.

use domain::gate::{Breaker, Cause, Gate};
use events::traffic::Party;
use events::{CircuitChanged, CircuitState, Event, EventType as _};
use uuid::Uuid;

/// A fact as the outbox holds it. It is the outbox of schema `sync`, whose owner states it, whoever caused it.
#[derive(Debug, Clone)]
pub(super) struct Fact {
    pub(super) subject: String,
    pub(super) event_id: Uuid,
    pub(super) body: Vec<u8>,
    /// The trace of the call that changed the gate.
    pub(super) traceparent: Option<String>,
}

impl Fact {
    pub(super) fn of(changed: &CircuitChanged, traceparent: Option<String>) -> Self {
        let event = Event::now(Party::SyncWorker, changed.clone());
        Self { subject: event.data.subject(), event_id: event.id, body: event.to_json(), traceparent }
    }
}

/// What is told of a change.
pub(super) fn changed(before: &Gate, after: &Gate, cause: Cause) -> CircuitChanged {
    let held = after.hold.filter(|_| cause == Cause::ToldToWait);
    CircuitChanged {
        state: state(after),
        previous_state: state(before),
        cause,
        paused: after.paused,
        stopped_reason: after.stop.map(|stop| stop.code),
        failures: after.failures(),
        error_code: held.map(|hold| hold.code).or_else(|| after.stop.map(|stop| stop.code)),
        retry_at: match &after.breaker {
            Breaker::Open { retry_at, .. } => Some(*retry_at),
            Breaker::Closed(_) | Breaker::HalfOpen { .. } => held.map(|hold| hold.until),
        },
        request_id: None,
    }
}

pub(super) const fn state(gate: &Gate) -> CircuitState {
    match gate.breaker {
        Breaker::Closed(_) => CircuitState::Closed,
        Breaker::Open { .. } => CircuitState::Open,
        Breaker::HalfOpen { .. } => CircuitState::HalfOpen,
    }
}
