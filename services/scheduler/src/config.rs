//! What the scheduler is told by its environment.

use std::time::Duration;

use domain::gate::BreakerSettings;
use flasherp::GateSettings;
use secrets::Keyring;
use service::settings::{self, Env};

/// Settings of the scheduler beyond those that every service has.
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
    /// Stripe's API, if there is a key.
    pub stripe: Option<stripe::Client>,
    /// How missed events are looked for.
    pub pull: PullSettings,
    /// `JOB_LEASE_SECS`.
    pub lease: Duration,
    /// `WEBHOOK_BODY_RETENTION_DAYS`; none: bodies are kept.
    pub body_retention: Option<time::Duration>,
}

/// How FlashERP is called.
#[derive(Debug, Clone, Copy)]
pub struct CallSettings {
    /// `FLASHERP_TIMEOUT_SECS`.
    pub timeout: Duration,
    /// `ERP_ALLOW_PRIVATE_BASE_URL`.
    pub allow_private: bool,
}

/// How missed events are looked for.
#[derive(Debug, Clone, Copy)]
pub struct PullSettings {
    /// `MISSED_EVENTS_OVERLAP_SECS`.
    pub overlap: time::Duration,
    /// `MISSED_EVENTS_GRACE_SECS`.
    pub grace: time::Duration,
}

impl Config {
    /// Reads them; mistakes are collected in `env`.
    pub fn read(env: &mut Env) -> Self {
        let keyring = env.parsed(&settings::ERP_ENCRYPTION_KEYS, Keyring::random, |text| {
            Keyring::parse(text).map_err(|error| error.to_string())
        });
        let allow_private = env.flag(&settings::ERP_ALLOW_PRIVATE_BASE_URL);
        let days = i64::from(env.u32(&settings::WEBHOOK_BODY_RETENTION_DAYS));
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
            stripe: stripe::from_env(env),
            pull: PullSettings {
                overlap: seconds(env.duration(&settings::MISSED_EVENTS_OVERLAP_SECS)),
                grace: seconds(env.duration(&settings::MISSED_EVENTS_GRACE_SECS)),
            },
            lease: env.duration(&settings::JOB_LEASE_SECS),
            body_retention: (days > 0).then(|| time::Duration::days(days)),
        }
    }
}

/// The settings' bounds keep it far from what a signed number of seconds can't hold.
fn seconds(duration: Duration) -> time::Duration {
    time::Duration::seconds(i64::try_from(duration.as_secs()).unwrap_or(i64::MAX))
}
