//! One HTTP client for this machine: no proxy, no redirects, short deadlines.

use std::time::Duration;

use reqwest::redirect::Policy;

use crate::{Result, StackError};

/// A client for servers on 127.0.0.1.
///
/// # Errors
/// When the TLS provider can't be used, which a client needs even for plain HTTP.
pub fn client() -> Result<reqwest::Client> {
    // An error means that it was installed before.
    drop(rustls::crypto::ring::default_provider().install_default());
    reqwest::Client::builder()
        .no_proxy()
        .redirect(Policy::none())
        .connect_timeout(Duration::from_secs(2))
        .timeout(Duration::from_secs(30))
        .build()
        .map_err(|source| StackError::Http { what: "can't make an HTTP client".to_owned(), source })
}
