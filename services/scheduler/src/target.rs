//! The FlashERP that the configuration names, as far as jobs call it. A changed configuration makes a new one.

use std::sync::Arc;

use flasherp::{CallMetrics, Client, Options, SharedGate};
use secrets::Keyring;
use service::config_watch::{Versioned, Watched};
use sqlx::PgPool;
use syncs::{StoredConfiguration, View};
use time::OffsetDateTime;
use tokio::sync::watch;

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

/// How long a scheduler that has just started waits for its first look at the configuration.
const FIRST_READ: std::time::Duration = std::time::Duration::from_secs(10);

/// The configuration can't be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the configuration can't be read")]
pub(crate) struct Unread;

/// The FlashERP that is configured now.
#[derive(Debug, Clone)]
pub(crate) struct Targets {
    pub(crate) watched: watch::Receiver<Watched<Target>>,
    /// `FLASHERP_ENABLED=false`.
    pub(crate) disabled: bool,
}

impl Targets {
    /// The one to call; none while there is none, or it is switched off. Right after the start it may have to be read first.
    pub(crate) async fn in_use(&self) -> Result<Option<Arc<Target>>, Unread> {
        let mut watched = self.watched.clone();
        let read = tokio::time::timeout(FIRST_READ, watched.wait_for(|target| !matches!(target, Watched::Unread)));
        match read.await {
            Ok(Ok(target)) => Ok(target.present().filter(|target| target.enabled && !self.disabled).cloned()),
            Ok(Err(_)) | Err(_) => Err(Unread),
        }
    }
}
