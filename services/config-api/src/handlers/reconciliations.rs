//! `/api/erp/sync/reconcile` and `/api/erp/reconciliations`: both sides held against each other, and what is done about the differences.

use actix_web::http::header::LOCATION;
use actix_web::{HttpRequest, HttpResponse, get, post, web};
use domain::{Decision, ErrorCode};
use serde::Serialize;
use service::auth::Viewer;
use service::http::{ApiError, ErrorBody};
use utoipa::ToSchema;
use uuid::Uuid;

use super::bodies::NoteMembers;
use super::history;
use super::manual_sync::idempotency_key;
use crate::input::{Body, Nothing, Query};
use crate::listing::{self, Listed};
use crate::paging::{Page, PagingParameters};
use crate::reconciliations::decide::{
    self, AcceptanceMembers, Decided, HealAll, HealAllMembers, HealedAll, MaybeNote, NeededNote,
};
use crate::reconciliations::findings::{Finding, Findings, FindingsParameters};
use crate::reconciliations::request::{self, Asked, Reconcile, ReconcileMembers, ReconciliationReport};
use crate::reconciliations::runs::{self, Reconciliation, Runs, RunsParameters};
use crate::records::enabled;
use crate::wait::{LongWait, LongWaitParameters};
use crate::{Actor, State};

/// A reconciliation that is not over.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ReconciliationStarted {
    run_id: Uuid,
    #[schema(schema_with = crate::labels::reconciliation_status_schema)]
    status: String,
}

/// Hold UpCoach's records against FlashERP's
#[utoipa::path(
    tag = "reconciliations",
    operation_id = "reconcile",
    params(
        ("Idempotency-Key" = Option<String>, Header, min_length = 1, max_length = 255, pattern = "^[!-~]([ -~]*[!-~])?$", description = "Within 24 h the same key names the same run; 1 to 255 printable characters"),
        LongWaitParameters,
    ),
    request_body = ReconcileMembers,
    responses(
        (status = 200, description = "It has ended", body = ReconciliationReport),
        (status = 202, description = "It is under way still", body = ReconciliationStarted, headers(("Location" = String, description = "The run"))),
        (status = 409, description = "The key is another request's", body = ErrorBody),
        (status = 503, description = "CONFIG_NOT_FOUND or CONFIG_DISABLED, or not available at the moment", body = ErrorBody),
    ),
)]
#[post("/api/erp/sync/reconcile")]
pub(crate) async fn reconcile(
    actor: Actor,
    request: HttpRequest,
    Query(LongWait(wait)): Query<LongWait>,
    state: web::Data<State>,
    Body(wanted): Body<Reconcile>,
) -> Result<HttpResponse, ApiError> {
    let key = idempotency_key(&request)?;
    enabled::check(&state).await?;
    let run = match request::ask(&state, &actor, &wanted, key.as_deref()).await? {
        Asked::Run(run) => run,
        Asked::KeyInUse => {
            return Err(ApiError::new(
                ErrorCode::ResourceConflict,
                "this Idempotency-Key was used for something else within 24 h; use a new one",
            )
            .with_detail("Idempotency-Key", "belongs to another request"));
        }
    };
    let found = request::wait_for(&state, run, wait).await?.ok_or_else(|| no_run(run))?;
    match found.finished_at {
        Some(ended) => Ok(HttpResponse::Ok().json(request::report(&state.pool, found, ended).await?)),
        None => Ok(HttpResponse::Accepted()
            .insert_header((LOCATION, format!("/api/erp/reconciliations/{run}")))
            .json(ReconciliationStarted { run_id: run, status: found.status })),
    }
}

/// Reconciliations, newest first
#[utoipa::path(
    tag = "reconciliations",
    operation_id = "listReconciliations",
    params(PagingParameters, RunsParameters),
    responses((status = 200, body = Page<Reconciliation>)),
)]
#[get("/api/erp/reconciliations")]
pub(crate) async fn list(
    _: Viewer,
    state: web::Data<State>,
    Query(asked): Query<Listed<Runs>>,
) -> Result<HttpResponse, ApiError> {
    Ok(HttpResponse::Ok().json(listing::page(&state.pool, &asked.filter, asked.paging).await?))
}

/// One reconciliation
#[utoipa::path(
    tag = "reconciliations",
    operation_id = "readReconciliation",
    params(("id" = Uuid, Path)),
    responses((status = 200, body = Reconciliation), (status = 404, description = "There is no such run", body = ErrorBody)),
)]
#[get("/api/erp/reconciliations/{id}")]
pub(crate) async fn one(
    _: Viewer,
    id: web::Path<Uuid>,
    _: Query<Nothing>,
    state: web::Data<State>,
) -> Result<HttpResponse, ApiError> {
    Ok(HttpResponse::Ok().json(run_of(&state, *id).await?))
}

/// What a reconciliation found, newest first
///
/// Nothing until it has ended. With `Accept: text/csv` all that match, as a file. Under the nil UUID: doubles in FlashERP that workers met outside
/// of any run.
#[utoipa::path(
    tag = "reconciliations",
    operation_id = "listFindings",
    params(("id" = Uuid, Path), PagingParameters, FindingsParameters),
    responses(
        (status = 200, description = "A page, or the file", content((Page<Finding> = "application/json"), (String = "text/csv"))),
        (status = 404, description = "There is no such run", body = ErrorBody),
    ),
)]
#[get("/api/erp/reconciliations/{id}/findings")]
pub(crate) async fn findings(
    _: Viewer,
    id: web::Path<Uuid>,
    state: web::Data<State>,
    request: HttpRequest,
    Query(mut asked): Query<Listed<Findings>>,
) -> Result<HttpResponse, ApiError> {
    if !id.is_nil() {
        run_of(&state, *id).await?;
    }
    asked.filter.run = *id;
    history::answer(&state, &request, asked, "findings").await
}

