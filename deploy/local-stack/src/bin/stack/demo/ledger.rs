//! What our database knows of the payments that Stripe has told of: received, applied, synced.

use anyhow::Context as _;
use sqlx::{Connection as _, PgConnection};
use time::OffsetDateTime;
use uuid::Uuid;

/// A connection as the owner of all tables, who may look at each schema.
#[derive(Debug)]
pub(crate) struct Ledger {
    connection: PgConnection,
}

/// A payment that Stripe has told of.
#[derive(Debug, Clone, sqlx::FromRow)]
pub(crate) struct Payment {
    /// `pi_...`
    pub(crate) stripe_id: String,
    /// When the first event that tells of it was stored: a charge's may come before its `payment_intent.succeeded`.
    pub(crate) received_at: OffsetDateTime,
    /// What became of its `payment_intent.succeeded`: applied, parked, ...
    pub(crate) event_status: String,
    /// When that was applied.
    pub(crate) applied_at: Option<OffsetDateTime>,
    /// The customer's name, once known.
    pub(crate) customer: Option<String>,
    /// Our transaction, once the event is applied.
    pub(crate) transaction_id: Option<Uuid>,
    /// In Stripe's units.
    pub(crate) amount: Option<i64>,
    pub(crate) currency: Option<String>,
    /// The sync's state and FlashERP's record.
    pub(crate) sync_status: Option<String>,
    pub(crate) target_id: Option<String>,
    /// FlashERP's own time of the record.
    pub(crate) target_created_at: Option<OffsetDateTime>,
    pub(crate) sync_error: Option<String>,
}

/// How much is still under way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, sqlx::FromRow)]
pub(crate) struct Open {
    /// Events stored since.
    pub(crate) events: i64,
    /// Of those, events neither applied nor ignored.
    pub(crate) unsettled: i64,
    /// Syncs with something to do.
    pub(crate) syncs: i64,
}

const PAYMENTS: &str = "
    WITH event AS (
        SELECT event_type, received_at, status, applied_at, convert_from(body, 'UTF8')::jsonb #> '{data,object}' AS object
        FROM ingress.webhook_events
        WHERE source = 'stripe' AND received_at >= $1
    ), first AS (
        SELECT coalesce(object ->> 'payment_intent', object ->> 'id') AS stripe_id, min(received_at) AS received_at
        FROM event GROUP BY 1
    ), told AS (
        SELECT first.stripe_id, first.received_at, event.status, event.applied_at
        FROM event JOIN first ON first.stripe_id = object ->> 'id'
        WHERE event_type = 'payment_intent.succeeded'
    )
    SELECT told.stripe_id, told.received_at, told.status::text AS event_status, told.applied_at,
        u.name AS customer, t.id AS transaction_id, t.amount, t.currency,
        s.sync_status::text AS sync_status, s.target_id, s.target_created_at, s.error_message AS sync_error
    FROM told
    LEFT JOIN upcoach.transactions t ON t.stripe_transaction_id = told.stripe_id
    LEFT JOIN upcoach.users u ON u.id = t.user_id
    LEFT JOIN sync.erp_syncs s ON s.source_system = 'upcoach' AND s.source_type = 'transaction' AND s.source_id = t.id
    ORDER BY told.received_at";

const OPEN: &str = "
    SELECT (SELECT count(*) FROM ingress.webhook_events WHERE received_at >= $1) AS events,
        (SELECT count(*) FROM ingress.webhook_events
            WHERE received_at >= $1 AND status NOT IN ('applied', 'ignored')) AS unsettled,
        (SELECT count(*) FROM sync.requests)
            + (SELECT count(*) FROM sync.erp_syncs WHERE sync_status <> 'synced' AND updated_at >= $1) AS syncs";

impl Ledger {
    /// Connects.
    pub(crate) async fn open(url: &str) -> anyhow::Result<Self> {
        let connection = PgConnection::connect(url).await.context("can't look into the database")?;
        Ok(Self { connection })
    }

    /// The database's clock, by which events are stamped.
    pub(crate) async fn now(&mut self) -> anyhow::Result<OffsetDateTime> {
        let now = sqlx::query_scalar("SELECT clock_timestamp()").fetch_one(&mut self.connection).await;
        now.context("can't read the database's clock")
    }

    /// The payments told of since then, in the order of their arrival.
    pub(crate) async fn payments(&mut self, since: OffsetDateTime) -> anyhow::Result<Vec<Payment>> {
        let rows = sqlx::query_as(PAYMENTS).bind(since).fetch_all(&mut self.connection).await;
        rows.context("can't read the payments")
    }

    /// What is under way of what was told since then.
    pub(crate) async fn under_way(&mut self, since: OffsetDateTime) -> anyhow::Result<Open> {
        let open = sqlx::query_as(OPEN).bind(since).fetch_one(&mut self.connection).await;
        open.context("can't read what is under way")
    }
}
