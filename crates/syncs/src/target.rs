//! The FlashERP that the configuration names, as a service calls it beside the workers: how its environment says it is called, and the client. A changed
//! configuration makes a new one.

use std::sync::Arc;
use std::time::Duration;

use domain::gate::BreakerSettings;
use flasherp::{CallMetrics, Client, GateSettings, Options, SharedGate, circuit_changed};
use secrets::Keyring;
use service::config_watch::{Versioned, Watched, watch_config};
use service::settings::{self, Env};
use sqlx::PgPool;
use time::OffsetDateTime;
use tokio::sync::{Notify, watch};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::{Scope, StoredConfiguration, View};

/// How long a service that has just started waits for its first look at the configuration.
const FIRST_READ: Duration = Duration::from_secs(10);

/// What a service's environment says of calls to FlashERP.
#[derive(Debug)]
pub struct Access {
    /// `ERP_ENCRYPTION_KEYS`: opens what the configuration row holds.
    keyring: Keyring,
    /// `FLASHERP_TIMEOUT_SECS`.
    timeout: Duration,
    /// `ERP_ALLOW_PRIVATE_BASE_URL`.
    allow_private: bool,
    gate: GateSettings,
    /// `FLASHERP_ENABLED=false`.
    disabled: bool,
}

/// `CIRCUIT_FAILURES`, `CIRCUIT_RESET_SECS`, `FLASHERP_MAX_RPS`: the gate that all who call FlashERP share.
pub fn gate_settings(env: &mut Env) -> GateSettings {
    GateSettings {
        breaker: BreakerSettings {
            failures: env.u32(&settings::CIRCUIT_FAILURES),
            reset: env.duration(&settings::CIRCUIT_RESET_SECS),
        },
        max_per_second: env.u32(&settings::FLASHERP_MAX_RPS),
    }
}

impl Access {
    /// Reads it; mistakes are collected in `env`.
    pub fn read(env: &mut Env) -> Self {
        Self {
            keyring: env.parsed(&settings::ERP_ENCRYPTION_KEYS, Keyring::random, |text| {
                Keyring::parse(text).map_err(|error| error.to_string())
            }),
            timeout: env.duration(&settings::FLASHERP_TIMEOUT_SECS),
            allow_private: env.flag(&settings::ERP_ALLOW_PRIVATE_BASE_URL),
            gate: gate_settings(env),
            disabled: env.opt_flag(&settings::FLASHERP_ENABLED) == Some(false),
        }
    }

    /// `FLASHERP_ENABLED=false`: no call is made, whatever the configuration says.
    #[must_use]
    pub const fn is_disabled(&self) -> bool {
        self.disabled
    }

    /// Keeps the FlashERP that is configured, by the service's own view of the row, until `stop`; `hurry` makes it look at once.
    pub fn watch(
        self,
        pool: &PgPool,
        view: View,
        hurry: Arc<Notify>,
        stop: CancellationToken,
    ) -> (Targets, JoinHandle<()>) {
        let gate = SharedGate::start(pool.clone(), self.gate, Arc::new(circuit_changed));
        let (disabled, access, pool) = (self.disabled, Arc::new(self), pool.clone());
        let load = move || {
            let (access, pool, gate) = (Arc::clone(&access), pool.clone(), gate.clone());
            async move { Target::load(&pool, view, &access, &gate).await }
        };
        let (watched, watching) = watch_config(load, hurry, stop);
        (Targets { watched, disabled }, watching)
    }
}

/// A FlashERP to call.
#[derive(Debug)]
pub struct Target {
    version: i64,
    /// Whether the integration is switched on in the configuration.
    is_enabled: bool,
    /// As configured; cursors belong to it.
    pub base_url: String,
    /// Calls it.
    pub client: Client,
    /// Since when it has been this FlashERP, this account; what changed before is `erpctl adopt`'s.
    pub adopted_at: Option<OffsetDateTime>,
    /// Which types are kept in step.
    pub scope: Scope,
}

impl Versioned for Target {
    fn version(&self) -> i64 {
        self.version
    }
}

impl Target {
    /// Reads the configuration; none when there is none.
    async fn load(pool: &PgPool, view: View, access: &Access, gate: &SharedGate) -> Result<Option<Self>, String> {
        let Some(stored) = StoredConfiguration::load_as(pool, view).await.map_err(told)? else { return Ok(None) };
        let options = Options {
            timeout: access.timeout,
            allow_private: access.allow_private,
            ..stored.options(&access.keyring).map_err(told)?
        };
        let client = Client::with(options, gate.of_version(stored.version()), Some(Arc::new(CallMetrics)));
        let client = client.map_err(told)?;
        Ok(Some(Self {
            version: stored.version(),
            is_enabled: stored.is_enabled(),
            base_url: stored.base_url().to_owned(),
            client,
            adopted_at: stored.adopted_at(),
            scope: stored.scope(),
        }))
    }
}

/// An error with its causes, in one line.
fn told(error: impl std::error::Error) -> String {
    let mut words = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        words.push_str(&format!(": {error}"));
        cause = error.source();
    }
    words
}

/// Why there is no FlashERP to call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Unusable {
    /// Nothing is known of the configuration yet.
    #[error("the configuration can't be read")]
    Unread,
    /// There is none.
    #[error("there is no configuration")]
    Absent,
    /// By the configuration, or by `FLASHERP_ENABLED=false`.
    #[error("the integration is switched off")]
    Off,
}

/// The FlashERP that is configured now.
#[derive(Debug, Clone)]
pub struct Targets {
    watched: watch::Receiver<Watched<Target>>,
    disabled: bool,
}

impl Targets {
    /// The one to call. Right after the start it may have to be read first.
    ///
    /// # Errors
    /// [`Unusable`].
    pub async fn in_use(&self) -> Result<Arc<Target>, Unusable> {
        let mut watched = self.watched.clone();
        let read = tokio::time::timeout(FIRST_READ, watched.wait_for(|target| !matches!(target, Watched::Unread)));
        let target = match read.await {
            Ok(Ok(target)) => target.present().cloned().ok_or(Unusable::Absent)?,
            Ok(Err(_)) | Err(_) => return Err(Unusable::Unread),
        };
        if target.is_enabled && !self.disabled { Ok(target) } else { Err(Unusable::Off) }
    }
}
