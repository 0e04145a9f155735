//! The client that the environment names.

use service::settings::{self, Env};

use crate::{BuildError, Client, Options};

/// `STRIPE_API_KEY` and `STRIPE_BASE_URL`; none without a key. Mistakes are collected in `env`.
pub fn from_env(env: &mut Env) -> Option<Client> {
    let allow_http = env.flag(&settings::ERP_ALLOW_PRIVATE_BASE_URL);
    let base_url = env.url(&settings::STRIPE_BASE_URL);
    let api_key = env.opt_secret(&settings::STRIPE_API_KEY)?;
    match Client::new(Options { allow_http, ..Options::new(base_url, api_key) }) {
        Ok(client) => Some(client),
        Err(error) => {
            let wrong = match error {
                BuildError::Key => &settings::STRIPE_API_KEY,
                BuildError::NotHttps | BuildError::NoPath | BuildError::Http(_) => &settings::STRIPE_BASE_URL,
            };
            env.mistake(wrong, error.to_string());
            None
        }
    }
}
