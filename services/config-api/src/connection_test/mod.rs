//! Tries a connection to FlashERP before or after it is saved, and says step by step how far it came.
//!
//! It passes by the gate and tells it nothing: a test says nothing of how the saved configuration fares. The base URL is guarded as
//! everywhere, at the look-up here and again when the connection is made; redirects are not followed. It changes nothing; the audit row says
//! that it was tried.

mod steps;

use std::time::{Duration, Instant};

use domain::{ErrorCode, RequestId};
use flasherp::{Call, Client, Health, HealthStatus as Word, Options};
use secrecy::SecretString;
use serde::Serialize;
use serde_json::{Value, json};
use service::http::ApiError;
use time::OffsetDateTime;
use url::Url;
use utoipa::ToSchema;

use crate::audit::{Action, Entry};
use crate::configuration::{HealthStatus, Row, base_url, check_base_url, credential};
use crate::input::{Fields, FromFields};
use crate::timestamp::Timestamp;
use crate::{Actor, State};

pub use steps::{Step, StepName, StepStatus};

/// How long FlashERP may take to answer.
const ANSWERS_WITHIN: Duration = Duration::from_secs(10);
/// An answer that takes longer makes it degraded.
const SLOW: Duration = Duration::from_secs(2);

/// What is to be tried; what is absent is taken from the configuration.
#[derive(Clone, Debug, Default, ToSchema)]
#[schema(as = ConnectionCandidate, rename_all = "camelCase")]
pub struct Candidate {
    #[schema(rename = "baseURL", value_type = Option<String>, nullable = false, min_length = 1, max_length = 2000, format = "uri")]
    base_url: Option<Url>,
    #[schema(value_type = Option<String>, nullable = false, min_length = 1, max_length = 2000, pattern = "^[!-~]+$")]
    api_key: Option<SecretString>,
    #[schema(value_type = Option<String>, nullable = false, min_length = 1, max_length = 2000, pattern = "^[!-~]+$")]
    api_secret: Option<SecretString>,
}

impl FromFields for Candidate {
    fn read(fields: &mut Fields) -> Self {
        Self {
            base_url: base_url(fields),
            api_key: credential(fields, "apiKey"),
            api_secret: credential(fields, "apiSecret"),
        }
    }
}

/// How it went.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ConnectionTest {
    /// Whether FlashERP answered and let us in.
    pub success: bool,
    /// Whether it is well, too.
    pub healthy: bool,
    pub status: HealthStatus,
    /// In words, with what to do.
    pub message: String,
    /// Of FlashERP's answer, in milliseconds; of the whole test where none came.
    #[schema(minimum = 0)]
    pub latency: u64,
    pub timestamp: Timestamp,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, nullable = false)]
    pub error_code: Option<&'static str>,
    /// How far it came, in this order.
    pub steps: Vec<Step>,
}

/// Tries it.
///
/// # Errors
/// The database. That FlashERP can't be reached is no error here.
pub async fn test(state: &State, actor: &Actor, candidate: &Candidate) -> Result<ConnectionTest, ApiError> {
    let row = Row::load(&state.pool).await?;
    let begun = Instant::now();
    let test = match options(state, candidate, row.as_ref()) {
        Some(options) => tried(options, actor, begun).await,
        None => ended(
            begun,
            ErrorCode::ConfigNotFound,
            "there is no configuration: send baseURL, apiKey and apiSecret to try them".to_owned(),
            steps::none(),
        ),
    };
    audit(state, actor, candidate, row.as_ref(), &test).await?;
    Ok(test)
}

/// What is to be tried with; none if something is given neither by the candidate nor by the configuration.
fn options(state: &State, candidate: &Candidate, row: Option<&Row>) -> Option<Options> {
    let keyring = &state.config.keyring;
    let base_url = candidate.base_url.clone().or_else(|| Url::parse(row?.base_url()).ok())?;
    let api_key = candidate.api_key.clone().or_else(|| row?.api_key(keyring))?;
    let api_secret = candidate.api_secret.clone().or_else(|| row?.api_secret(keyring))?;
    let options = Options::new(base_url, api_key, api_secret);
    Some(Options { allow_private: state.config.allow_private_base_url, ..options })
}

async fn tried(options: Options, actor: &Actor, begun: Instant) -> ConnectionTest {
    let is_https = options.base_url.scheme() == "https";
    if let Err(issue) = check_base_url(&options.base_url, options.allow_private).await {
        return ended(begun, ErrorCode::ConfigInvalid, issue.clone(), steps::address_refused(issue));
    }
    let client = match Client::new(options) {
        Ok(client) => client,
        Err(error) => {
            return ended(
                begun,
                ErrorCode::ConfigInvalid,
                error.to_string(),
                steps::address_refused(error.to_string()),
            );
        }
    };
    let sent = Instant::now();
    let call = Call::new(RequestId(actor.request_id.uuid())).once().within(ANSWERS_WITHIN);
    match client.health(&call).await {
        Ok(health) => passed(&health, sent.elapsed(), is_https),
        Err(error) => {
            let (steps, message) = steps::failed(&error, is_https);
            ended(begun, error.code, message, steps)
        }
    }
}

fn passed(health: &Health, latency: Duration, is_https: bool) -> ConnectionTest {
    let is_slow = latency > SLOW;
    let is_well = health.status == Word::Ok;
    let message = match (is_well, is_slow) {
        (true, false) => "FlashERP answers, lets us in and is well",
        (true, true) => "FlashERP answers and lets us in, but slowly",
        (false, _) => "FlashERP answers and lets us in, and says of itself that it is degraded",
    };
    ConnectionTest {
        success: true,
        healthy: is_well && !is_slow,
        status: if is_well && !is_slow { HealthStatus::Healthy } else { HealthStatus::Degraded },
        message: message.to_owned(),
        latency: millis(latency),
        timestamp: OffsetDateTime::now_utc().into(),
        error_code: None,
        steps: steps::passed(health, latency, is_slow, is_https),
    }
}

fn ended(begun: Instant, code: ErrorCode, message: String, steps: Vec<Step>) -> ConnectionTest {
    ConnectionTest {
        success: false,
        healthy: false,
        status: HealthStatus::Down,
        message,
        latency: millis(begun.elapsed()),
        timestamp: OffsetDateTime::now_utc().into(),
        error_code: Some(code.as_str()),
        steps,
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// A URL without what does not belong into a base URL and may be a secret. It need not be one that can be saved.
fn address_of(url: &Url) -> String {
    let mut url = url.clone();
    url.set_query(None);
    url.set_fragment(None);
    // A URL that can have neither has neither.
    let _has_none = url.set_password(None).and_then(|()| url.set_username(""));
    url.into()
}

async fn audit(
    state: &State,
    actor: &Actor,
    candidate: &Candidate,
    row: Option<&Row>,
    test: &ConnectionTest,
) -> Result<(), ApiError> {
    let mut connection = state.pool.acquire().await?;
    let entry = Entry {
        action: Action::HealthCheck,
        operation: "config.tested",
        entity_type: "configuration",
        entity_id: row.map(|row| row.id().to_string()),
        succeeded: test.success,
        request: json!({
            "baseURL": candidate.base_url.as_ref().map(address_of),
            "apiKey": candidate.api_key.as_ref().map(|_| true),
            "apiSecret": candidate.api_secret.as_ref().map(|_| true),
        }),
        response: json!(test),
        metadata: Value::Object(serde_json::Map::new()),
    };
    entry.insert(&mut connection, actor).await?;
    Ok(())
}
