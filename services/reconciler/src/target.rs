//! The FlashERP that the configuration names, as far as a reconciliation calls it. A changed configuration makes a new one.

use std::sync::Arc;

use flasherp::{CallMetrics, Client, Options, SharedGate};
use secrets::Keyring;
use service::config_watch::Versioned;
use sqlx::PgPool;
use syncs::{Scope, StoredConfiguration, View};
use time::OffsetDateTime;

use crate::config::CallSettings;

/// A FlashERP to read.
#[derive(Debug)]
pub(crate) struct Target {
    version: i64,
    /// Whether the integration is switched on.
    pub(crate) enabled: bool,
    pub(crate) client: Client,
    pub(crate) base_url: String,
    /// Since when it has been this FlashERP, this account.
    pub(crate) adopted_at: Option<OffsetDateTime>,
    /// Which types are kept in step.
    pub(crate) scope: Scope,
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
        let Some(stored) = StoredConfiguration::load_as(pool, View::Reconciler).await? else { return Ok(None) };
        let options =
            Options { timeout: settings.timeout, allow_private: settings.allow_private, ..stored.options(keyring)? };
        let client = Client::with(options, gate.of_version(stored.version()), Some(Arc::new(CallMetrics)))?;
        Ok(Some(Self {
            version: stored.version(),
            enabled: stored.is_enabled(),
            client,
            base_url: stored.base_url().to_owned(),
            adopted_at: stored.adopted_at(),
            scope: stored.scope(),
        }))
    }
}
