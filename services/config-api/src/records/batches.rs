//! Batches as the API lists them: full syncs, bulk actions, imports; newest first.

use domain::{BatchKind, BatchStatus};
use serde::Serialize;
use serde_json::Value;
use sqlx::types::Json;
use sqlx::{FromRow, PgPool};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use crate::input::{Fields, FromFields};
use crate::labels;
use crate::listing::{Conditions, List};
use crate::paging::Cursor;
use crate::timestamp::Timestamp;

const COLUMNS: &str = "r.id, r.kind::text, r.status::text, r.entity_types::text[], r.filter, r.since, r.force, r.total, r.asked, r.done, \
    r.failed, r.skipped, (60 * (r.done + r.failed + r.skipped) \
    / nullif(extract(epoch FROM coalesce(r.finished_at, clock_timestamp()) - r.started_at), 0))::bigint AS per_minute, \
    r.requested_by, r.reason, r.error, r.created_at, r.started_at, r.finished_at";

/// A batch, as it was last counted: once a second while it runs.
#[derive(Clone, Debug, Serialize, FromRow, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Batch {
    pub id: Uuid,
    /// `full_sync`, `bulk_retry`, `bulk_skip` or `import`.
    #[schema(schema_with = labels::batch_kind_schema)]
    pub kind: String,
    #[schema(schema_with = labels::batch_status_schema)]
    pub status: String,
    pub entity_types: Vec<String>,
    /// Of a bulk action: which syncs.
    #[schema(value_type = Object)]
    pub filter: Json<Value>,
    #[schema(required)]
    pub since: Option<Timestamp>,
    pub force: bool,
    /// Records that it is about; null until they are counted.
    #[schema(required)]
    pub total: Option<i64>,
    /// Of these, asked for so far.
    pub asked: i64,
    pub done: i64,
    pub failed: i64,
    pub skipped: i64,
    /// Answers a minute since its start.
    #[schema(required)]
    pub per_minute: Option<i64>,
    #[schema(required)]
    pub requested_by: Option<String>,
    #[schema(required)]
    pub reason: Option<String>,
    /// What stopped it.
    #[schema(required)]
    pub error: Option<String>,
    pub created_at: Timestamp,
    #[schema(required)]
    pub started_at: Option<Timestamp>,
    #[schema(required)]
    pub finished_at: Option<Timestamp>,
}

/// Which batches.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Batches {
    kind: Option<BatchKind>,
    status: Option<BatchStatus>,
}

/// The parameters of [`Batches`], for the API's description.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "describes what `Batches` reads")]
pub struct BatchesParameters {
    #[param(schema_with = labels::batch_kind_schema)]
    kind: Option<String>,
    #[param(schema_with = labels::batch_status_schema)]
    status: Option<String>,
}

impl FromFields for Batches {
    fn read(fields: &mut Fields) -> Self {
        Self { kind: labels::batch_kind(fields, "kind"), status: labels::batch_status(fields, "status") }
    }
}

impl List for Batches {
    type Row = Batch;
    const FROM: &'static str = "sync.batches";
    const COLUMNS: &'static str = COLUMNS;
    const AT: Option<&'static str> = Some("created_at");

    fn conditions(&self, only: &mut Conditions<'_>) {
        only.label("kind", self.kind.map(|kind| kind.as_str()));
        only.label("status", self.status.map(|status| status.as_str()));
    }

    fn place(row: &Batch) -> Cursor {
        Cursor { at: row.created_at.0, id: row.id }
    }
}

/// One batch.
///
/// # Errors
/// The database.
pub async fn one(pool: &PgPool, id: Uuid) -> Result<Option<Batch>, sqlx::Error> {
    let statement = format!("SELECT {COLUMNS} FROM sync.batches AS r WHERE r.id = $1");
    sqlx::query_as(sqlx::AssertSqlSafe(statement)).bind(id).fetch_optional(pool).await
}
