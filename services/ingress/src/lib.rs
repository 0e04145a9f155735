//! Takes webhooks in: believes only what is signed, answers 200 only for what is durable, and leaves all else to the worker.
//!
//! A delivery passes the checks of [`handlers::receive`], then the group commit ([`commit`]), then is answered. Stripe is served whenever a
//! secret is set, whatever the FlashERP integration is doing. It listens before its database is there and answers 503 until then. On
//! SIGTERM it stops accepting, finishes the commits in hand and ends; what dies with the process was answered to nobody.

mod commit;
mod config;
mod endpoint;
mod flasherp;
mod handlers;
mod last_used;
mod routes;
mod server;
mod waiting;

use std::net::SocketAddr;
use std::sync::Arc;

use actix_web::dev::Server;
use anyhow::Context as _;
use events::WebhookReceived;
use events::traffic::Party;
use messaging::{Broker, of_service};
use secrecy::ExposeSecret as _;
use service::config_watch::watch_config;
use service::http::RateLimit;
use service::{Context, database};
use tokio::sync::Notify;
use tokio::task::JoinHandle;
use webhooks::signature::Keys;

use endpoint::{Endpoint, Opened, Sender};
use flasherp::{Flasherp, FlasherpConfig};
use routes::Endpoints;

pub use config::Config;

/// A body comes in on one thread and is freed on another, tens of thousands of times a second: where the allocator of libc takes locks and
/// gives memory back to the system. In the library, so that the benchmark measures what runs.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// A service that listens already.
pub struct Ingress {
    context: Context,
    server: Server,
    address: SocketAddr,
    pool: sqlx::PgPool,
    broker: Broker,
    /// What runs beside the server and ends with the shutdown.
    aside: Vec<JoinHandle<()>>,
}

/// Runs the service until shutdown.
///
/// # Errors
/// It can't listen, or the server fails.
pub async fn run(context: Context, config: Config) -> anyhow::Result<()> {
    Ingress::bind(context, config).await?.run().await
}

impl Ingress {
    /// Listens, and tells where (`ERP_PORT_FILE`). Needs neither database nor broker.
    ///
    /// # Errors
    /// The address can't be listened on, or the settings can't be used.
    pub async fn bind(context: Context, config: Config) -> anyhow::Result<Self> {
        Self::bind_with(context, config, true).await
    }

    /// As [`Self::bind`], and stores nothing: what the benchmark measures the group commit against.
    ///
    /// # Errors
    /// As [`Self::bind`].
    #[doc(hidden)]
    pub async fn bind_without_storage(context: Context, config: Config) -> anyhow::Result<Self> {
        Self::bind_with(context, config, false).await
    }

    async fn bind_with(context: Context, config: Config, stores: bool) -> anyhow::Result<Self> {
        let database = database::connect(&context, migrations::schema_version())?;
        let pool = database.get_postgres_connection_pool().clone();
        let stripe_keys = Keys::new(config.stripe_secrets.iter().map(|secret| secret.expose_secret().as_bytes()));
        if stripe_keys.is_empty() {
            tracing::warn!("STRIPE_WEBHOOK_SECRET is not set: Stripe's webhooks are answered 503");
        }
        let stripe = Endpoint {
            rate_limit: config.stripe_rate_limit.map(RateLimit::per_minute),
            sender: Sender::Stripe(Opened::newest_first(stripe_keys)),
        };
        let broker =
            of_service::connect(&context, Party::Ingress, "hints are dropped, and the worker's timer finds the rows")
                .await?;
        let (used, uses) = last_used::channel();
        let stop = context.shutdown.clone();
        let hurry = Arc::new(Notify::new());
        let (watched, watching) = {
            let (rows, keyring, secrets) = (pool.clone(), Arc::new(config.keyring), Arc::new(config.flasherp_secrets));
            let load = move || {
                let (rows, keyring, secrets) = (rows.clone(), Arc::clone(&keyring), Arc::clone(&secrets));
                async move { FlasherpConfig::load(&rows, &keyring, &secrets).await }
            };
            watch_config(load, Arc::clone(&hurry), stop.clone())
        };
        let flasherp = Endpoint {
            rate_limit: config.flasherp_rate_limit.map(RateLimit::per_minute),
            sender: Sender::Flasherp(Flasherp::new(watched, config.flasherp_disabled), used),
        };
        let aside = vec![
            watching,
            tokio::spawn(of_service::hear_config_changes(broker.clone(), hurry, stop.clone())),
            tokio::spawn(last_used::note_uses(pool.clone(), uses, stop.clone())),
            tokio::spawn(waiting::count_waiting(pool.clone(), stop)),
        ];
        let hints = broker.hints().clone();
        let shared = server::Shared {
            endpoints: Endpoints { stripe: Arc::new(stripe), flasherp: Arc::new(flasherp) },
            trusted_proxies: config.trusted_proxies.into(),
            database: stores.then(|| pool.connect_options().as_ref().clone()),
            announce: Arc::new(move |source, ids| hints.publish(WebhookReceived { source, ids })),
        };
        let (server, address) = server::bind(&context, shared)?;
        context.listening(Some(address))?;
        Ok(Self { context, server, address, pool, broker, aside })
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Serves until shutdown, then finishes what is in hand.
    ///
    /// # Errors
    /// The server fails.
    pub async fn run(self) -> anyhow::Result<()> {
        let Self { context, server, pool, broker, aside, .. } = self;
        let handle = server.handle();
        let mut server = tokio::spawn(server);
        let readiness = tokio::spawn({
            let context = context.clone();
            async move {
                if database::wait_for_schema(&pool, migrations::schema_version(), &context.shutdown).await {
                    context.started();
                }
            }
        });
        tokio::select! {
            ended = &mut server => {
                ended.context("the HTTP server panicked")?.context("the HTTP server failed")?;
                anyhow::bail!("the HTTP server ended without being asked to")
            }
            () = context.shutdown.cancelled() => handle.stop(true).await,
        }
        readiness.await.context("waiting for the schema panicked")?;
        let served = server.await.context("the HTTP server panicked")?.context("the HTTP server failed");
        for task in aside {
            task.await.context("a task beside the server panicked")?;
        }
        broker.close().await;
        served
    }
}
