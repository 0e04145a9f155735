//! The FlashERP that the configuration names: client, scope and what it can do. A changed configuration makes a new one.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use domain::RequestId;
use flasherp::{Call, Client, Observation, Observer, Options, SharedGate};
use secrets::{Keyring, Place};
use service::config_watch::Versioned;
use service::metrics::{Counter, Histogram};
use sqlx::PgPool;
use syncs::Scope;
use time::OffsetDateTime;
use url::Url;
use uuid::Uuid;

/// The table that the ciphertexts are bound to.
const TABLE: &str = "config.erp_configurations";

/// How calls are made.
#[derive(Debug, Clone, Copy)]
pub struct CallSettings {
    /// `FLASHERP_TIMEOUT_SECS`.
    pub timeout: Duration,
    /// `ERP_ALLOW_PRIVATE_BASE_URL`.
    pub allow_private: bool,
    /// `SYNC_MAX_IN_FLIGHT`.
    pub in_flight: usize,
}

/// A FlashERP to sync with.
#[derive(Debug)]
pub struct Target {
    version: i64,
    pub(super) client: Client,
    pub(super) scope: Scope,
    /// What was born before this may be there already.
    pub(super) adopted_at: Option<OffsetDateTime>,
    honours_keys: AtomicBool,
}

impl Versioned for Target {
    fn version(&self) -> i64 {
        self.version
    }
}

#[derive(sqlx::FromRow)]
struct Row {
    id: Uuid,
    base_url: String,
    api_key_enc: Vec<u8>,
    api_secret_enc: Vec<u8>,
    sync_scope: sqlx::types::Json<Scope>,
    adopted_at: Option<OffsetDateTime>,
    version: i64,
}

impl Target {
    /// Reads the configuration; none when there is none.
    ///
    /// # Errors
    /// The database can't be read; key or secret can't be decrypted; the base URL may not be called.
    pub async fn load(
        pool: &PgPool,
        keyring: &Keyring,
        settings: CallSettings,
        gate: &SharedGate,
    ) -> anyhow::Result<Option<Self>> {
        let row: Option<Row> = sqlx::query_as(
            "SELECT id, base_url, api_key_enc, api_secret_enc, sync_scope, adopted_at, version FROM config.for_sync_worker",
        )
        .fetch_optional(pool)
        .await?;
        let Some(row) = row else { return Ok(None) };
        let open = |column, ciphertext: &[u8]| {
            keyring
                .decrypt(&Place { table: TABLE, row: row.id, column }, ciphertext)
                .map_err(|error| anyhow::anyhow!("{column} of the configuration: {error}"))
        };
        let options = Options {
            timeout: settings.timeout,
            allow_private: settings.allow_private,
            in_flight: settings.in_flight,
            ..Options::new(
                Url::parse(&row.base_url)?,
                open("api_key_enc", &row.api_key_enc)?,
                open("api_secret_enc", &row.api_secret_enc)?,
            )
        };
        let client = Client::with(options, gate.of_version(row.version), Some(Arc::new(CallMetrics)))?;
        Ok(Some(Self {
            version: row.version,
            client,
            scope: row.sync_scope.0,
            adopted_at: row.adopted_at,
            honours_keys: AtomicBool::new(false),
        }))
    }

    /// How it is called, also by inbound, which only reads.
    pub(crate) const fn client(&self) -> &Client {
        &self.client
    }

    /// Whether FlashERP said lately that it honours idempotency keys. Until it has, it does not.
    pub(super) fn honours_keys(&self) -> bool {
        self.honours_keys.load(Ordering::Relaxed)
    }

    /// Asks FlashERP what it can do. A failure changes nothing.
    pub(super) async fn refresh_capabilities(&self) {
        let call = Call::new(RequestId(Uuid::new_v4())).once();
        match self.client.health(&call).await {
            Ok(health) => self.honours_keys.store(health.capabilities.idempotency_key, Ordering::Relaxed),
            Err(error) => tracing::warn!(code = error.code.as_str(), "FlashERP did not say what it can do"),
        }
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
