//! The services behind, and the client that calls them.

use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpStream;
use url::Url;

use crate::Config;

/// A backend in the same network is there within this time, or it is not there.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);
/// Shorter than the backends keep a connection, so that it is never they who close one that is about to be used.
const POOL_IDLE: Duration = Duration::from_secs(30);
/// Open and unused connections that are kept, for each backend and thread.
const POOL_SIZE: usize = 64;

/// A service behind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Backend {
    Ingress,
    ConfigApi,
    Sandbox,
}

impl Backend {
    /// As it is called everywhere.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Ingress => "ingress",
            Self::ConfigApi => "config-api",
            Self::Sandbox => "flasherp-sandbox",
        }
    }
}

/// Where a service is.
#[derive(Clone, Debug)]
pub(crate) struct Upstream {
    pub(crate) backend: Backend,
    url: Url,
}

impl Upstream {
    /// Where a path of it is. The path is plain (see [`super::is_plain`]), so that it stays as it is.
    pub(crate) fn at(&self, path: &str, query: Option<&str>) -> Url {
        let mut url = self.url.clone();
        url.set_path(path);
        url.set_query(query);
        url
    }

    /// For `/readyz`, which says so and is ready all the same: the gateway answers 503 for a backend that is away.
    pub(crate) async fn accepts_connections(self) -> Result<(), String> {
        let address = (self.url.host_str().unwrap_or_default(), self.url.port_or_known_default().unwrap_or_default());
        match tokio::time::timeout(CONNECT_TIMEOUT, TcpStream::connect(address)).await {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(error)) => Err(format!("can't be reached: {error}")),
            Err(_) => Err("can't be reached: no answer".to_owned()),
        }
    }
}

/// Those that there are.
pub(crate) fn upstreams(config: &Config) -> Arc<[Upstream]> {
    let there = [
        (Backend::Ingress, Some(&config.ingress)),
        (Backend::ConfigApi, Some(&config.config_api)),
        (Backend::Sandbox, config.sandbox.as_ref()),
    ];
    there.into_iter().filter_map(|(backend, url)| Some(Upstream { backend, url: url?.clone() })).collect()
}

/// A client that hands on what it is given and gives what it gets: no redirects, no proxies, no decompression. How long a call may take is
/// up to the caller.
pub(crate) fn client() -> reqwest::Result<reqwest::Client> {
    reqwest::Client::builder()
        .no_proxy()
        .no_gzip()
        .redirect(reqwest::redirect::Policy::none())
        .http1_only()
        .connect_timeout(CONNECT_TIMEOUT)
        .pool_idle_timeout(POOL_IDLE)
        .pool_max_idle_per_host(POOL_SIZE)
        .build()
}
