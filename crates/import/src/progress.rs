//! An import's row in `sync.batches`: how far it is, and what came of it.

use domain::{BatchId, EntityType};
use serde::{Deserialize, Serialize};
use sqlx::PgConnection;
use sqlx::types::Json;
use uuid::Uuid;

use crate::error::{ImportError, LineError};
use crate::{KEPT_ERRORS, Options, TYPES};

/// What came of an import.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Summary {
    /// Its row in `sync.batches`.
    pub import_id: BatchId,
    /// Whether this run went on with what an earlier one had begun, or found it done.
    pub is_resumed: bool,
    #[serde(flatten)]
    pub counts: Counts,
    /// Of the lines that were rejected, by this run or an earlier one, the first [`KEPT_ERRORS`].
    #[serde(skip)]
    pub errors: Vec<LineError>,
}

/// Records of the file, by what became of them.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Counts {
    /// All of them.
    pub records: u64,
    /// New.
    pub created: u64,
    /// Brought up to date.
    pub updated: u64,
    /// Equal to what was there.
    pub unchanged: u64,
    /// Different, but fed by Stripe's events, and left to them.
    pub left_to_stripe: u64,
    /// Not imported, each with its error.
    pub rejected: u64,
}

impl Counts {
    pub(crate) fn plus(&self, more: &Self) -> Self {
        Self {
            records: self.records + more.records,
            created: self.created + more.created,
            updated: self.updated + more.updated,
            unchanged: self.unchanged + more.unchanged,
            left_to_stripe: self.left_to_stripe + more.left_to_stripe,
            rejected: self.rejected + more.rejected,
        }
    }
}

/// `resume_after`: where a later run goes on.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct Progress {
    #[serde(flatten)]
    pub(crate) counts: Counts,
    /// Of the records behind it, to know the file again.
    pub(crate) sha256: String,
    /// Whoever goes on, or asks again how it ended, is told these too.
    pub(crate) errors: Vec<LineError>,
}

impl Progress {
    /// What it is after more of the file; `errors` of that part in the order of its lines.
    pub(crate) fn further(&self, counts: &Counts, sha256: String, errors: impl Iterator<Item = LineError>) -> Self {
        let room = KEPT_ERRORS.saturating_sub(self.errors.len());
        let mut all = self.errors.clone();
        all.extend(errors.take(room));
        Self { counts: self.counts.plus(counts), sha256, errors: all }
    }
}

/// An import that may be gone on with, or that is done.
#[derive(Debug)]
pub(crate) struct Begun {
    pub(crate) id: Uuid,
    pub(crate) is_done: bool,
    pub(crate) progress: Progress,
}

/// Begins it, or finds what was begun under its key, and says so in the audit trail.
pub(crate) async fn begin(connection: &mut PgConnection, options: &Options) -> Result<Begun, ImportError> {
    let mut transaction = sqlx::Connection::begin(connection).await?;
    let kinds: Vec<&str> =
        options.entity_type.map_or(TYPES.to_vec(), |kind| vec![kind]).into_iter().map(EntityType::as_str).collect();
    let filter = serde_json::json!({"format": options.format.as_str(), "entityType": options.entity_type});
    let found: Option<(Uuid, String, Option<Json<Progress>>)> = sqlx::query_as(
        "SELECT id, status::text, resume_after FROM sync.import_begin($1, $2::text[]::sync.entity_type[], $3, $4)",
    )
    .bind(options.key.as_deref())
    .bind(kinds)
    .bind(filter)
    .bind(options.asked.by.as_deref())
    .fetch_optional(&mut *transaction)
    .await?;
    let (id, status, progress) = found.ok_or(ImportError::KeyTaken)?;
    if status == "cancelled" {
        return Err(ImportError::NoLongerOurs);
    }
    let progress = progress.map(|Json(progress)| progress).unwrap_or_default();
    let is_done = status == "completed";
    if !is_done {
        audit(&mut transaction, id, options, "import.begun", &progress.counts, None).await?;
    }
    transaction.commit().await?;
    Ok(Begun { id, is_done, progress })
}

/// Notes how far it is, in the transaction that wrote what lies behind. No: nothing of that may stay.
pub(crate) async fn note(
    connection: &mut PgConnection,
    id: Uuid,
    from: &Counts,
    to: &Progress,
) -> Result<bool, sqlx::Error> {
    let signed = |count: u64| i64::try_from(count).unwrap_or(i64::MAX);
    let rejected = to.counts.rejected - from.rejected;
    sqlx::query_scalar("SELECT sync.import_progress($1, $2, $3, $4, $5)")
        .bind(id)
        .bind(signed(from.records))
        .bind(Json(to))
        .bind(signed(to.counts.records - from.records - rejected))
        .bind(signed(rejected))
        .fetch_one(connection)
        .await
}

/// Ends it, and says so in the audit trail. No: somebody else has ended it.
pub(crate) async fn end(
    connection: &mut PgConnection,
    id: Uuid,
    options: &Options,
    counts: &Counts,
    error: Option<&str>,
) -> Result<bool, sqlx::Error> {
    let mut transaction = sqlx::Connection::begin(connection).await?;
    let ended: bool =
        sqlx::query_scalar("SELECT sync.import_end($1, $2)").bind(id).bind(error).fetch_one(&mut *transaction).await?;
    if ended {
        audit(&mut transaction, id, options, "import.ended", counts, error).await?;
    }
    transaction.commit().await?;
    Ok(ended)
}

async fn audit(
    connection: &mut PgConnection,
    id: Uuid,
    options: &Options,
    operation: &str,
    counts: &Counts,
    error: Option<&str>,
) -> Result<(), sqlx::Error> {
    let asked = &options.asked;
    sqlx::query(
        "INSERT INTO audit.erp_audit_logs (action, entity_type, entity_id, status, error_details, ip_address, user_agent, performed_by,
            request_id, metadata)
         VALUES ('manual_sync', 'import', $1, $2::audit.status, $3, $4::inet, $5, $6, $7, $8)",
    )
    .bind(id.to_string())
    .bind(if error.is_none() { "success" } else { "failed" })
    .bind(error.map(|message| serde_json::json!({"message": message})))
    .bind(asked.address.map(|address| address.to_string()))
    .bind(asked.user_agent.as_deref())
    .bind(asked.by.as_deref())
    .bind(asked.request_id)
    .bind(serde_json::json!({"operation": operation, "format": options.format.as_str(), "counts": counts}))
    .execute(connection)
    .await?;
    Ok(())
}
