//! What the reconciler is told by its environment.

use std::time::Duration;

use domain::gate::BreakerSettings;
use flasherp::GateSettings;
use secrets::Keyring;
use service::settings::{self, Env};

/// Settings of the reconciler beyond those that every service has.
#[derive(Debug)]
pub struct Config {
    /// `ERP_ENCRYPTION_KEYS`: opens what the configuration row holds.
    pub keyring: Keyring,
    /// How FlashERP is called.
    pub calls: CallSettings,
    /// When it is not.
    pub gate: GateSettings,
    /// `FLASHERP_ENABLED=false`.
    pub disabled_by_environment: bool,
    /// How runs are carried out.
    pub runs: RunSettings,
}

/// How FlashERP is called.
#[derive(Debug, Clone, Copy)]
pub struct CallSettings {
    /// `FLASHERP_TIMEOUT_SECS`.
    pub timeout: Duration,
    /// `ERP_ALLOW_PRIVATE_BASE_URL`.
    pub allow_private: bool,
}

/// How runs are carried out.
#[derive(Debug, Clone, Copy)]
pub struct RunSettings {
    /// `RECONCILIATION_LEASE_SECS`.
    pub lease: Duration,
    /// `RECONCILIATION_SLICES`: calls in flight.
    pub at_once: usize,
    /// `RECONCILIATION_PATIENCE_SECS`: for one call, its repeats included.
    pub patience: Duration,
    /// `RECONCILIATION_AUTO_HEAL_CAP`.
    pub auto_heal_cap: u32,
}

impl Config {
    /// Reads them; mistakes are collected in `env`.
    pub fn read(env: &mut Env) -> Self {
        let keyring = env.parsed(&settings::ERP_ENCRYPTION_KEYS, Keyring::random, |text| {
            Keyring::parse(text).map_err(|error| error.to_string())
        });
        let allow_private = env.flag(&settings::ERP_ALLOW_PRIVATE_BASE_URL);
        Self {
            keyring,
            calls: CallSettings { timeout: env.duration(&settings::FLASHERP_TIMEOUT_SECS), allow_private },
            gate: GateSettings {
                breaker: BreakerSettings {
                    failures: env.u32(&settings::CIRCUIT_FAILURES),
                    reset: env.duration(&settings::CIRCUIT_RESET_SECS),
                },
                max_per_second: env.u32(&settings::FLASHERP_MAX_RPS),
            },
            disabled_by_environment: env.opt_flag(&settings::FLASHERP_ENABLED) == Some(false),
            runs: RunSettings {
                lease: env.duration(&settings::RECONCILIATION_LEASE_SECS),
                at_once: env.usize(&settings::RECONCILIATION_SLICES),
                patience: env.duration(&settings::RECONCILIATION_PATIENCE_SECS),
                auto_heal_cap: env.u32(&settings::RECONCILIATION_AUTO_HEAL_CAP),
            },
        }
    }
}
