//! The one public origin: lets in who may come in, hands requests on to the services behind, and serves the panel.
//!
//! A request passes [`access::guard`] (its path and head are plain, its page may call), then its row of [`routes`], which says who may call
//! and which service answers. The gateway checks tokens, and so does each service behind it: nothing is believed because it came this way.
//! It holds no data. What dies with the process is the requests under way, whose callers see a broken connection; sessions are in the
//! callers' cookies and survive it.

mod access;
mod config;
mod handlers;
mod panel;
mod proxy;
mod routes;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use actix_web::web;
use ipnet::IpNet;
use secrecy::SecretString;
use service::Context;
use service::auth::Verifier;
use service::http::{Bound, RateLimit};
use tokio_util::sync::CancellationToken;

use access::Origin;
use panel::Panel;
use proxy::{Backend, Upstream};

pub use config::{Config, Patience};

/// What handlers have at hand; one for each of the server's threads, with connections to the backends of its own.
pub(crate) struct Gateway {
    pub(crate) verifier: Verifier,
    pub(crate) public: Option<Origin>,
    pub(crate) cors_origins: Arc<[Origin]>,
    pub(crate) rate_limit: Option<Arc<RateLimit>>,
    pub(crate) trusted_proxies: Arc<[IpNet]>,
    pub(crate) panel: Arc<Panel>,
    pub(crate) upstreams: Arc<[Upstream]>,
    pub(crate) sandbox_token: Option<SecretString>,
    pub(crate) client: reqwest::Client,
    pub(crate) patience: Patience,
    pub(crate) shutdown: CancellationToken,
}

impl Gateway {
    /// Where a backend is, if there is one.
    pub(crate) fn upstream(&self, backend: Backend) -> Option<&Upstream> {
        self.upstreams.iter().find(|upstream| upstream.backend == backend)
    }
}

/// Runs the service until shutdown.
///
/// # Errors
/// It can't listen, or the server fails.
pub async fn run(context: Context, config: Config) -> anyhow::Result<()> {
    let bound = bind(&context, config)?;
    context.listening(Some(bound.address()))?;
    context.started();
    bound.run(&context).await
}

/// Listens. Needs none of the backends to be there.
///
/// # Errors
/// The address can't be listened on, or the settings can't be used.
pub fn bind(context: &Context, config: Config) -> anyhow::Result<Bound> {
    service::bootstrap::install_tls_provider();
    let verifier = Verifier::new(&config.auth)?;
    let upstreams = proxy::upstreams(&config);
    for upstream in upstreams.iter() {
        let watched = upstream.clone();
        context.health.warning(upstream.backend.name(), move || watched.clone().accepts_connections());
    }
    let (cors_origins, trusted_proxies) = (config.cors_origins.into(), config.trusted_proxies.into());
    let rate_limit = config.rate_limit.map(|limit| Arc::new(RateLimit::per_minute(limit)));
    let panel = Arc::new(Panel::at(config.panel_dir));
    // A connection is tended by the thread that opened it, so each thread opens its own.
    let threads = context.common.http_workers.max(1);
    let clients = (0..threads).map(|_| proxy::client()).collect::<Result<Vec<_>, _>>()?;
    let (clients, next) = (Arc::<[_]>::from(clients), Arc::new(AtomicUsize::new(0)));
    let shutdown = context.shutdown.clone();
    let make = move || Gateway {
        verifier: verifier.clone(),
        public: config.public.clone(),
        cors_origins: Arc::clone(&cors_origins),
        rate_limit: rate_limit.clone(),
        trusted_proxies: Arc::clone(&trusted_proxies),
        panel: Arc::clone(&panel),
        upstreams: Arc::clone(&upstreams),
        sandbox_token: config.sandbox_token.clone(),
        client: clients[next.fetch_add(1, Ordering::Relaxed) % threads].clone(),
        patience: config.patience,
        shutdown: shutdown.clone(),
    };
    service::http::bind(context, move |config| routes::configure(config, web::Data::new(make())))
}
