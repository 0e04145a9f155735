//! The FlashERP that the configuration names, as far as jobs call it. A changed configuration makes a new one.

use std::sync::Arc;

use flasherp::{Client, Observation, Observer, Options, SharedGate};
use secrets::Keyring;
use service::config_watch::Versioned;
use service::metrics::{Counter, Histogram};
use sqlx::PgPool;
use syncs::{StoredConfiguration, View};
use time::OffsetDateTime;

use crate::config::CallSettings;

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
        let Some(stored) = StoredConfiguration::load_as(pool, View::Scheduler).await? else { return Ok(None) };
        let options =
            Options { timeout: settings.timeout, allow_private: settings.allow_private, ..stored.options(keyring)? };
        let client = Client::with(options, gate.of_version(stored.version()), Some(Arc::new(CallMetrics)))?;
        Ok(Some(Self {
            version: stored.version(),
            enabled: stored.is_enabled(),
            base_url: stored.base_url().to_owned(),
            client,
            adopted_at: stored.adopted_at(),
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
