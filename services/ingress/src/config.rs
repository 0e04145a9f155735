//! What ingress is told by its environment.

use std::num::NonZeroU32;

use ipnet::IpNet;
use secrecy::{ExposeSecret as _, SecretString};
use secrets::Keyring;
use service::settings::{self, Env};

/// Settings of ingress beyond those that every service has.
#[derive(Clone, Debug)]
pub struct Config {
    /// `STRIPE_WEBHOOK_SECRET`: the active secrets, the newest first. Empty: Stripe's webhooks are answered 503.
    pub stripe_secrets: Vec<SecretString>,
    /// `WEBHOOK_RATE_LIMIT_STRIPE`: requests a minute and client address; `None` for no limit.
    pub stripe_rate_limit: Option<NonZeroU32>,
    /// `FLASHERP_WEBHOOK_SECRET`: accepted beside the configuration's.
    pub flasherp_secrets: Vec<SecretString>,
    /// `WEBHOOK_RATE_LIMIT_FLASHERP`: requests a minute and client address; `None` for no limit.
    pub flasherp_rate_limit: Option<NonZeroU32>,
    /// `FLASHERP_ENABLED=false`.
    pub flasherp_disabled: bool,
    /// Opens the configuration's secrets.
    pub keyring: Keyring,
    /// `TRUSTED_PROXIES`: whose `X-Forwarded-For` is believed.
    pub trusted_proxies: Vec<IpNet>,
}

impl Config {
    /// Reads them, noting mistakes in `env`.
    #[must_use]
    pub fn read(env: &mut Env) -> Self {
        let keyring = env.secret(&settings::ERP_ENCRYPTION_KEYS);
        let keyring = Keyring::parse(keyring.expose_secret()).unwrap_or_else(|error| {
            env.mistake(&settings::ERP_ENCRYPTION_KEYS, error.to_string());
            Keyring::random()
        });
        Self {
            flasherp_secrets: env.secrets(&settings::FLASHERP_WEBHOOK_SECRET),
            flasherp_rate_limit: NonZeroU32::new(env.u32(&settings::WEBHOOK_RATE_LIMIT_FLASHERP)),
            flasherp_disabled: env.opt_flag(&settings::FLASHERP_ENABLED) == Some(false),
            keyring,
            stripe_secrets: env.secrets(&settings::STRIPE_WEBHOOK_SECRET),
            stripe_rate_limit: NonZeroU32::new(env.u32(&settings::WEBHOOK_RATE_LIMIT_STRIPE)),
            trusted_proxies: env.networks(&settings::TRUSTED_PROXIES),
        }
    }
}
