//! A record on both sides: alone, or with its sync and all attempts.

use actix_web::{HttpResponse, get, web};
use domain::{EntityType, ErrorCode, RequestId as RequestUuid};
use serde::Serialize;
use service::auth::Viewer;
use service::http::{ApiError, ErrorBody, RequestId};
use syncs::preview::Preview;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::State;
use crate::audit_log::{self, AuditLog};
use crate::input::{Nothing, Query};
use crate::other_side::compare;
use crate::records::{Sync, history};

/// Attempts shown of one sync.
const ATTEMPTS: i64 = 100;

/// What a sync would send, and how the record differs from FlashERP's: the members of a preview, for the API's description.
#[derive(ToSchema)]
#[schema(as = Preview, rename_all = "camelCase")]
#[expect(dead_code, reason = "describes what `syncs::preview::Preview` writes")]
pub(crate) struct PreviewMembers {
    entity_type: String,
    source_id: Uuid,
    sync_id: Uuid,
    #[schema(required)]
    sync_status: Option<String>,
    /// `unknown`: it is looked up what became of the last write before anything is sent.
    outcome: String,
    in_scope: bool,
    /// `nothing`, `create`, `update`, `cancel` or `fail`.
    action: String,
    /// Whether a record is taken over that FlashERP holds under our reference.
    adopts: bool,
    /// The user who has to be in FlashERP first.
    #[schema(required)]
    needs_customer: Option<Uuid>,
    #[schema(required)]
    target_id: Option<String>,
    /// The record as FlashERP is to hold it.
    #[schema(required, value_type = Option<Object>)]
    payload: Option<()>,
    /// What would be sent; null when nothing is.
    #[schema(required, value_type = Option<Object>)]
    request: Option<()>,
    /// What FlashERP holds of it.
    #[schema(required, value_type = Option<Object>)]
    flasherp: Option<()>,
    /// Where the two differ: `field`, `upcoach`, `flasherp`, `sent`.
    #[schema(value_type = Vec<Object>)]
    differences: Vec<()>,
    /// Further records under our reference.
    duplicates: Vec<String>,
    /// Why it can't be told to FlashERP as it is: `code`, `field`, `message`.
    #[schema(required, value_type = Option<Object>)]
    problem: Option<()>,
}

/// Why FlashERP's side is not shown.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct NotCompared {
    code: &'static str,
    message: String,
}

/// A sync with its attempts and its record on both sides.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct SyncDetails {
    sync: Sync,
    /// Audit rows, newest first, 100 at most; the audit log has all.
    attempts: Vec<AuditLog>,
    /// The record on both sides; null where it can't be told now.
    #[schema(required, value_type = Option<PreviewMembers>)]
    record: Option<Preview>,
    /// Then, why.
    #[schema(required)]
    record_error: Option<NotCompared>,
}

/// What a sync would send, and how the record differs from FlashERP's
///
/// Sends nothing.
#[utoipa::path(
    tag = "syncs",
    operation_id = "previewSync",
    params(("entityType" = inline(crate::labels::EntityTypeWord), Path), ("id" = Uuid, Path, description = "The record, in UpCoach")),
    responses(
        (status = 200, body = PreviewMembers),
        (status = 404, description = "UpCoach has no such record", body = ErrorBody),
        (status = 409, description = "The record can't be read", body = ErrorBody),
        (status = 502, description = "FlashERP can't be asked what it holds", body = ErrorBody),
        (status = 503, description = "CONFIG_NOT_FOUND, or FlashERP can't be asked at the moment", body = ErrorBody),
    ),
)]
#[get("/api/erp/preview/{entityType}/{id}")]
pub(crate) async fn preview(
    _: Viewer,
    path: web::Path<(EntityType, Uuid)>,
    _: Query<Nothing>,
    request: RequestId,
    state: web::Data<State>,
) -> Result<HttpResponse, ApiError> {
    let (kind, id) = path.into_inner();
    Ok(HttpResponse::Ok().json(compare(&state, kind, id, RequestUuid(request.uuid())).await?))
}

/// One sync, its attempts, and its record on both sides
#[utoipa::path(
    tag = "syncs",
    operation_id = "readSync",
    params(("id" = Uuid, Path)),
    responses((status = 200, body = SyncDetails), (status = 404, description = "There is no such sync", body = ErrorBody)),
)]
#[get("/api/erp/syncs/{id}")]
pub(crate) async fn sync(
    _: Viewer,
    id: web::Path<Uuid>,
    _: Query<Nothing>,
    request: RequestId,
    state: web::Data<State>,
) -> Result<HttpResponse, ApiError> {
    let sync = history::one(&state.pool, *id).await?;
    let sync = sync.ok_or_else(|| ApiError::new(ErrorCode::ResourceNotFound, format!("there is no sync {id}")))?;
    let attempts = audit_log::filter::of_sync(&state.pool, *id, ATTEMPTS).await?;
    let kind: EntityType =
        sync.source_type.parse().map_err(|error: domain::kinds::UnknownLabel| ApiError::internal(error))?;
    let (record, record_error) = match compare(&state, kind, sync.source_id, RequestUuid(request.uuid())).await {
        Ok(record) => (Some(record), None),
        Err(error) => {
            let (code, message) = error.told()?;
            (None, Some(NotCompared { code: code.as_str(), message }))
        }
    };
    Ok(HttpResponse::Ok().json(SyncDetails { sync, attempts, record, record_error }))
}
