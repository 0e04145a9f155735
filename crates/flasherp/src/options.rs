//! How a client is set up. Every duration and size has its unit and default here.

use std::time::Duration;

use secrecy::SecretString;
use url::Url;

/// Settings of a [`Client`](crate::Client).
#[derive(Debug, Clone)]
pub struct Options {
    /// Where FlashERP is, for example `https://api.flasherp.com/v1`.
    pub base_url: Url,
    /// Sent as bearer token.
    pub api_key: SecretString,
    /// Sent as `X-API-Secret`.
    pub api_secret: SecretString,
    /// For a name to resolve, a connection to open and TLS to agree; beyond it nothing was sent. 5 s.
    pub connect_timeout: Duration,
    /// For each further piece of an answer. 15 s.
    pub read_timeout: Duration,
    /// For one try from begin to end (`FLASHERP_TIMEOUT_SECS`). 30 s.
    pub timeout: Duration,
    /// Lets http and addresses inside our network pass (`ERP_ALLOW_PRIVATE_BASE_URL`), for development.
    pub allow_private: bool,
    /// The longest answer that is read, unpacked. 8 MiB.
    pub max_response_bytes: usize,
    /// Tries inside a call. 4.
    pub max_tries: u32,
    /// The longest pause before the first repeat; each further one doubles it. The pause is drawn between nothing and that. 200 ms.
    pub pause: Duration,
    /// Calls in flight at most; how many there are adapts to FlashERP. 64.
    pub in_flight: usize,
}

impl Options {
    /// The defaults for a FlashERP and its credentials.
    #[must_use]
    pub fn new(base_url: Url, api_key: SecretString, api_secret: SecretString) -> Self {
        Self {
            base_url,
            api_key,
            api_secret,
            connect_timeout: Duration::from_secs(5),
            read_timeout: Duration::from_secs(15),
            timeout: Duration::from_secs(30),
            allow_private: false,
            max_response_bytes: 8 * 1024 * 1024,
            max_tries: 4,
            pause: Duration::from_millis(200),
            in_flight: 64,
        }
    }
}