/// Heal a finding
///
/// Its record is synced, whatever was sent last, and with it all else that was found of the record.
#[utoipa::path(
    tag = "reconciliations",
    operation_id = "healFinding",
    params(("id" = Uuid, Path), ("findingId" = Uuid, Path)),
    responses(
        (status = 200, body = Finding),
        (status = 404, description = "There is no such finding", body = ErrorBody),
        (status = 409, description = "It was decided on already, or no sync mends it", body = ErrorBody),
        (status = 503, description = "CONFIG_NOT_FOUND or CONFIG_DISABLED, or not available at the moment", body = ErrorBody),
    ),
)]
#[post("/api/erp/reconciliations/{id}/findings/{findingId}/heal")]
pub(crate) async fn heal(
    actor: Actor,
    path: web::Path<(Uuid, Uuid)>,
    _: Query<Nothing>,
    state: web::Data<State>,
    _: Body<Nothing>,
) -> Result<HttpResponse, ApiError> {
    enabled::check(&state).await?;
    let (run, id) = *path;
    decided(decide::heal(&state, &actor, run, id).await?, id)
}

/// Accept a finding
///
/// The difference is right as it is. Later runs keep to that as long as it is the same.
#[utoipa::path(
    tag = "reconciliations",
    operation_id = "acceptFinding",
    params(("id" = Uuid, Path), ("findingId" = Uuid, Path)),
    request_body = AcceptanceMembers,
    responses(
        (status = 200, body = Finding),
        (status = 404, description = "There is no such finding", body = ErrorBody),
        (status = 409, description = "It was decided on already", body = ErrorBody),
    ),
)]
#[post("/api/erp/reconciliations/{id}/findings/{findingId}/accept")]
pub(crate) async fn accept(
    actor: Actor,
    path: web::Path<(Uuid, Uuid)>,
    _: Query<Nothing>,
    state: web::Data<State>,
    Body(NeededNote(note)): Body<NeededNote>,
) -> Result<HttpResponse, ApiError> {
    let (run, id) = *path;
    decided(decide::decide(&state, &actor, run, id, Decision::Accepted, Some(&note)).await?, id)
}

/// Ignore a finding
///
/// Later runs keep to that as long as the difference is the same.
#[utoipa::path(
    tag = "reconciliations",
    operation_id = "ignoreFinding",
    params(("id" = Uuid, Path), ("findingId" = Uuid, Path)),
    request_body = NoteMembers,
    responses(
        (status = 200, body = Finding),
        (status = 404, description = "There is no such finding", body = ErrorBody),
        (status = 409, description = "It was decided on already", body = ErrorBody),
    ),
)]
#[post("/api/erp/reconciliations/{id}/findings/{findingId}/ignore")]
pub(crate) async fn ignore(
    actor: Actor,
    path: web::Path<(Uuid, Uuid)>,
    _: Query<Nothing>,
    state: web::Data<State>,
    Body(MaybeNote(note)): Body<MaybeNote>,
) -> Result<HttpResponse, ApiError> {
    let (run, id) = *path;
    decided(decide::decide(&state, &actor, run, id, Decision::Ignored, note.as_deref()).await?, id)
}

/// Heal all that a reconciliation found and a sync can mend
#[utoipa::path(
    tag = "reconciliations",
    operation_id = "healReconciliation",
    params(("id" = Uuid, Path)),
    request_body = HealAllMembers,
    responses(
        (status = 200, body = HealedAll),
        (status = 404, description = "There is no such run", body = ErrorBody),
        (status = 503, description = "CONFIG_NOT_FOUND or CONFIG_DISABLED, or not available at the moment", body = ErrorBody),
    ),
)]
#[post("/api/erp/reconciliations/{id}/heal")]
pub(crate) async fn heal_all(
    actor: Actor,
    id: web::Path<Uuid>,
    _: Query<Nothing>,
    state: web::Data<State>,
    Body(wanted): Body<HealAll>,
) -> Result<HttpResponse, ApiError> {
    enabled::check(&state).await?;
    run_of(&state, *id).await?;
    Ok(HttpResponse::Ok().json(decide::heal_all(&state, &actor, *id, &wanted).await?))
}

fn decided(decided: Decided, id: Uuid) -> Result<HttpResponse, ApiError> {
    match decided {
        Decided::Done(finding) => Ok(HttpResponse::Ok().json(*finding)),
        Decided::NotFound => Err(ApiError::new(ErrorCode::ResourceNotFound, format!("this run has no finding {id}"))),
        Decided::Refused(finding) => Err(ApiError::new(
            ErrorCode::ResourceConflict,
            "it was decided on already, or no sync mends it; `details` says how it stands",
        )
        .with_detail("decision", format!("is {}", finding.decision))
        .with_detail("class", format!("is {}", finding.class))),
    }
}

async fn run_of(state: &State, id: Uuid) -> Result<Reconciliation, ApiError> {
    runs::one(&state.pool, id).await?.ok_or_else(|| no_run(id))
}

fn no_run(id: Uuid) -> ApiError {
    ApiError::new(ErrorCode::ResourceNotFound, format!("there is no reconciliation {id}"))
}
