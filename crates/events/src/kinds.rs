//! The enums that several events share and the domain has no word for.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Who sends webhooks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum WebhookSource {
    /// Stripe.
    Stripe,
    /// FlashERP.
    Flasherp,
}

impl WebhookSource {
    /// All of them.
    pub const ALL: [Self; 2] = [Self::Stripe, Self::Flasherp];

    /// The name on the wire and in subjects.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Stripe => "stripe",
            Self::Flasherp => "flasherp",
        }
    }
}

/// How far a stored webhook event has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum WebhookStatus {
    /// Its effects are committed.
    Applied,
    /// It refers to something unknown and waits for it.
    Parked,
    /// It is of no concern here.
    Ignored,
    /// It can't be used, and says why.
    Quarantined,
    /// Applying it failed.
    Failed,
}

/// How FlashERP is, as the health check found it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum HealthStatus {
    /// All is well.
    Healthy,
    /// Slow, or failing too often.
    Degraded,
    /// Out of reach.
    Down,
}

impl HealthStatus {
    /// The name on the wire and in the database.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Healthy => "healthy",
            Self::Degraded => "degraded",
            Self::Down => "down",
        }
    }
}

/// The state of the circuit breaker.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum CircuitState {
    /// Calls pass.
    Closed,
    /// No call passes.
    Open,
    /// One probe at a time passes.
    HalfOpen,
}
