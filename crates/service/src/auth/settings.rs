//! What the environment says of tokens: which keys sign them, who issues them, for whom.

use std::path::PathBuf;
use std::time::Duration;

use secrecy::{ExposeSecret as _, SecretString};
use url::{Host, Url};

use crate::settings::{self as table, Env};

/// HS256 is as strong as its secret is long; RFC 7518 asks for as many bytes as the hash has.
const SHORTEST_SECRET: usize = 32;

/// Where a set of public keys comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KeySource {
    /// `AUTH_JWKS_URL`.
    Url(Url),
    /// `AUTH_JWKS_FILE`.
    File(PathBuf),
}

/// What makes a token hold.
#[derive(Clone, Debug)]
pub struct Settings {
    /// `AUTH_JWT_SECRET`: the key of HS256. At least one of this and `key_set` is there.
    pub secret: Option<SecretString>,
    /// `AUTH_JWKS_URL` or `AUTH_JWKS_FILE`: the keys of RS256, ES256 and EdDSA.
    pub key_set: Option<KeySource>,
    /// `AUTH_JWT_ISSUER`: the `iss` of every token.
    pub issuer: String,
    /// `AUTH_JWT_AUDIENCE`: in the `aud` of every token.
    pub audience: String,
    /// `AUTH_CLOCK_LEEWAY_SECS`: how far `exp` and `nbf` may be off.
    pub leeway: Duration,
}

impl Settings {
    /// Reads them, noting mistakes in `env`.
    #[must_use]
    pub fn read(env: &mut Env) -> Self {
        let secret = env.opt_secret(&table::AUTH_JWT_SECRET);
        if secret.as_ref().is_some_and(|secret| secret.expose_secret().len() < SHORTEST_SECRET) {
            env.mistake(&table::AUTH_JWT_SECRET, format!("is too short; write at least {SHORTEST_SECRET} bytes"));
        }
        let url = env.opt_url(&table::AUTH_JWKS_URL);
        if url.as_ref().is_some_and(|url| !is_private_enough(url)) {
            env.mistake(&table::AUTH_JWKS_URL, "must be https, since whoever can change the answer can sign tokens");
        }
        let file = env.opt_path(&table::AUTH_JWKS_FILE);
        if url.is_some() && file.is_some() {
            env.mistake(&table::AUTH_JWKS_FILE, "excludes AUTH_JWKS_URL; set one of them");
        }
        let key_set = url.map(KeySource::Url).or_else(|| file.map(KeySource::File));
        if secret.is_none() && key_set.is_none() {
            env.mistake(
                &table::AUTH_JWT_SECRET,
                "is missing, and AUTH_JWKS_URL and AUTH_JWKS_FILE too; set one of them",
            );
        }
        Self {
            secret,
            key_set,
            issuer: env.text(&table::AUTH_JWT_ISSUER),
            audience: env.text(&table::AUTH_JWT_AUDIENCE),
            leeway: env.duration(&table::AUTH_CLOCK_LEEWAY_SECS),
        }
    }
}

/// Nobody on the way can change what comes back: https, or this machine itself.
fn is_private_enough(url: &Url) -> bool {
    let is_loopback = match url.host() {
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        Some(Host::Domain(name)) => name == "localhost",
        None => false,
    };
    url.scheme() == "https" || (url.scheme() == "http" && is_loopback)
}
