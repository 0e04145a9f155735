//! The audit log by filter, newest first.

use service::http::RequestId;
use sqlx::PgPool;
use time::OffsetDateTime;
use utoipa::IntoParams;
use uuid::Uuid;

use super::row::{ACTIONS, AuditLog, COLUMNS, STATUSES, actions, statuses};
use crate::input::{Fields, FromFields};
use crate::labels;
use crate::listing::{Conditions, List, Place, rows};
use crate::paging::Cursor;

/// Which rows; all that is given must hold.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LogFilter {
    pub action: Option<&'static str>,
    pub status: Option<&'static str>,
    pub entity_type: Option<String>,
    pub entity_id: Option<String>,
    pub request_id: Option<Uuid>,
    pub performed_by: Option<String>,
    pub sync_id: Option<Uuid>,
    pub from: Option<OffsetDateTime>,
    pub to: Option<OffsetDateTime>,
}

/// The parameters of [`LogFilter`], for the API's description.
#[derive(IntoParams)]
#[into_params(parameter_in = Query, rename_all = "camelCase")]
#[expect(dead_code, reason = "describes what `LogFilter` reads")]
pub struct LogParameters {
    #[param(schema_with = actions)]
    action: Option<String>,
    #[param(schema_with = statuses)]
    status: Option<String>,
    #[param(min_length = 1, max_length = 100)]
    entity_type: Option<String>,
    #[param(min_length = 1, max_length = 255)]
    entity_id: Option<String>,
    /// As the caller of that request wrote it.
    #[param(min_length = 1, max_length = 128, pattern = "^[A-Za-z0-9_.:+/=-]{1,128}$")]
    request_id: Option<String>,
    #[param(min_length = 1, max_length = 255)]
    performed_by: Option<String>,
    /// Then or later.
    from: Option<OffsetDateTime>,
    /// Before then.
    to: Option<OffsetDateTime>,
}

impl FromFields for LogFilter {
    fn read(fields: &mut Fields) -> Self {
        let request_id = fields.text_of("requestId", 1..=128);
        let read = request_id.as_deref().map(RequestId::parse);
        if matches!(read, Some(None)) {
            fields.wrong("requestId", "must be of letters, digits and -_.:+/=");
        }
        Self {
            action: labels::one_of(fields, "action", ACTIONS),
            status: labels::one_of(fields, "status", STATUSES),
            entity_type: fields.text_of("entityType", 1..=100),
            entity_id: fields.text_of("entityId", 1..=255),
            request_id: read.flatten().map(|id| id.uuid()),
            performed_by: fields.text_of("performedBy", 1..=255),
            sync_id: None,
            from: fields.time("from"),
            to: fields.time("to"),
        }
    }
}

impl List for LogFilter {
    type Row = AuditLog;
    const FROM: &'static str = "audit.erp_audit_logs";
    const COLUMNS: &'static str = COLUMNS;
    const AT: Option<&'static str> = Some("created_at");

    fn conditions(&self, only: &mut Conditions<'_>) {
        only.label("action", self.action);
        only.label("status", self.status);
        only.equals("entity_type", self.entity_type.clone());
        only.equals("entity_id", self.entity_id.clone());
        only.equals("request_id", self.request_id);
        only.equals("performed_by", self.performed_by.clone());
        only.equals("erp_sync_id", self.sync_id);
        only.within("created_at", self.from, self.to);
    }

    fn place(row: &AuditLog) -> Cursor {
        Cursor { at: row.created_at.0, id: row.id }
    }
}

/// The newest rows of a sync: its attempts.
///
/// # Errors
/// The database.
pub async fn of_sync(pool: &PgPool, sync: Uuid, limit: i64) -> Result<Vec<AuditLog>, sqlx::Error> {
    newest(pool, &LogFilter { sync_id: Some(sync), ..LogFilter::default() }, limit).await
}

/// The newest rows about something.
///
/// # Errors
/// The database.
pub async fn of_entity(pool: &PgPool, id: &str, limit: i64) -> Result<Vec<AuditLog>, sqlx::Error> {
    newest(pool, &LogFilter { entity_id: Some(id.to_owned()), ..LogFilter::default() }, limit).await
}

async fn newest(pool: &PgPool, filter: &LogFilter, limit: i64) -> Result<Vec<AuditLog>, sqlx::Error> {
    rows(&mut *pool.acquire().await?, filter, Place { behind: None, offset: 0, limit }).await
}
