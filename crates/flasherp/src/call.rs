//! What a caller says of a call beside what it wants: on whose behalf, until when, under which key.

use std::time::{Duration, Instant};

use domain::{EntityType, RequestId, SyncId};

/// A try starts only while the deadline is further away than the try's timeout and this.
pub const LEASE_MARGIN: Duration = Duration::from_secs(5);

/// The circumstances of a call.
#[derive(Debug, Clone, Copy)]
pub struct Call {
    /// Sent as `X-Request-Id`.
    pub request_id: RequestId,
    /// The sync it is made for; the breaker counts records, not calls.
    pub sync_id: Option<SyncId>,
    /// The end of the lease under which a write is made. No try starts that could outlast it. None: no lease.
    pub deadline: Option<Instant>,
    /// Whether it is tried only once (a connection test).
    pub once: bool,
    /// How long a try may take, if not as long as the client's setting says.
    pub timeout: Option<Duration>,
}

impl Call {
    /// A call without lease or sync.
    #[must_use]
    pub const fn new(request_id: RequestId) -> Self {
        Self { request_id, sync_id: None, deadline: None, once: false, timeout: None }
    }

    /// The same for a sync under a lease that ends at `deadline`.
    #[must_use]
    pub const fn for_sync(self, sync_id: SyncId, deadline: Instant) -> Self {
        Self { sync_id: Some(sync_id), deadline: Some(deadline), ..self }
    }

    /// The same without repeats.
    #[must_use]
    pub const fn once(self) -> Self {
        Self { once: true, ..self }
    }

    /// The same with tries that take no longer than this.
    #[must_use]
    pub const fn within(self, timeout: Duration) -> Self {
        Self { timeout: Some(timeout), ..self }
    }
}

/// The key of a create, and whether FlashERP says (by its capabilities) that it honours keys. Only then a POST whose outcome is unknown is
/// sent again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IdempotencyKey {
    /// `create:<sync id>:<generation>` or `report:<sync id>:<sha256>`; ASCII, at most 255 characters.
    pub key: String,
    /// Whether the capability `idempotency-key` was there lately.
    pub honoured: bool,
}

/// What is called.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Operation {
    /// GET /health
    Health,
    /// POST of a record
    Create,
    /// PUT of a record's fields
    Update,
    /// GET of a record
    Get,
    /// GET of all records with our reference
    Find,
    /// GET of a page
    List,
    /// DELETE of a subscription, which cancels it
    Cancel,
    /// POST of a financial report
    Report,
}

impl Operation {
    /// Its name in metrics and spans.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Health => "health",
            Self::Create => "create",
            Self::Update => "update",
            Self::Get => "get",
            Self::Find => "find",
            Self::List => "list",
            Self::Cancel => "cancel",
            Self::Report => "report",
        }
    }

    /// Whether it changes something in FlashERP.
    #[must_use]
    pub const fn writes(self) -> bool {
        match self {
            Self::Create | Self::Update | Self::Cancel | Self::Report => true,
            Self::Health | Self::Get | Self::Find | Self::List => false,
        }
    }
}

/// Who and what a call is about, for gate and metrics.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Subject {
    /// What is called.
    pub operation: Operation,
    /// Which type of record.
    pub entity: Option<EntityType>,
    /// For which sync.
    pub sync_id: Option<SyncId>,
}
