//! Starts and stops the HTTP server: as a service under the kit, or inside a test's own process.

use std::{net::SocketAddr, sync::Arc};

use actix_web::{App, HttpServer, dev::ServerHandle, web};
use anyhow::Context as _;
use tokio::task::JoinHandle;

use crate::{config::Config, connection::Connection, routes, sandbox::Sandbox, snapshot};

/// Seconds that calls under way get at the end; a call that was told to hang must not hold up the stop.
const STOP_WITHIN_SECS: u64 = 2;

/// A sandbox that listens.
#[derive(Debug)]
pub struct Running {
    address: SocketAddr,
    sandbox: Arc<Sandbox>,
    handle: ServerHandle,
    server: JoinHandle<std::io::Result<()>>,
}

/// Starts a sandbox on `address` (port 0: any free one) with so many HTTP workers, on the current tokio runtime.
pub fn start(address: SocketAddr, workers: usize, config: &Config) -> anyhow::Result<Running> {
    let sandbox = Arc::new(Sandbox::new(config)?);
    sandbox.load_snapshot()?;
    if sandbox.snapshots.is_some() {
        snapshot::keep(&sandbox);
    }
    let data = web::Data::from(Arc::clone(&sandbox));
    let server = HttpServer::new(move || App::new().app_data(data.clone()).configure(routes::configure))
        .on_connect(Connection::keep)
        .workers(workers)
        .disable_signals()
        .shutdown_timeout(STOP_WITHIN_SECS)
        .bind(address)
        .with_context(|| format!("can't listen on {address}"))?;
    let address = server.addrs().first().copied().context("the server has no address")?;
    let server = server.run();
    Ok(Running { address, sandbox, handle: server.handle(), server: tokio::spawn(server) })
}

impl Running {
    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Its state, for those in the same process.
    pub fn sandbox(&self) -> &Arc<Sandbox> {
        &self.sandbox
    }

    /// Stops listening, gives calls under way two seconds, ends Stripe's deliveries, writes the snapshot.
    pub async fn stop(self) -> anyhow::Result<()> {
        self.sandbox.sends.cancel_all();
        self.handle.stop(true).await;
        self.server.await?.context("the server broke off")?;
        tokio::task::spawn_blocking(move || self.sandbox.write_snapshot()).await?
    }
}

/// The service: listens until it is told to stop.
pub async fn run(context: service::Context, config: Config) -> anyhow::Result<()> {
    let address = context.common.http_addr.context("the sandbox needs an HTTP_ADDR")?;
    let mut running = start(address, context.common.http_workers, &config)?;
    context.listening(Some(running.address()))?;
    context.started();
    tokio::select! {
        () = context.shutdown.cancelled() => running.stop().await,
        ended = &mut running.server => ended?.context("the server broke off"),
    }
}
