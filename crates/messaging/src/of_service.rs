//! What every service does with the broker in the same way: it connects as its settings say, shows in its health what being without it means,
//! and lets `config.changed` hurry what it reads by itself anyway.

use std::sync::Arc;

use events::traffic::Party;
use events::{ConfigChanged, Event};
use service::Context;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use crate::topology::NamespaceError;
use crate::{Broker, BrokerConfigError, BrokerOptions, Heard, Namespace};

/// Why a service's settings don't lead to a broker.
#[derive(Debug, thiserror::Error)]
pub enum BrokerSettingsError {
    #[error("this binary has no NATS_URL")]
    NoUrl,
    #[error("NATS_SUBJECT_PREFIX")]
    Namespace(#[from] NamespaceError),
    #[error("NATS_URL")]
    Url(#[from] BrokerConfigError),
}

/// The broker of a service's settings, which may be away: it is looked for in the background. `without` is what its health says while there is no
/// connection, such as "facts wait in the outbox"; that is a warning, since nothing waits for the broker but the relay.
///
/// # Errors
/// [`BrokerSettingsError`].
pub async fn connect(context: &Context, party: Party, without: &'static str) -> Result<Broker, BrokerSettingsError> {
    let url = context.common.nats_url.clone().ok_or(BrokerSettingsError::NoUrl)?;
    let namespace: Namespace = context.common.nats_subject_prefix.parse()?;
    let broker = Broker::connect(BrokerOptions { url, party, namespace }).await?;
    let state = broker.state();
    context.health.warning("broker", move || {
        let connected = state.borrow().connected;
        async move { if connected { Ok(()) } else { Err(format!("not connected; {without}")) } }
    });
    Ok(broker)
}

/// Rings `hurry` at every `config.changed`, until `stop`. It only hurries what every second finds out anyway.
pub async fn hear_config_changes(broker: Broker, hurry: Arc<Notify>, stop: CancellationToken) {
    let on_heard = |_: Heard<Event<ConfigChanged>>| hurry.notify_one();
    crate::fanout::run(broker, on_heard, stop).await;
}
