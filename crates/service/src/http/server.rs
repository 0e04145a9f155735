//! The server around a service's routes, with limits against clients that open a connection and say nothing, and a graceful stop.

use std::net::SocketAddr;
use std::time::Duration;

use actix_web::dev::Server;
use actix_web::{App, HttpServer, web};
use anyhow::Context as _;
use tracing_actix_web::TracingLogger;

use super::{RequestScope, RequestSpan, configure_extractors};
use crate::Context;

/// A client has this long for a request's head.
const HEAD_TIMEOUT: Duration = Duration::from_secs(5);
/// A connection without a request is kept this long; longer than the usual proxy does, so that it is the proxy that closes.
const KEEP_ALIVE: Duration = Duration::from_secs(75);

/// What of the grace period is left to the service after its server has stopped.
const ROOM_TO_END: Duration = Duration::from_secs(2);

/// A server that listens already and will answer once it is run.
pub struct Bound {
    server: Server,
    address: SocketAddr,
}

/// Listens on `HTTP_ADDR` and serves the routes until shutdown, after telling where (`ERP_PORT_FILE`). Returns when answers under way
/// are done, or the grace period is over.
///
/// Register routes as `.service(web::resource(path).route(...))`: a bare `.route(path, ...)` answers a wrong method with 404 instead
/// of 405.
///
/// # Errors
/// The address can't be listened on, or the server fails.
pub async fn serve(
    context: &Context,
    routes: impl Fn(&mut web::ServiceConfig) + Clone + Send + 'static,
) -> anyhow::Result<()> {
    let bound = bind(context, routes)?;
    context.listening(Some(bound.address()))?;
    bound.run(context).await
}

/// Listens, for a service that wants to do something between listening and serving. Connections wait meanwhile.
///
/// # Errors
/// The address can't be listened on.
pub fn bind(
    context: &Context,
    routes: impl Fn(&mut web::ServiceConfig) + Clone + Send + 'static,
) -> anyhow::Result<Bound> {
    let address = context.common.http_addr.context("this binary has no HTTP_ADDR")?;
    let server = HttpServer::new(move || {
        App::new()
            .configure(configure_extractors)
            .configure(routes.clone())
            .wrap(TracingLogger::<RequestSpan>::new())
            .wrap(RequestScope)
    })
    .workers(context.common.http_workers)
    .client_request_timeout(HEAD_TIMEOUT)
    .keep_alive(KEEP_ALIVE)
    // What is streamed goes out as it comes, and does not wait for the client to acknowledge what went before.
    .tcp_nodelay(true)
    .shutdown_timeout(context.common.shutdown_grace.saturating_sub(ROOM_TO_END).as_secs())
    .disable_signals()
    .bind(address)
    .with_context(|| format!("listening on HTTP_ADDR {address}; is another process there?"))?;
    let address = server.addrs().first().copied().context("the HTTP server listens nowhere")?;
    Ok(Bound { server: server.run(), address })
}

impl Bound {
    /// Where it listens; the real port when port 0 was asked for.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Serves until shutdown, then finishes the answers under way.
    ///
    /// # Errors
    /// The server fails.
    pub async fn run(self, context: &Context) -> anyhow::Result<()> {
        let handle = self.server.handle();
        let mut server = tokio::spawn(self.server);
        tokio::select! {
            ended = &mut server => {
                ended.context("the HTTP server panicked")?.context("the HTTP server failed")?;
                anyhow::bail!("the HTTP server ended without being asked to")
            }
            () = context.shutdown.cancelled() => handle.stop(true).await,
        }
        server.await.context("the HTTP server panicked")?.context("the HTTP server failed")
    }
}
