//! What is committed, and what its caller is told.

use std::net::IpAddr;
use std::time::{Duration, Instant};

use bytes::Bytes;
use domain::EventRowId;
use events::WebhookSource;
use time::OffsetDateTime;
use uuid::Uuid;
use webhooks::envelope::Defect;

/// An event that was let in.
#[derive(Debug, Clone)]
pub(crate) struct Event {
    /// The row's id.
    pub id: EventRowId,
    /// Who sent it.
    pub source: WebhookSource,
    /// The sender's id of it; 1 to 255 characters.
    pub event_id: String,
    /// Its type; 1 to 255 characters.
    pub event_type: String,
    /// As received, byte for byte.
    pub body: Bytes,
    /// When the sender made it.
    pub occurred_at: Option<OffsetDateTime>,
    /// Why it is quarantined, if it is.
    pub defect: Option<Defect>,
    /// Whom it came from.
    pub remote_addr: IpAddr,
    /// What the sender calls itself.
    pub user_agent: Option<String>,
    /// Of the request that brought it.
    pub request_id: Uuid,
    /// The trace it belongs to.
    pub traceparent: Option<String>,
    /// Metric label of the secret that it was signed with.
    pub secret: &'static str,
    /// When its request came.
    pub received: Instant,
}

/// A durable event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stored {
    /// It was not there before.
    New,
    /// The sender had sent it before.
    Duplicate,
}

/// Nothing is known to be stored: the sender is to come again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum NotStored {
    /// More events wait than memory is set aside for.
    #[error("too many events wait to be stored")]
    Full,
    /// The database does not take it.
    #[error("the database does not take it")]
    Failed,
}

impl NotStored {
    /// When it is worth coming again.
    #[must_use]
    pub(crate) fn retry_after(self) -> Duration {
        match self {
            Self::Full => Duration::from_secs(1),
            Self::Failed => Duration::from_secs(5),
        }
    }
}
