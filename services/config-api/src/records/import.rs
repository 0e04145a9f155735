//! An import asked for over HTTP: the use case of the crate `import`, with a request's body for its file.
//!
//! It runs in a task of its own, so that a client that goes away ends it in order: as broken off, with what was committed and how far that is in
//! its row. If the process dies, the row says how far it was, and the same file under the same key goes on from there.

use std::time::Duration;

use actix_web::http::StatusCode;
use actix_web::web::Payload;
use domain::{EntityType, ErrorCode};
use import::{Asked, ImportError, LineError, Options, Summary};
use serde::Serialize;
use service::http::{ApiError, Detail};
use tokio::sync::Semaphore;
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use crate::input::{Fields, FromFields};
use crate::upload::{UploadError, upload};
use crate::{Actor, State, labels};

/// Bytes of one import at most. More is sent in several files.
pub(crate) const LARGEST_IMPORT: u64 = 1 << 30;
/// Imports at a time: each holds one of the pool's connections.
static IMPORTS: Semaphore = Semaphore::const_new(2);
/// Others that import are done some time.
const RETRY_AFTER: Duration = Duration::from_secs(30);

/// What all records are; without it each says so in `entityType`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Of(pub(crate) Option<EntityType>);

/// The parameters of [`Of`], for the API's description.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "describes what `Of` reads")]
pub(crate) struct ImportParameters {
    /// What all records are; without it each says so in its own `entityType`.
    #[param(rename = "entityType", schema_with = labels::imported_type_schema)]
    entity_type: Option<String>,
}

impl FromFields for Of {
    fn read(fields: &mut Fields) -> Self {
        Self(fields.one_of("entityType", &import::TYPES.map(|kind| (kind.as_str(), kind))))
    }
}

/// What came of an import.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Imported {
    /// The import among the batches.
    batch_id: Uuid,
    /// Whether an earlier request with this key had begun it, or had done it.
    is_resumed: bool,
    /// All of the file's; the numbers that follow add up to it.
    records: u64,
    /// New.
    created: u64,
    /// Brought up to date.
    updated: u64,
    /// Equal to what was there.
    unchanged: u64,
    /// Different, but fed by Stripe's events, and left to them.
    left_to_stripe: u64,
    /// Not taken.
    rejected: u64,
    /// Of the lines that were not taken, the first hundred.
    errors: Vec<LineNotTaken>,
    /// Lines that were not taken and are not in `errors`.
    errors_omitted: u64,
}

/// A line that was not taken.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct LineNotTaken {
    /// Counted from 1; of a CSV record over several lines the first one.
    line: u64,
    /// What it would have been, where that could be read.
    #[schema(required)]
    entity_type: Option<&'static str>,
    /// Its id, where that could be read.
    #[schema(required)]
    id: Option<Uuid>,
    /// What is wrong with it, field by field; a problem of the whole line has an empty `field`.
    details: Vec<Detail>,
}

impl From<Summary> for Imported {
    fn from(Summary { import_id, is_resumed, counts, errors }: Summary) -> Self {
        Self {
            batch_id: import_id.as_uuid(),
            is_resumed,
            records: counts.records,
            created: counts.created,
            updated: counts.updated,
            unchanged: counts.unchanged,
            left_to_stripe: counts.left_to_stripe,
            rejected: counts.rejected,
            errors_omitted: counts.rejected.saturating_sub(errors.len() as u64),
            errors: errors.into_iter().map(LineNotTaken::from).collect(),
        }
    }
}

impl From<LineError> for LineNotTaken {
    fn from(LineError { line, entity_type, id, problems }: LineError) -> Self {
        let details = problems.into_iter().map(|problem| Detail { field: problem.field, issue: problem.issue });
        Self { line, entity_type: entity_type.map(EntityType::as_str), id, details: details.collect() }
    }
}

/// Who asks, for the audit trail.
pub(crate) fn asked(actor: &Actor) -> Asked {
    Asked {
        by: Some(actor.subject.clone()),
        address: actor.address,
        user_agent: actor.user_agent.clone(),
        request_id: Some(actor.request_id.uuid()),
    }
}

/// Runs it to its end.
///
/// # Errors
/// What ended it before its file did.
pub(crate) async fn run(state: &State, body: Payload, options: Options) -> Result<Imported, ApiError> {
    let Ok(permit) = IMPORTS.try_acquire() else {
        let message = "others are importing; try again when they are done";
        return Err(ApiError::new(ErrorCode::ServiceUnavailable, message).retry_after(RETRY_AFTER));
    };
    let mut connection = state.pool.acquire().await?;
    let file = upload(body, LARGEST_IMPORT, state.shutdown.clone());
    let importing = tokio::spawn(async move {
        let _permit = permit;
        import::run(&mut connection, file, &options, |_| {}).await
    });
    let ended = importing.await.map_err(ApiError::internal)?;
    ended.map(Imported::from).map_err(refused)
}

fn refused(error: ImportError) -> ApiError {
    let conflict = |error: &ImportError| ApiError::new(ErrorCode::ResourceConflict, error.to_string());
    match error {
        ImportError::Header(issue) => {
            let message = "the first line has to name the fields; nothing was imported";
            ApiError::new(ErrorCode::ValidationError, message).with_detail("body", issue)
        }
        ImportError::Source(error) => match error.downcast::<UploadError>() {
            Ok(error) => broken_off(*error),
            Err(error) => ApiError::internal(anyhow::Error::from_boxed(error)),
        },
        ImportError::Differs { .. } | ImportError::KeyTaken => {
            conflict(&error).with_detail("Idempotency-Key", "belongs to another request")
        }
        ImportError::NoLongerOurs | ImportError::Views => conflict(&error),
        ImportError::Database(error) => error.into(),
    }
}

fn broken_off(error: UploadError) -> ApiError {
    const AGAIN: &str = "what was committed stays: send the same file with the same Idempotency-Key to go on";
    match error {
        UploadError::TooLarge => too_large(),
        UploadError::TooSlow => {
            ApiError::new(ErrorCode::Timeout, format!("the body did not go on within 30 s; {AGAIN}"))
                .with_status(StatusCode::REQUEST_TIMEOUT)
        }
        UploadError::Broken(_) => {
            ApiError::new(ErrorCode::InvalidRequest, format!("the body could not be read; {AGAIN}"))
        }
        UploadError::Stopping => ApiError::new(ErrorCode::ServiceUnavailable, format!("the service stops; {AGAIN}"))
            .retry_after(Duration::from_secs(2)),
    }
}

/// The body has more than [`LARGEST_IMPORT`].
pub(crate) fn too_large() -> ApiError {
    let message = "the body has more than 1 GiB; split the file (what was committed of this one stays)";
    ApiError::new(ErrorCode::InvalidRequest, message).with_status(StatusCode::PAYLOAD_TOO_LARGE)
}
