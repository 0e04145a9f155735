//! What config-api is told by its environment.

use flasherp::GateSettings;
use ipnet::IpNet;
use secrecy::SecretString;
use secrets::Keyring;
use service::settings::{self, Env};
use syncs::target::gate_settings;
use url::Url;

use crate::first_configuration::FromEnvironment;

/// Settings of config-api beyond those that every service has.
#[derive(Clone, Debug)]
pub struct Config {
    /// `ERP_ENCRYPTION_KEYS`.
    pub keyring: Keyring,
    /// `ERP_ALLOW_PRIVATE_BASE_URL`.
    pub allow_private_base_url: bool,
    /// The five `FLASHERP_` variables.
    pub first: FromEnvironment,
    /// The `AUTH_` variables: whose tokens are believed.
    pub auth: service::auth::Settings,
    /// `TRUSTED_PROXIES`: whose `X-Forwarded-For` is believed.
    pub trusted_proxies: Vec<IpNet>,
    /// `CIRCUIT_FAILURES`, `CIRCUIT_RESET_SECS`, `FLASHERP_MAX_RPS`: the gate that all who call FlashERP share.
    pub gate: GateSettings,
}

impl Config {
    /// Reads them, noting mistakes in `env`.
    #[must_use]
    pub fn read(env: &mut Env) -> Self {
        let keyring = env.parsed(&settings::ERP_ENCRYPTION_KEYS, Keyring::random, |text| {
            Keyring::parse(text).map_err(|error| error.to_string())
        });
        let allow_private_base_url = env.flag(&settings::ERP_ALLOW_PRIVATE_BASE_URL);
        let first = FromEnvironment {
            enabled: env.opt_flag(&settings::FLASHERP_ENABLED),
            api_key: env.opt_secret(&settings::FLASHERP_API_KEY),
            api_secret: env.opt_secret(&settings::FLASHERP_API_SECRET),
            base_url: base_url(env, allow_private_base_url),
            webhook_secret: first_secret(env),
        };
        Self {
            keyring,
            allow_private_base_url,
            first,
            auth: service::auth::Settings::read(env),
            trusted_proxies: env.networks(&settings::TRUSTED_PROXIES),
            gate: gate_settings(env),
        }
    }
}

/// The base URL as far as can be seen without asking a resolver; that is done when it is saved.
fn base_url(env: &mut Env, allow_private: bool) -> Option<Url> {
    let url = env.opt_url(&settings::FLASHERP_BASE_URL)?;
    if let Err(refused) = flasherp::guard::check_url(&url, allow_private) {
        let hint = "; for development ERP_ALLOW_PRIVATE_BASE_URL=true lets http and private addresses pass";
        let hint = if allow_private { "" } else { hint };
        env.mistake(&settings::FLASHERP_BASE_URL, format!("{refused}{hint}"));
    }
    Some(url)
}

/// The first configuration takes the first; ingress accepts the others beside it.
fn first_secret(env: &mut Env) -> Option<SecretString> {
    env.secrets(&settings::FLASHERP_WEBHOOK_SECRET).into_iter().next()
}
