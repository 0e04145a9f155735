//! Holds the one configuration row, and tells the other services when it changes.
//!
//! At its start it takes the first configuration from the environment, if the database has none ([`boot`]); beside that it relays the
//! facts of its schema. Any number of replicas may run. A process that dies half-way leaves either the whole first configuration
//! with its audit row and its fact, or nothing; facts not yet relayed stay in the outbox for the next one.

pub mod boot;
mod config;
pub mod first_configuration;
pub mod store;

use std::sync::Arc;

use anyhow::Context as _;
use events::traffic::Party;
use messaging::{Broker, BrokerOptions, Namespace, Outbox, Relay};
use service::{Context, database};
use tokio::sync::Notify;

pub use config::Config;

/// The facts of this service's schema.
pub const OUTBOX: Outbox = Outbox::new("config", Party::ConfigApi);

/// Runs the service until shutdown.
///
/// # Errors
/// The settings can't be used.
pub async fn run(context: Context, config: Config) -> anyhow::Result<()> {
    let schema = migrations::schema_version();
    let database = database::connect(&context, schema)?;
    let pool = database.get_postgres_connection_pool().clone();
    let broker = connect_broker(&context).await?;
    context.listening(None)?;

    if database::wait_for_schema(&pool, schema, &context.shutdown).await {
        context.started();
        let wake = Arc::new(Notify::new());
        let relay = Relay::new(OUTBOX, pool.clone(), broker.clone(), Arc::clone(&wake));
        let relaying = tokio::spawn(relay.run(context.shutdown.clone()));
        let booted = context.shutdown.run_until_cancelled(boot::until_settled(&pool, &config)).await;
        if booted.is_some() {
            // A first configuration is a fact to be told.
            wake.notify_one();
        }
        relaying.await.context("the outbox relay panicked")?;
        if !context.shutdown.is_cancelled() {
            anyhow::bail!("the outbox relay ended without being asked to");
        }
    }
    broker.close().await;
    Ok(())
}

/// The broker, which may be away: then facts wait in the outbox, and readers find the configuration by themselves.
async fn connect_broker(context: &Context) -> anyhow::Result<Broker> {
    let url = context.common.nats_url.clone().context("this binary has no NATS_URL")?;
    let namespace: Namespace = context.common.nats_subject_prefix.parse().context("NATS_SUBJECT_PREFIX")?;
    let broker =
        Broker::connect(BrokerOptions { url, party: Party::ConfigApi, namespace }).await.context("NATS_URL")?;
    let checked = broker.clone();
    context.health.warning("broker", move || {
        let connected = checked.is_connected();
        async move { if connected { Ok(()) } else { Err("not connected; facts wait in the outbox".to_owned()) } }
    });
    Ok(broker)
}
