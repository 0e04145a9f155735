//! A client for one Stripe account, known by its key.

use std::fmt;
use std::time::{Duration, Instant};

use domain::{ErrorCode, retry};
use reqwest::header::{AUTHORIZATION, HeaderMap, HeaderValue, RETRY_AFTER};
use reqwest::redirect::Policy;
use secrecy::{ExposeSecret as _, SecretString};
use serde::Deserialize;
use service::metrics::{Counter, Histogram};
use time::OffsetDateTime;
use tracing::Instrument as _;
use url::Url;

use crate::{StripeError, attempts};

/// Settings of a [`Client`].
#[derive(Debug, Clone)]
pub struct Options {
    /// Where Stripe is (`STRIPE_BASE_URL`), without `/v1`.
    pub base_url: Url,
    /// `STRIPE_API_KEY`.
    pub api_key: SecretString,
    /// Lets plain http pass, for development: the key goes along.
    pub allow_http: bool,
    /// For a connection to open. 5 s.
    pub connect_timeout: Duration,
    /// For one try from begin to end. 30 s.
    pub timeout: Duration,
    /// The longest answer that is read, unpacked: a page of 100 events. 32 MiB.
    pub max_response_bytes: usize,
    /// Tries inside a call. 4.
    pub max_tries: u32,
    /// The longest pause before the first repeat; each further one doubles it. 500 ms.
    pub pause: Duration,
}

impl Options {
    /// The defaults for an account.
    #[must_use]
    pub fn new(base_url: Url, api_key: SecretString) -> Self {
        Self {
            base_url,
            api_key,
            allow_http: false,
            connect_timeout: Duration::from_secs(5),
            timeout: Duration::from_secs(30),
            max_response_bytes: 32 * 1024 * 1024,
            max_tries: 4,
            pause: Duration::from_millis(500),
        }
    }
}

/// Why there can be no client.
#[derive(Debug, thiserror::Error)]
pub enum BuildError {
    /// Anybody on the way could read the key.
    #[error("must be an https URL: the API key is sent there")]
    NotHttps,
    /// A URL such as `mailto:` that nothing can be put below.
    #[error("can't have a path below it")]
    NoPath,
    /// The key can't be sent in a header.
    #[error("the API key holds characters that can't be sent")]
    Key,
    /// HTTP or TLS could not be set up.
    #[error("the HTTP client could not be set up")]
    Http(#[from] reqwest::Error),
}

/// Calls Stripe. Cheap to clone; clones share connections.
#[derive(Clone)]
pub struct Client {
    http: reqwest::Client,
    options: Options,
}

impl Client {
    /// A client.
    ///
    /// # Errors
    /// [`BuildError`].
    pub fn new(options: Options) -> Result<Self, BuildError> {
        match options.base_url.scheme() {
            "https" => {}
            "http" if options.allow_http => {}
            _ => return Err(BuildError::NotHttps),
        }
        if options.base_url.cannot_be_a_base() {
            return Err(BuildError::NoPath);
        }
        // reqwest panics without one. A main installs it first thing; that it is there already is the usual case.
        service::bootstrap::install_tls_provider();
        let mut headers = HeaderMap::new();
        let bearer = SecretString::from(format!("Bearer {}", options.api_key.expose_secret()));
        let mut value = HeaderValue::from_str(bearer.expose_secret()).map_err(|_| BuildError::Key)?;
        value.set_sensitive(true);
        headers.insert(AUTHORIZATION, value);
        let http = reqwest::Client::builder()
            .user_agent(concat!("upcoach-erp/", env!("CARGO_PKG_VERSION")))
            .default_headers(headers)
            .redirect(Policy::none())
            .retry(reqwest::retry::never())
            .no_proxy()
            .referer(false)
            .tcp_nodelay(true)
            .https_only(!options.allow_http)
            .connect_timeout(options.connect_timeout)
            .timeout(options.timeout)
            .build()?;
        Ok(Self { http, options })
    }

    /// `GET /v1/<segments>?<query>`: the answer's body, read by `read`. `operation` is its name in metrics.
    pub(crate) async fn get<T>(
        &self,
        operation: &'static str,
        segments: &[&str],
        query: &[(&str, String)],
        read: impl Fn(&[u8]) -> Result<T, StripeError>,
    ) -> Result<T, StripeError> {
        let url = self.url(segments, query);
        let begun = Instant::now();
        let span = tracing::info_span!("stripe.call", operation, error_code = tracing::field::Empty);
        let tries = attempts::run(self.options.pause, self.options.max_tries, || self.attempt(&url, &read));
        let outcome = tries.instrument(span.clone()).await;
        let code = outcome.as_ref().err().map(StripeError::code);
        if let Some(code) = code {
            span.record("error_code", code.as_str());
        }
        Counter::StripeCalls.increment(&[("operation", operation), ("code", code.map_or("ok", ErrorCode::as_str))]);
        Histogram::StripeCall.observe(begun.elapsed(), &[("operation", operation)]);
        outcome
    }

    fn url(&self, segments: &[&str], query: &[(&str, String)]) -> Url {
        let mut url = self.options.base_url.clone();
        // A base URL that has no segments was refused when the client was made.
        if let Ok(mut path) = url.path_segments_mut() {
            path.pop_if_empty().push("v1").extend(segments);
        }
        if !query.is_empty() {
            url.query_pairs_mut().extend_pairs(query);
        }
        url
    }

    async fn attempt<T>(&self, url: &Url, read: impl Fn(&[u8]) -> Result<T, StripeError>) -> Result<T, StripeError> {
        let mut response = self.http.get(url.clone()).send().await.map_err(StripeError::transport)?;
        let status = response.status().as_u16();
        let header = response.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok());
        let retry_after = header.and_then(|value| retry::retry_after(value, OffsetDateTime::now_utc()));
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(StripeError::transport)? {
            if body.len() + chunk.len() > self.options.max_response_bytes {
                return Err(StripeError::Unreadable("it is too long"));
            }
            body.extend_from_slice(&chunk);
        }
        match status {
            200 => read(&body),
            401 | 403 => Err(StripeError::KeyRefused { status }),
            429 => Err(StripeError::TooManyCalls { retry_after }),
            409 | 500.. => Err(StripeError::Unwell { status, retry_after }),
            status => Err(StripeError::Refused { status, message: message(&body, &self.options.api_key) }),
        }
    }
}

/// What Stripe says is wrong. Its words can repeat the key.
fn message(body: &[u8], key: &SecretString) -> String {
    #[derive(Deserialize)]
    struct Wire {
        error: Told,
    }
    #[derive(Deserialize)]
    struct Told {
        message: String,
    }
    const CHARS: usize = 200;
    match serde_json::from_slice::<Wire>(body) {
        Ok(wire) => wire.error.message.replace(key.expose_secret(), "[hidden]").chars().take(CHARS).collect(),
        Err(_) => "it does not say why".to_owned(),
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client").field("base_url", &self.options.base_url.as_str()).finish_non_exhaustive()
    }
}
