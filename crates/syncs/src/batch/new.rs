//! Making a batch, or counting what one would be about.

use std::net::IpAddr;

use domain::{BatchId, BatchKind, EntityType, RequestId};
use sqlx::PgPool;
use sqlx::types::Json;
use time::OffsetDateTime;
use uuid::Uuid;

use super::filter::SyncFilter;

/// What a batch is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum What {
    /// All records of these types; of those in the configured scope when none is named.
    FullSync {
        /// Which types.
        entity_types: Vec<EntityType>,
        /// Only what UpCoach changed then or later.
        since: Option<OffsetDateTime>,
        /// Compares with FlashERP itself, record by record, rather than with what was sent last.
        force: bool,
    },
    /// Failed syncs, queued at once with their retries back.
    Retry(SyncFilter),
    /// Syncs that are not done, taken out of the way.
    Skip(SyncFilter),
}

/// Who asks, why, in which request and where from: for the audit row.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Asked {
    /// A person, or a program's name.
    pub by: String,
    /// In their words.
    pub reason: Option<String>,
    /// `X-Request-Id`.
    pub request: Option<RequestId>,
    /// The client's.
    pub address: Option<IpAddr>,
    /// The client's.
    pub user_agent: Option<String>,
}

/// A batch to be made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewBatch {
    /// What it is about.
    pub what: What,
    /// Who asks for it.
    pub asked: Asked,
    /// `Idempotency-Key`, honoured for 24 h.
    pub idempotency_key: Option<String>,
}

/// What came of making one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Created {
    /// It is there, and workers carry it on.
    New(BatchId),
    /// The same was asked under this key before: that one.
    Before(BatchId),
    /// Something else was asked under this key before; nothing was made.
    KeyInUse(BatchId),
}

/// Parameters of the database's functions.
struct Parameters {
    kind: BatchKind,
    types: Vec<&'static str>,
    since: Option<OffsetDateTime>,
    force: bool,
    filter: Json<SyncFilter>,
}

impl What {
    fn parameters(&self) -> Parameters {
        let bulk = |kind, filter: &SyncFilter| Parameters {
            kind,
            types: Vec::new(),
            since: None,
            force: false,
            filter: Json(filter.clone()),
        };
        match self {
            Self::FullSync { entity_types, since, force } => Parameters {
                kind: BatchKind::FullSync,
                types: entity_types.iter().map(|kind| kind.as_str()).collect(),
                since: *since,
                force: *force,
                filter: Json(SyncFilter::default()),
            },
            Self::Retry(filter) => bulk(BatchKind::BulkRetry, filter),
            Self::Skip(filter) => bulk(BatchKind::BulkSkip, filter),
        }
    }
}

/// Makes a batch with its audit row, in one transaction.
///
/// # Errors
/// The database; nothing was made.
pub async fn create(pool: &PgPool, new: &NewBatch) -> Result<Created, sqlx::Error> {
    let Parameters { kind, types, since, force, filter } = new.what.parameters();
    let (id, is_new, same): (Uuid, bool, bool) = sqlx::query_as(
        "SELECT id, is_new, same FROM sync.batch_create($1::text::sync.batch_kind, $2::text[]::sync.entity_type[], $3, $4, $5, $6, $7, \
             $8, $9, $10::text::inet, $11)",
    )
    .bind(kind.as_str())
    .bind(types)
    .bind(since)
    .bind(force)
    .bind(filter)
    .bind(new.idempotency_key.as_deref())
    .bind(&new.asked.by)
    .bind(new.asked.reason.as_deref())
    .bind(new.asked.request.map(Uuid::from))
    .bind(new.asked.address.map(|address| address.to_string()))
    .bind(new.asked.user_agent.as_deref())
    .fetch_one(pool)
    .await?;
    Ok(match (is_new, same) {
        (true, _) => Created::New(BatchId(id)),
        (false, true) => Created::Before(BatchId(id)),
        (false, false) => Created::KeyInUse(BatchId(id)),
    })
}

/// How many records it would be about now (a dry run).
///
/// # Errors
/// The database.
pub async fn count(pool: &PgPool, what: &What) -> Result<i64, sqlx::Error> {
    let Parameters { kind, types, since, filter, .. } = what.parameters();
    sqlx::query_scalar("SELECT sync.batch_count($1::text::sync.batch_kind, $2::text[]::sync.entity_type[], $3, $4)")
        .bind(kind.as_str())
        .bind(types)
        .bind(since)
        .bind(filter)
        .fetch_one(pool)
        .await
}
