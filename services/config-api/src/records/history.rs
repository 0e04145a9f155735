//! The sync history: syncs by filter, newest attempt first; one that was never tried stands where it was made.

use sqlx::PgPool;
use syncs::batch::SyncFilter;
use utoipa::IntoParams;
use uuid::Uuid;

use super::row::{COLUMNS, Sync};
use crate::input::{Fields, FromFields};
use crate::labels;
use crate::listing::{Conditions, List};
use crate::paging::Cursor;

/// The filter of a list: the one of bulk actions, without single ids.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct History(pub SyncFilter);

/// The parameters of [`History`], for the API's description.
#[derive(IntoParams)]
#[into_params(parameter_in = Query, rename_all = "camelCase")]
#[expect(dead_code, reason = "describes what `History` reads")]
pub struct HistoryParameters {
    #[param(schema_with = labels::sync_status_schema)]
    status: Option<String>,
    #[param(schema_with = labels::entity_type_schema)]
    source_type: Option<String>,
    #[param(schema_with = labels::source_system_schema)]
    source_system: Option<String>,
    #[param(schema_with = labels::error_code_schema)]
    error_code: Option<String>,
    /// The record's id in its own system.
    source_id: Option<Uuid>,
    /// Last tried (before the first try: made) then or later.
    from: Option<time::OffsetDateTime>,
    /// Last tried (before the first try: made) before then.
    to: Option<time::OffsetDateTime>,
}

impl FromFields for History {
    fn read(fields: &mut Fields) -> Self {
        Self(read_filter(fields))
    }
}

/// Reads what lists and bulk actions have in common.
pub(crate) fn read_filter(fields: &mut Fields) -> SyncFilter {
    SyncFilter {
        ids: None,
        status: labels::sync_status(fields, "status"),
        source_type: labels::entity_type(fields, "sourceType"),
        source_system: labels::source_system(fields, "sourceSystem"),
        error_code: labels::error_code(fields, "errorCode"),
        fingerprint: None,
        source_id: fields.uuid("sourceId"),
        from: fields.time("from"),
        to: fields.time("to"),
    }
}

impl List for History {
    type Row = Sync;
    const FROM: &'static str = "sync.for_readers";
    const COLUMNS: &'static str = COLUMNS;
    const AT: Option<&'static str> = Some("tried_at");

    fn conditions(&self, only: &mut Conditions<'_>) {
        let SyncFilter { ids, status, source_type, source_system, error_code, fingerprint, source_id, from, to } =
            &self.0;
        if let Some(ids) = ids {
            let ids: Vec<Uuid> = ids.iter().map(|id| id.as_uuid()).collect();
            only.and().push("r.id = ANY (").push_bind(ids).push(")");
        }
        only.label("sync_status", status.map(|status| status.as_str()));
        only.label("source_type", source_type.map(|kind| kind.as_str()));
        only.label("source_system", source_system.map(|system| system.as_str()));
        only.label("error_code", error_code.map(|code| code.as_str()));
        only.equals("error_fingerprint", fingerprint.clone());
        only.equals("source_id", *source_id);
        only.within("tried_at", *from, *to);
    }

    fn place(row: &Sync) -> Cursor {
        Cursor { at: row.tried_at.0, id: row.id }
    }
}

/// One sync.
///
/// # Errors
/// The database.
pub async fn one(pool: &PgPool, id: Uuid) -> Result<Option<Sync>, sqlx::Error> {
    let statement = format!("SELECT {COLUMNS} FROM sync.for_readers AS r WHERE r.id = $1");
    sqlx::query_as(sqlx::AssertSqlSafe(statement)).bind(id).fetch_optional(pool).await
}
