//! `/api/erp/jobs`: the scheduler's timetable.

use actix_web::{HttpResponse, get, post, web};
use service::auth::Viewer;
use service::http::{ApiError, ErrorBody};

use crate::input::{Body, Nothing, Query};
use crate::jobs::{self as timetable, JobChanged, JobRun, Jobs, Runs, RunsParameters};
use crate::listing::{self, Listed};
use crate::paging::{Page, PagingParameters};
use crate::pause::MaybeReason;
use crate::{Actor, State};

/// Why a job is paused where nobody says it.
const BY_HAND: &str = "by hand";

/// All jobs, with their newest run
#[utoipa::path(tag = "jobs", operation_id = "listJobs", responses((status = 200, body = Jobs)))]
#[get("/api/erp/jobs")]
pub(crate) async fn list(_: Viewer, _: Query<Nothing>, state: web::Data<State>) -> Result<web::Json<Jobs>, ApiError> {
    Ok(web::Json(timetable::list(&state.pool).await?))
}

/// The runs of a job, newest first
///
/// As far back as histories are kept (`HISTORY_RETENTION_DAYS`).
#[utoipa::path(
    tag = "jobs",
    operation_id = "listJobRuns",
    params(
        ("name" = String, Path, pattern = "^[a-z0-9-]{1,63}$", description = "The job's name"),
        PagingParameters,
        RunsParameters,
    ),
    responses(
        (status = 200, body = Page<JobRun>),
        (status = 404, description = "RESOURCE_NOT_FOUND: no job of this name", body = ErrorBody),
    ),
)]
#[get("/api/erp/jobs/{name}/runs")]
pub(crate) async fn runs(
    _: Viewer,
    state: web::Data<State>,
    name: web::Path<String>,
    Query(asked): Query<Listed<Runs>>,
) -> Result<web::Json<Page<JobRun>>, ApiError> {
    let runs = asked.filter.of(&state.pool, &name).await?;
    Ok(web::Json(listing::page(&state.pool, &runs, asked.paging).await?))
}

/// Run a job now
///
/// It is made due; the scheduler fires it within a second, or when the run in hand is over.
#[utoipa::path(
    tag = "jobs",
    operation_id = "runJob",
    params(("name" = String, Path, pattern = "^[a-z0-9-]{1,63}$", description = "The job's name")),
    responses(
        (status = 202, body = JobChanged),
        (status = 404, description = "RESOURCE_NOT_FOUND: no job of this name", body = ErrorBody),
        (status = 409, description = "RESOURCE_CONFLICT: it is paused", body = ErrorBody),
    ),
)]
#[post("/api/erp/jobs/{name}/run")]
pub(crate) async fn run(
    actor: Actor,
    _: Query<Nothing>,
    state: web::Data<State>,
    name: web::Path<String>,
    _: Body<Nothing>,
) -> Result<HttpResponse, ApiError> {
    Ok(HttpResponse::Accepted().json(timetable::run(&state, &actor, &name).await?))
}

/// Pause a job
#[utoipa::path(
    tag = "jobs",
    operation_id = "pauseJob",
    params(("name" = String, Path, pattern = "^[a-z0-9-]{1,63}$", description = "The job's name")),
    request_body = MaybeReason,
    responses(
        (status = 200, body = JobChanged),
        (status = 404, description = "RESOURCE_NOT_FOUND: no job of this name", body = ErrorBody),
    ),
)]
#[post("/api/erp/jobs/{name}/pause")]
pub(crate) async fn pause(
    actor: Actor,
    _: Query<Nothing>,
    state: web::Data<State>,
    name: web::Path<String>,
    Body(MaybeReason { reason }): Body<MaybeReason>,
) -> Result<web::Json<JobChanged>, ApiError> {
    Ok(web::Json(timetable::pause(&state, &actor, &name, reason.as_deref().unwrap_or(BY_HAND)).await?))
}

/// Resume a job
///
/// One that was due meanwhile runs once.
#[utoipa::path(
    tag = "jobs",
    operation_id = "resumeJob",
    params(("name" = String, Path, pattern = "^[a-z0-9-]{1,63}$", description = "The job's name")),
    responses(
        (status = 200, body = JobChanged),
        (status = 404, description = "RESOURCE_NOT_FOUND: no job of this name", body = ErrorBody),
    ),
)]
#[post("/api/erp/jobs/{name}/resume")]
pub(crate) async fn resume(
    actor: Actor,
    _: Query<Nothing>,
    state: web::Data<State>,
    name: web::Path<String>,
    _: Body<Nothing>,
) -> Result<web::Json<JobChanged>, ApiError> {
    Ok(web::Json(timetable::resume(&state, &actor, &name).await?))
}
