//! A full sync asked for: a batch that workers carry out, chunk by chunk, and go on with after a crash.

use domain::EntityType;
use serde::Serialize;
use sqlx::PgPool;
use syncs::batch::{self, Created, NewBatch, What};
use time::OffsetDateTime;
use utoipa::ToSchema;
use utoipa::openapi::Array;
use uuid::Uuid;

use super::bulk::asked;
use crate::Actor;
use crate::input::{Fields, FromFields};
use crate::labels::list;

/// What is to be synced.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FullSync {
    /// Of these types; of those in scope when none is named.
    pub entity_types: Vec<EntityType>,
    pub since: Option<OffsetDateTime>,
    pub force: bool,
    pub dry_run: bool,
}

/// The members of [`FullSync`], for the API's description.
#[derive(ToSchema)]
#[schema(as = FullSync, rename_all = "camelCase")]
#[expect(dead_code, reason = "describes what `FullSync` reads")]
pub struct FullSyncMembers {
    #[schema(nullable = false, schema_with = types)]
    entity_types: Option<Vec<String>>,
    /// Only what UpCoach changed then or later.
    #[schema(nullable = false)]
    since: Option<OffsetDateTime>,
    /// Compares with FlashERP itself, record by record, rather than with what was sent last.
    #[schema(nullable = false)]
    force: Option<bool>,
    /// Only counts.
    #[schema(nullable = false)]
    dry_run: Option<bool>,
}

fn types() -> Array {
    list(EntityType::ALL.iter().map(|kind| kind.as_str()), "Types of records; those in scope when none is named.")
}

impl FromFields for FullSync {
    fn read(fields: &mut Fields) -> Self {
        let types: Vec<_> = EntityType::ALL.iter().map(|kind| (kind.as_str(), *kind)).collect();
        Self {
            entity_types: fields.some_of("entityTypes", &types).unwrap_or_default(),
            since: fields.time("since"),
            force: fields.flag("force").unwrap_or_default(),
            dry_run: fields.flag("dryRun").unwrap_or_default(),
        }
    }
}

/// What a full sync that was asked for is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct FullSyncStarted {
    pub message: String,
    /// `processing`, or `dry_run`.
    pub status: &'static str,
    /// Where it can be followed; null for a dry run.
    #[schema(required)]
    pub batch_id: Option<Uuid>,
    /// Records that it would be about; only of a dry run.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub matched: Option<i64>,
}

/// Starts it, or finds the one that this key started. None when the key started something else.
///
/// # Errors
/// The database; nothing was started.
pub(crate) async fn start(
    pool: &PgPool,
    actor: &Actor,
    wanted: FullSync,
    idempotency_key: Option<String>,
) -> Result<Option<FullSyncStarted>, sqlx::Error> {
    let FullSync { entity_types, since, force, dry_run } = wanted;
    let what = What::FullSync { entity_types, since, force };
    if dry_run {
        let matched = batch::count(pool, &what).await?;
        let message = format!("{matched} records would be looked at; nothing was started");
        return Ok(Some(FullSyncStarted { message, status: "dry_run", batch_id: None, matched: Some(matched) }));
    }
    let new = NewBatch { what, asked: asked(actor, None), idempotency_key };
    Ok(match batch::create(pool, &new).await? {
        Created::New(id) | Created::Before(id) => Some(FullSyncStarted {
            message: "the full sync is under way; follow its batch".to_owned(),
            status: "processing",
            batch_id: Some(id.as_uuid()),
            matched: None,
        }),
        Created::KeyInUse(_) => None,
    })
}
