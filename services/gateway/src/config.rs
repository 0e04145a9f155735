//! What the gateway is told by its environment.

use std::num::NonZeroU32;
use std::path::PathBuf;
use std::time::Duration;

use ipnet::IpNet;
use secrecy::SecretString;
use service::auth;
use service::settings::{self, Env, Setting};
use url::Url;

use crate::access::Origin;

/// Settings of the gateway beyond those that every service has.
#[derive(Clone, Debug)]
pub struct Config {
    /// The `AUTH_` variables.
    pub auth: auth::Settings,
    /// `INGRESS_URL`.
    pub ingress: Url,
    /// `CONFIG_API_URL`.
    pub config_api: Url,
    /// `SANDBOX_URL`: without it there is no `/api/sandbox`.
    pub sandbox: Option<Url>,
    /// `SANDBOX_CONTROL_TOKEN`: what the sandbox is shown in place of the caller's own token, which is none of its business.
    pub sandbox_token: Option<SecretString>,
    /// `GATEWAY_PUBLIC_URL`: where browsers find it. Without it the `Host` of a request says.
    pub public: Option<Origin>,
    /// `GATEWAY_CORS_ORIGINS`: whose pages may call with a bearer token.
    pub cors_origins: Vec<Origin>,
    /// `GATEWAY_RATE_LIMIT`: requests a minute and principal; `None` for no limit.
    pub rate_limit: Option<NonZeroU32>,
    /// `TRUSTED_PROXIES`: whose `X-Forwarded-For` is believed.
    pub trusted_proxies: Vec<IpNet>,
    /// `GATEWAY_PANEL_DIR`: the panel's files.
    pub panel_dir: Option<PathBuf>,
    /// No setting: what callers may rely on.
    pub patience: Patience,
}

/// How long others are waited for.
#[derive(Clone, Copy, Debug)]
pub struct Patience {
    /// A service may take so long to begin its answer; the longest that a caller can ask one to wait is 30 s.
    pub answer: Duration,
    /// An import is answered when all of it is there.
    pub import: Duration,
    /// A service may say nothing for so long within its answer; streams of events have a heartbeat every 15 s.
    pub silence: Duration,
    /// A body that is streamed may pause for so long.
    pub pause: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self {
            answer: Duration::from_secs(60),
            import: Duration::from_secs(3600),
            silence: Duration::from_secs(60),
            pause: Duration::from_secs(30),
        }
    }
}

impl Config {
    /// Reads them, noting mistakes in `env`.
    #[must_use]
    pub fn read(env: &mut Env) -> Self {
        let ingress = env.url(&settings::INGRESS_URL);
        let config_api = env.url(&settings::CONFIG_API_URL);
        let sandbox = env.opt_url(&settings::SANDBOX_URL);
        Self {
            auth: auth::Settings::read(env),
            ingress: base(env, &settings::INGRESS_URL, ingress),
            config_api: base(env, &settings::CONFIG_API_URL, config_api),
            sandbox: sandbox.map(|url| base(env, &settings::SANDBOX_URL, url)),
            sandbox_token: env.opt_secret(&settings::SANDBOX_CONTROL_TOKEN),
            public: env.opt_parsed(&settings::GATEWAY_PUBLIC_URL, parse_origin),
            cors_origins: cors_origins(env),
            rate_limit: NonZeroU32::new(env.u32(&settings::GATEWAY_RATE_LIMIT)),
            trusted_proxies: env.networks(&settings::TRUSTED_PROXIES),
            panel_dir: env.opt_path(&settings::GATEWAY_PANEL_DIR),
            patience: Patience::default(),
        }
    }
}

/// A backend's address: paths are put behind it as they come.
fn base(env: &mut Env, setting: &Setting, url: Url) -> Url {
    let is_bare = url.path() == "/" && url.query().is_none() && url.fragment().is_none() && url.username().is_empty();
    if !is_bare || !matches!(url.scheme(), "http" | "https") {
        env.mistake(
            setting,
            "must be http or https with host and port and nothing behind, like `http://127.0.0.1:8085`",
        );
    }
    url
}

fn cors_origins(env: &mut Env) -> Vec<Origin> {
    let listed = env.list(&settings::GATEWAY_CORS_ORIGINS);
    let origins: Vec<Origin> = listed.iter().filter_map(|text| Origin::parse(text)).collect();
    if origins.len() < listed.len() {
        env.mistake(
            &settings::GATEWAY_CORS_ORIGINS,
            "must be origins separated by commas, like `https://app.example.com`",
        );
    }
    origins
}

fn parse_origin(text: &str) -> Result<Origin, String> {
    Origin::parse(text).ok_or_else(|| "must be an origin, like `https://erp.example.com`".to_owned())
}
