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
use messaging::{Outbox, Relay, of_service};
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
    let broker = of_service::connect(&context, Party::ConfigApi, "facts wait in the outbox").await?;
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
