//! The words of schema `ingress` as types.

use sqlx::Type;

/// Who sent an event. Read as text: what PostgreSQL calls the enum type depends on the connection's search path.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Type)]
#[sqlx(type_name = "text", rename_all = "snake_case")]
pub(super) enum Source {
    Stripe,
    Flasherp,
}

impl Source {
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Stripe => "stripe",
            Self::Flasherp => "flasherp",
        }
    }
}

/// Where an event stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Type)]
#[sqlx(type_name = "ingress.event_status", rename_all = "snake_case")]
pub(super) enum EventStatus {
    Received,
    Applied,
    Parked,
    Ignored,
    Quarantined,
    Failed,
}

impl EventStatus {
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Received => "received",
            Self::Applied => "applied",
            Self::Parked => "parked",
            Self::Ignored => "ignored",
            Self::Quarantined => "quarantined",
            Self::Failed => "failed",
        }
    }
}
