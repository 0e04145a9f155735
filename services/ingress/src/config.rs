//! What ingress is told by its environment.

use std::num::NonZeroU32;

use ipnet::IpNet;
use secrecy::SecretString;
use service::settings::{self, Env};

/// Settings of ingress beyond those that every service has.
#[derive(Clone, Debug)]
pub struct Config {
    /// `STRIPE_WEBHOOK_SECRET`: the active secrets, the newest first. Empty: Stripe's webhooks are answered 503.
    pub stripe_secrets: Vec<SecretString>,
    /// `WEBHOOK_RATE_LIMIT_STRIPE`: requests a minute and client address; `None` for no limit.
    pub stripe_rate_limit: Option<NonZeroU32>,
    /// `TRUSTED_PROXIES`: whose `X-Forwarded-For` is believed.
    pub trusted_proxies: Vec<IpNet>,
}

impl Config {
    /// Reads them, noting mistakes in `env`.
    #[must_use]
    pub fn read(env: &mut Env) -> Self {
        Self {
            stripe_secrets: env.secrets(&settings::STRIPE_WEBHOOK_SECRET),
            stripe_rate_limit: NonZeroU32::new(env.u32(&settings::WEBHOOK_RATE_LIMIT_STRIPE)),
            trusted_proxies: env.networks(&settings::TRUSTED_PROXIES),
        }
    }
}
