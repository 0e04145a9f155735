//! The FlashERP that the configuration names: client, scope and what it can do. A changed configuration makes a new one.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use domain::RequestId;
use flasherp::{Call, CallMetrics, Client, Options, SharedGate};
use secrets::Keyring;
use service::config_watch::Versioned;
use syncs::{Scope, StoredConfiguration};
use time::OffsetDateTime;
use uuid::Uuid;

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

impl Target {
    /// Of a configuration.
    ///
    /// # Errors
    /// Key or secret can't be decrypted; the base URL may not be called.
    pub fn of(
        stored: &StoredConfiguration,
        keyring: &Keyring,
        settings: CallSettings,
        gate: &SharedGate,
    ) -> anyhow::Result<Self> {
        let options = Options {
            timeout: settings.timeout,
            allow_private: settings.allow_private,
            in_flight: settings.in_flight,
            ..stored.options(keyring)?
        };
        let client = Client::with(options, gate.of_version(stored.version()), Some(Arc::new(CallMetrics)))?;
        Ok(Self {
            version: stored.version(),
            client,
            scope: stored.scope(),
            adopted_at: stored.adopted_at(),
            honours_keys: AtomicBool::new(false),
        })
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
