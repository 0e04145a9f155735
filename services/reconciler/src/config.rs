//! What the reconciler is told by its environment.

use std::time::Duration;

use service::settings::{self, Env};
use syncs::target::Access;

/// Settings of the reconciler beyond those that every service has.
#[derive(Debug)]
pub struct Config {
    /// How FlashERP is called.
    pub flasherp: Access,
    /// How runs are carried out.
    pub runs: RunSettings,
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
        Self {
            flasherp: Access::read(env),
            runs: RunSettings {
                lease: env.duration(&settings::RECONCILIATION_LEASE_SECS),
                at_once: env.usize(&settings::RECONCILIATION_SLICES),
                patience: env.duration(&settings::RECONCILIATION_PATIENCE_SECS),
                auto_heal_cap: env.u32(&settings::RECONCILIATION_AUTO_HEAL_CAP),
            },
        }
    }
}
