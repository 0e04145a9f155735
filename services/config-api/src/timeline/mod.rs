//! Where is my invoice: from any id (UpCoach's, Stripe's, FlashERP's, an event's, a request's) to everything that is known of the records behind it, in
//! order of time.
//!
//! First the records that the id names, or that are of one story with them (a payment's refunds and invoice); then what happened to each. Every
//! step is a few look-ups by index, however much there is.

mod entries;
mod find;

use serde::Serialize;
use sqlx::PgPool;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::labels;
use crate::timestamp::Timestamp;

/// Entries shown at most, the newest.
const MOST: usize = 500;

/// What an entry is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum EntryKind {
    /// An event came in.
    Webhook,
    /// It was applied, parked, or failed to be.
    WebhookApplied,
    /// UpCoach's record came to be, or changed last.
    Record,
    /// FlashERP's record came to be, or changed last.
    FlasherpRecord,
    /// The sync's state, where its last attempt stands.
    Sync,
    /// An attempt to write to FlashERP.
    Attempt,
    /// Reconciliation found a difference.
    Finding,
    /// Anything else that was audited.
    Audit,
}

/// Something that happened.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct TimelineEntry {
    pub at: Timestamp,
    pub kind: EntryKind,
    /// In a few words.
    pub title: String,
    #[schema(required)]
    pub status: Option<String>,
    /// The type of what it is about: a record's, or `webhook`.
    #[schema(required)]
    pub entity_type: Option<String>,
    #[schema(required)]
    pub entity_id: Option<String>,
    /// The row behind it: of the event, the sync, the finding, the audit row.
    #[schema(required)]
    pub id: Option<String>,
    /// What else the row says.
    #[schema(value_type = Object)]
    pub details: serde_json::Value,
}

/// A record of the story.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct StoryRecord {
    #[schema(schema_with = labels::entity_type_schema)]
    pub entity_type: String,
    /// UpCoach's id.
    pub source_id: Uuid,
    #[schema(required)]
    pub sync_id: Option<Uuid>,
    /// FlashERP's id.
    #[schema(required)]
    pub target_id: Option<String>,
}

/// Everything about an id.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Timeline {
    pub query: String,
    /// The records that the id leads to.
    pub records: Vec<StoryRecord>,
    /// What happened, oldest first.
    pub entries: Vec<TimelineEntry>,
    /// Whether older entries were left out.
    pub has_more: bool,
}

/// Everything about an id; with nothing in it when the id is nobody's.
///
/// # Errors
/// The database.
pub async fn read(pool: &PgPool, query: &str) -> Result<Timeline, sqlx::Error> {
    let mut connection = pool.acquire().await?;
    let found = find::find(&mut connection, query).await?;
    let (records, mut entries) = entries::collect(&mut connection, &found).await?;
    entries.sort_by_key(|entry| entry.at.0);
    let has_more = entries.len() > MOST;
    entries.drain(..entries.len().saturating_sub(MOST));
    Ok(Timeline { query: query.to_owned(), records, entries, has_more })
}
