//! The HTTP server: a thread per worker, each with the routes; all share the queue of the committer, which runs beside them.
//!
//! The webhooks stand beside the layers that every other service wraps around its routes: those cost several times what the check of a
//! signature does, and would be paid for each of tens of thousands of deliveries a second. What they give (request id, error body, metrics)
//! the handler gives itself. All other paths have the layers.

use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use actix_web::dev::Server;
use actix_web::{App, HttpServer};
use anyhow::Context as _;
use ipnet::IpNet;
use service::Context;
use service::http::{BODY_DEADLINE, configure_extractors};
use sqlx::postgres::PgConnectOptions;

use crate::commit::{self, Announce, Bounds, Queue, Storage};
use crate::handlers::Worker;
use crate::routes::{self, Endpoints};

/// A client has this long for a request's head.
const HEAD_TIMEOUT: Duration = Duration::from_secs(5);
/// A connection without a request is kept this long; longer than the usual proxy does, so that it is the proxy that closes.
const KEEP_ALIVE: Duration = Duration::from_secs(75);

/// What all of the server's threads share.
#[derive(Clone)]
pub(crate) struct Shared {
    pub(crate) endpoints: Endpoints,
    pub(crate) trusted_proxies: Arc<[IpNet]>,
    /// `None` for the benchmark's limit alone: nothing is stored.
    pub(crate) database: Option<PgConnectOptions>,
    /// Told of what was stored.
    pub(crate) announce: Announce,
}

/// Listens on `HTTP_ADDR`; connections wait until the server is run.
///
/// # Errors
/// The address can't be listened on.
pub(crate) fn bind(context: &Context, shared: Shared) -> anyhow::Result<(Server, SocketAddr)> {
    let address = context.common.http_addr.context("this binary has no HTTP_ADDR")?;
    let traces_exported = context.common.otlp_endpoint.is_some();
    let storage = match &shared.database {
        Some(database) => {
            let queue = Arc::new(Queue::new(Bounds::default()));
            tokio::spawn(commit::run(Arc::clone(&queue), database.clone(), Arc::clone(&shared.announce)));
            Storage::Commit(queue)
        }
        None => Storage::Nothing,
    };
    let server = HttpServer::new(move || {
        // Once in each of the server's threads.
        let worker = Worker {
            trusted_proxies: Arc::clone(&shared.trusted_proxies),
            traces_exported,
            body_deadline: BODY_DEADLINE,
            storage: storage.clone(),
        };
        let endpoints = shared.endpoints.clone();
        App::new()
            .configure(configure_extractors)
            .configure(move |config| routes::configure(config, Rc::new(worker), &endpoints))
    })
    .workers(context.common.http_workers)
    .client_request_timeout(HEAD_TIMEOUT)
    .keep_alive(KEEP_ALIVE)
    .shutdown_timeout(context.common.shutdown_grace.as_secs())
    .disable_signals()
    .bind(address)
    .with_context(|| format!("listening on HTTP_ADDR {address}; is another process there?"))?;
    let address = server.addrs().first().copied().context("the HTTP server listens nowhere")?;
    Ok((server.run(), address))
}
