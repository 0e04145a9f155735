//! How a call went, for whoever builds the client and passes an [`Observer`]: services pass [`CallMetrics`].

use std::time::Duration;

use domain::ErrorCode;
use events::{CircuitChanged, CircuitState};
use service::metrics::{Counter, Histogram};

use crate::call::Subject;

/// A finished call.
#[derive(Debug, Clone, Copy)]
pub struct Observation {
    /// What it was.
    pub subject: Subject,
    /// Tries made; 0 when it was not let in or the lease was too short.
    pub tries: u32,
    /// From the first try to the verdict, pauses between tries included, waiting for a turn not.
    pub duration: Duration,
    /// None when it succeeded.
    pub failure: Option<ErrorCode>,
    /// FlashERP's last status, if there was one.
    pub http_status: Option<u16>,
}

/// Told of every call's end.
pub trait Observer: Send + Sync {
    /// Takes note. Called on the caller's task: quick, and never blocking.
    fn observed(&self, observation: &Observation);
}

/// Counts and times every call, as all services do.
#[derive(Debug, Clone, Copy, Default)]
pub struct CallMetrics;

impl Observer for CallMetrics {
    fn observed(&self, observation: &Observation) {
        let operation = observation.subject.operation.as_str();
        let code = observation.failure.map_or("ok", ErrorCode::as_str);
        Counter::FlashErpCalls.increment(&[("operation", operation), ("code", code)]);
        Histogram::FlashErpCall.observe(observation.duration, &[("operation", operation)]);
        if observation.tries > 1 {
            Counter::FlashErpRetries.add(u64::from(observation.tries - 1), &[("operation", operation)]);
        }
    }
}

/// A call found FlashERP in trouble, or well again: what a service that is not the gate's owner does about it. The fact is in the outbox of schema `sync`,
/// whose owner states it.
pub fn circuit_changed(changed: &CircuitChanged) {
    tracing::warn!(state = ?changed.state, cause = ?changed.cause, failures = changed.failures, "the gate to FlashERP changed");
    let state = match changed.state {
        CircuitState::Closed => "closed",
        CircuitState::Open => "open",
        CircuitState::HalfOpen => "half_open",
    };
    Counter::CircuitChanged.increment(&[("state", state)]);
}
