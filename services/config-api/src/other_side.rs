//! A record on both sides: what a sync would send, and what FlashERP holds. Nothing is sent.
//!
//! FlashERP is asked through the gate that all callers share. A changed configuration takes a new client.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use actix_web::http::StatusCode;
use domain::{EntityType, ErrorCode, RequestId};
use flasherp::{BuildError, CallError, Client, Options, SharedGate};
use service::http::ApiError;
use syncs::preview::{Preview, PreviewError, Previews};
use syncs::{ConfigurationError, StoredConfiguration, View};
use uuid::Uuid;

use crate::State;

/// A person waits for the answer.
const ANSWERS_WITHIN: Duration = Duration::from_secs(10);
const TRIES: u32 = 2;

/// Calls the configured FlashERP.
pub(crate) struct OtherSide {
    gate: SharedGate,
    /// Of the configuration's version that it was made for.
    client: Mutex<Option<(i64, Client)>>,
}

/// Why both sides can't be compared.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CompareError {
    #[error("there is no configuration")]
    NoConfiguration,
    #[error("the configuration can't be used")]
    Configuration(#[from] ConfigurationError),
    #[error("FlashERP can't be called")]
    Client(#[from] BuildError),
    #[error(transparent)]
    Preview(#[from] PreviewError),
}

impl OtherSide {
    pub(crate) fn new(gate: SharedGate) -> Self {
        Self { gate, client: Mutex::new(None) }
    }

    fn client(&self, state: &State, stored: &StoredConfiguration) -> Result<Client, CompareError> {
        let mut cached = self.client.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((version, client)) = &*cached
            && *version == stored.version()
        {
            return Ok(client.clone());
        }
        let options = Options {
            timeout: ANSWERS_WITHIN,
            max_tries: TRIES,
            allow_private: state.config.allow_private_base_url,
            ..stored.options(&state.config.keyring)?
        };
        let client = Client::with(options, self.gate.of_version(stored.version()), None)?;
        *cached = Some((stored.version(), client.clone()));
        Ok(client)
    }
}

/// What a sync of a record would send, and how it differs from FlashERP's.
pub(crate) async fn compare(
    state: &State,
    kind: EntityType,
    id: Uuid,
    request: RequestId,
) -> Result<Preview, CompareError> {
    let stored = StoredConfiguration::load_as(&state.pool, View::ConfigApi).await.map_err(PreviewError::Database)?;
    let stored = stored.ok_or(CompareError::NoConfiguration)?;
    let client = state.other_side.client(state, &stored)?;
    let previews =
        Previews { pool: state.pool.clone(), client, scope: stored.scope(), adopted_at: stored.adopted_at() };
    Ok(Box::pin(previews.of(kind, id, request)).await?)
}

impl CompareError {
    /// What a caller is told; a fault of the database's or ours is `Err`.
    pub(crate) fn told(self) -> Result<(ErrorCode, String), ApiError> {
        Ok(match self {
            Self::NoConfiguration => {
                (ErrorCode::ConfigNotFound, "there is no configuration; save one first".to_owned())
            }
            Self::Configuration(error) => return Err(ApiError::internal(error)),
            Self::Client(error) => (ErrorCode::ConfigInvalid, error.to_string()),
            Self::Preview(PreviewError::NotFound) => {
                (ErrorCode::ResourceNotFound, "UpCoach has no such record".to_owned())
            }
            Self::Preview(PreviewError::Unreadable(problem)) => {
                (ErrorCode::ValidationError, format!("UpCoach's record can't be read: {problem}"))
            }
            Self::Preview(PreviewError::FlashErp(error)) => (error.code, error.message),
            Self::Preview(PreviewError::Database(error)) => return Err(error.into()),
        })
    }
}

/// As an answer of its own.
impl From<CompareError> for ApiError {
    fn from(error: CompareError) -> Self {
        let retry_after = match &error {
            CompareError::Preview(PreviewError::FlashErp(CallError { retry_after, .. })) => *retry_after,
            _ => None,
        };
        let is_flasherps = matches!(error, CompareError::Preview(PreviewError::FlashErp(_)));
        let status = match &error {
            CompareError::NoConfiguration | CompareError::Client(_) => StatusCode::SERVICE_UNAVAILABLE,
            CompareError::Preview(PreviewError::NotFound) => StatusCode::NOT_FOUND,
            CompareError::Preview(PreviewError::Unreadable(_)) => StatusCode::CONFLICT,
            // Not its 401: it is not the caller whom FlashERP refused.
            CompareError::Preview(PreviewError::FlashErp(_)) if retry_after.is_some() => {
                StatusCode::SERVICE_UNAVAILABLE
            }
            _ => StatusCode::BAD_GATEWAY,
        };
        let (code, message) = match error.told() {
            Ok(told) => told,
            Err(error) => return error,
        };
        let message = if is_flasherps { format!("FlashERP can't be asked what it holds: {message}") } else { message };
        let error = Self::new(code, message).with_status(status);
        match retry_after {
            Some(wait) => error.retry_after(wait),
            None => error,
        }
    }
}
