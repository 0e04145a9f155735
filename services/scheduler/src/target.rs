//! The FlashERP that the configuration names, as far as jobs call it. A changed configuration makes a new one.

use std::sync::Arc;

use anyhow::Context as _;
use flasherp::{Client, Observation, Observer, Options, SharedGate};
use secrets::{Keyring, Place};
use service::config_watch::Versioned;
use service::metrics::{Counter, Histogram};
use sqlx::{FromRow, PgPool};
use time::OffsetDateTime;
use url::Url;
use uuid::Uuid;

use crate::config::CallSettings;

/// The table that the ciphertexts are bound to.
const TABLE: &str = "config.erp_configurations";

/// A FlashERP to call.
#[derive(Debug)]
pub(crate) struct Target {
    version: i64,
    /// Whether the integration is switched on.
    pub(crate) enabled: bool,
    /// As configured; cursors belong to it.
    pub(crate) base_url: String,
    pub(crate) client: Client,
    /// What changed before this is `erpctl adopt`'s.
    pub(crate) adopted_at: Option<OffsetDateTime>,
}

impl Versioned for Target {
    fn version(&self) -> i64 {
        self.version
    }
}

#[derive(FromRow)]
struct Row {
    id: Uuid,
    base_url: String,
    api_key_enc: Vec<u8>,
    api_secret_enc: Vec<u8>,
    is_enabled: bool,
    adopted_at: Option<OffsetDateTime>,
    version: i64,
}

impl Target {
    /// Reads the configuration; none when there is none.
    ///
    /// # Errors
    /// The database can't be read; key or secret can't be decrypted; the base URL may not be called.
    pub(crate) async fn load(
        pool: &PgPool,
        keyring: &Keyring,
        settings: CallSettings,
        gate: &SharedGate,
    ) -> anyhow::Result<Option<Self>> {
        let row: Option<Row> = sqlx::query_as(
            "SELECT id, base_url, api_key_enc, api_secret_enc, is_enabled, adopted_at, version FROM config.for_scheduler",
        )
        .fetch_optional(pool)
        .await?;
        let Some(row) = row else { return Ok(None) };
        let open = |column, ciphertext: &[u8]| {
            keyring
                .decrypt(&Place { table: TABLE, row: row.id, column }, ciphertext)
                .with_context(|| format!("{column} of the configuration"))
        };
        let options = Options {
            timeout: settings.timeout,
            allow_private: settings.allow_private,
            ..Options::new(
                Url::parse(&row.base_url)?,
                open("api_key_enc", &row.api_key_enc)?,
                open("api_secret_enc", &row.api_secret_enc)?,
            )
        };
        let client = Client::with(options, gate.of_version(row.version), Some(Arc::new(CallMetrics)))?;
        Ok(Some(Self {
            version: row.version,
            enabled: row.is_enabled,
            base_url: row.base_url,
            client,
            adopted_at: row.adopted_at,
        }))
    }
}

struct CallMetrics;

impl Observer for CallMetrics {
    fn observed(&self, observation: &Observation) {
        let operation = observation.subject.operation.as_str();
        let code = observation.failure.map_or("ok", domain::ErrorCode::as_str);
        Counter::FlashErpCalls.increment(&[("operation", operation), ("code", code)]);
        Histogram::FlashErpCall.observe(observation.duration, &[("operation", operation)]);
        if observation.tries > 1 {
            Counter::FlashErpRetries.add(u64::from(observation.tries - 1), &[("operation", operation)]);
        }
    }
}
