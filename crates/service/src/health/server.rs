//! The management port's server.

use std::net::SocketAddr;

use actix_web::dev::ServerHandle;
use actix_web::{App, HttpResponse, HttpServer, web};
use anyhow::Context as _;

use super::Health;
use crate::metrics;

/// The running management server.
pub struct Management {
    address: SocketAddr,
    handle: ServerHandle,
}

impl Management {
    /// Starts it; one thread is enough for probes and scrapes.
    ///
    /// # Errors
    /// The address can't be listened on.
    pub fn start(address: SocketAddr, health: Health) -> anyhow::Result<Self> {
        let server = HttpServer::new(move || App::new().app_data(web::Data::new(health.clone())).configure(routes))
            .workers(1)
            .disable_signals()
            .shutdown_timeout(1)
            .bind(address)
            .with_context(|| format!("listening on MANAGEMENT_ADDR {address}; is another process there?"))?;
        let address = server.addrs().first().copied().context("the management server listens nowhere")?;
        let server = server.run();
        let handle = server.handle();
        tokio::spawn(server);
        Ok(Self { address, handle })
    }

    /// Where it listens; the real port when port 0 was asked for.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Stops it, giving answers under way a second.
    pub async fn stop(self) {
        self.handle.stop(true).await;
    }
}

/// The management port's routes.
fn routes(config: &mut web::ServiceConfig) {
    config
        .route("/healthz", web::get().to(healthz))
        .route("/readyz", web::get().to(readyz))
        .route("/metrics", web::get().to(metrics_page));
}

async fn healthz(health: web::Data<Health>) -> HttpResponse {
    HttpResponse::Ok().json(health.liveness())
}

async fn readyz(health: web::Data<Health>) -> HttpResponse {
    let readiness = health.readiness().await;
    let mut answer = if readiness.is_ready() { HttpResponse::Ok() } else { HttpResponse::ServiceUnavailable() };
    answer.json(readiness)
}

async fn metrics_page() -> HttpResponse {
    match metrics::render() {
        Ok(text) => HttpResponse::Ok().content_type("text/plain; version=0.0.4; charset=utf-8").body(text),
        Err(error) => {
            tracing::error!(error = error.to_string(), "metrics can't be rendered");
            HttpResponse::InternalServerError().finish()
        }
    }
}
