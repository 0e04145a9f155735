//! The sandbox's own settings; the common ones (addresses, logs, port file) are read by the service kit.

use std::path::PathBuf;

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
    /// `SANDBOX_CONTROL_TOKEN`: what callers of the control API must send who are not on this machine; without one they are refused.
    pub control_token: Option<SecretString>,
    /// `SANDBOX_CAPABILITIES`: what `/health` lists, and what works.
    pub capabilities: Capabilities,
    /// `SANDBOX_LATENCY_MS`: how long each call takes.
    pub latency: Latency,
    /// `SANDBOX_SNAPSHOT_FILE`: where records are kept, if anywhere.
    pub snapshot_file: Option<PathBuf>,
    /// `FLASHERP_TARGET_URL`: where FlashERP's webhooks go.
    pub webhook_target: Url,
    /// `FLASHERP_WEBHOOK_SECRET`: what they are signed with, each.
    pub webhook_secrets: Vec<SecretString>,
    /// `STRIPE_TARGET_URL`: where Stripe's events go.
    pub stripe_target: Url,
    /// `STRIPE_WEBHOOK_SECRET`: what they are signed with; the first of several.
    pub stripe_secret: Option<SecretString>,
    /// `STRIPE_API_KEY`: what callers of Stripe's API must send.
    pub stripe_api_key: Option<SecretString>,
}

impl Config {
    /// Reads them.
    pub fn read(env: &mut Env) -> Self {
        Self {
            credentials: Credentials {
                api_key: env.secret(&settings::SANDBOX_API_KEY),
                api_secret: env.secret(&settings::SANDBOX_API_SECRET),
            },
            control_token: env.opt_secret(&settings::SANDBOX_CONTROL_TOKEN),
            capabilities: env
                .list(&settings::SANDBOX_CAPABILITIES)
                .iter()
                .filter_map(|name| Capability::from_name(name))
                .collect(),
            latency: Latency::fixed(env.u64(&settings::SANDBOX_LATENCY_MS)),
            snapshot_file: env.opt_path(&settings::SANDBOX_SNAPSHOT_FILE),
            webhook_target: env.url(&settings::FLASHERP_TARGET_URL),
            webhook_secrets: env.secrets(&settings::FLASHERP_WEBHOOK_SECRET),
            stripe_target: env.url(&settings::STRIPE_TARGET_URL),
            stripe_secret: env.secrets(&settings::STRIPE_WEBHOOK_SECRET).into_iter().next(),
            stripe_api_key: env.opt_secret(&settings::STRIPE_API_KEY),
        }
    }
}
