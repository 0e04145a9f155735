//! Holds the one configuration row, tells the other services when it changes, and serves the admin API.
//!
//! At its start it takes the first configuration from the environment, if the database has none ([`boot`]); beside that it relays the
//! facts of its schema. Any number of replicas may run. It listens before its database is there and answers 503 until then. A process that dies
//! half-way leaves either the whole change with its audit row and its fact, or nothing; facts not yet relayed stay in the outbox for the
//! next one.

mod actor;
pub mod amounts;
pub mod audit;
pub mod audit_check;
pub mod audit_log;
pub mod boot;
mod config;
pub mod configuration;
pub mod connection_test;
pub mod facts;
pub mod first_configuration;
mod handlers;
pub mod input;
pub mod jobs;
mod labels;
pub mod listing;
pub mod live;
pub mod openapi;
mod other_side;
pub mod overview;
pub mod paging;
pub mod pause;
pub mod reconciliations;
pub mod records;
mod routes;
mod state;
pub mod status;
pub mod store;
pub mod timeline;
pub mod timestamp;
mod upload;
mod wait;
pub mod webhooks;

use std::sync::Arc;

use actix_web::web;
use anyhow::Context as _;
use events::AnyEvent;
use events::traffic::Party;
use flasherp::SharedGate;
use messaging::{Heard, Outbox, Relay, of_service};
use service::auth::Verifier;
use service::{Context, database};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

pub use actor::Actor;
pub use config::Config;
use facts::Facts;
use handlers::unmatched::KnownPaths;
use other_side::OtherSide;
use overview::metrics::Overview;
pub use state::State;

/// The facts of this service's schema.
pub const OUTBOX: Outbox = Outbox::new("config", Party::ConfigApi);

/// Runs the service until shutdown.
///
/// # Errors
/// The settings can't be used, it can't listen, or one of its parts ended unasked.
pub async fn run(context: Context, config: Config) -> anyhow::Result<()> {
    let database = database::connect(&context, migrations::schema_version())?;
    let pool = database.get_postgres_connection_pool().clone();
    let broker = of_service::connect(&context, Party::ConfigApi, "facts wait in the outbox").await?;
    let state = web::Data::new(State {
        other_side: OtherSide::new(SharedGate::start(pool.clone(), config.gate, Arc::new(|_| {}))),
        pool,
        broker: broker.clone(),
        config,
        live: live::Hub::new(),
        shutdown: context.shutdown.clone(),
        facts: Facts::default(),
        overview: Overview::default(),
        relay: Arc::new(Notify::new()),
    });
    let verifier = Verifier::new(&state.config.auth)?;
    let description = web::Data::new(openapi::document());
    let known = web::Data::new(KnownPaths::of(&openapi::of_this_service()));
    let routes = {
        let state = state.clone();
        move |config: &mut web::ServiceConfig| {
            verifier.configure(config);
            routes::configure(config, state.clone(), description.clone(), known.clone());
        }
    };
    let server = service::http::bind(&context, routes)?;
    context.listening(Some(server.address()))?;
    tokio::try_join!(Box::pin(server.run(&context)), Box::pin(beside_the_server(&context, &state)))?;
    broker.close().await;
    Ok(())
}

/// Waits for the schema, takes the first configuration from the environment, and relays facts until shutdown.
async fn beside_the_server(context: &Context, state: &State) -> anyhow::Result<()> {
    if !database::wait_for_schema(&state.pool, migrations::schema_version(), &context.shutdown).await {
        return Ok(());
    }
    context.started();
    let relay = Relay::new(OUTBOX, state.pool.clone(), state.broker.clone(), Arc::clone(&state.relay));
    let relaying = tokio::spawn(relay.run(context.shutdown.clone()));
    let hearing = tokio::spawn(hear_facts(state, context.shutdown.clone()));
    let watching = {
        let (hub, pool, stop) = (Arc::clone(&state.live), state.pool.clone(), context.shutdown.clone());
        tokio::spawn(async move { live::watch_batches(&hub, &pool, &stop).await })
    };
    let booted = context.shutdown.run_until_cancelled(boot::until_settled(&state.pool, &state.config)).await;
    if booted.is_some() {
        // A first configuration is a fact to be told.
        state.told_facts();
    }
    relaying.await.context("the outbox relay panicked")?;
    hearing.await.context("the hearing of facts panicked")?;
    watching.await.context("the watch of batches panicked")?;
    if !context.shutdown.is_cancelled() {
        anyhow::bail!("the outbox relay ended without being asked to");
    }
    Ok(())
}

/// One listener for the whole process: for those who wait for a sync, and for the clients of the stream.
fn hear_facts(state: &State, stop: CancellationToken) -> impl Future<Output = ()> + use<> {
    let (facts, hub) = (state.facts.clone(), Arc::clone(&state.live));
    let on_heard = move |heard: Heard<AnyEvent>| {
        facts.hear(&heard);
        live::hear(&hub, &heard);
    };
    messaging::fanout::run(state.broker.clone(), on_heard, stop)
}
