//! The sandbox's own settings; the common ones (addresses, logs, port file) are read by the service kit.

use secrecy::SecretString;
use service::settings::{self, Env};
use url::Url;

use crate::{
    api::Credentials,
    capability::{Capabilities, Capability},
    misbehaviour::Latency,
};

/// How a sandbox starts.
#[derive(Debug, Clone)]
pub struct Config {
    /// `SANDBOX_API_KEY` and `SANDBOX_API_SECRET`: what callers must send.
    pub credentials: Credentials,
    /// `SANDBOX_CAPABILITIES`: what `/health` lists, and what works.
    pub capabilities: Capabilities,
    /// `SANDBOX_LATENCY_MS`: how long each call takes.
    pub latency: Latency,
    /// `STRIPE_TARGET_URL`: where Stripe's events go.
    pub stripe_target: Url,
    /// `STRIPE_WEBHOOK_SECRET`: what they are signed with; the first of several.
    pub stripe_secret: Option<SecretString>,
}

impl Config {
    /// Reads them.
    pub fn read(env: &mut Env) -> Self {
        Self {
            credentials: Credentials {
                api_key: env.secret(&settings::SANDBOX_API_KEY),
                api_secret: env.secret(&settings::SANDBOX_API_SECRET),
            },
            capabilities: env
                .list(&settings::SANDBOX_CAPABILITIES)
                .iter()
                .filter_map(|name| Capability::from_name(name))
                .collect(),
            latency: Latency::fixed(env.u64(&settings::SANDBOX_LATENCY_MS)),
            stripe_target: env.url(&settings::STRIPE_TARGET_URL),
            stripe_secret: env.secrets(&settings::STRIPE_WEBHOOK_SECRET).into_iter().next(),
        }
    }
}
