//! The connection to the broker: made in the background, kept for the life of the process, with reconnects that don't come
//! in step.
//!
//! A service starts and works with the broker down: hints are dropped (timers find the rows), facts stay in their outbox,
//! consumers wait. So the broker's state is only a warning in `/readyz`.
//!
//! A refused permission shows to the caller as a timeout; its cause comes to the event callback, which logs it.

mod address;

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use async_nats::{Client, ConnectOptions, ServerError, jetstream};
use events::traffic::Party;
use secrecy::{ExposeSecret as _, SecretString};
use service::metrics::{Counter, Gauge};
use tokio::sync::watch;

use self::address::Address;
use crate::backoff;
use crate::hints::Hints;
use crate::topology::{Namespace, Topology, inbox_prefix};

/// How long a call of JetStream's API, and the ack of a publish, may take.
const API_TIMEOUT: Duration = Duration::from_secs(5);
/// How often the connection is tried out, so that a dead one is noticed.
const PING_INTERVAL: Duration = Duration::from_secs(10);
/// Facts of one process on their way to the broker.
const MAX_ACKS_IN_FLIGHT: usize = 1_024;
/// How long [`Broker::close`] waits for what is still to be sent.
const CLOSE_WITHIN: Duration = Duration::from_secs(2);

/// Where the broker is and who connects.
#[derive(Clone, Debug)]
pub struct BrokerOptions {
    /// `nats://user:password@host:port`, or several separated by commas, with the same user. Percent-encoding is decoded.
    pub url: SecretString,
    /// Who connects: the source of its events.
    pub party: Party,
    /// The prefix of subjects and streams; none in production.
    pub namespace: Namespace,
}

/// Why a broker's address can't be used. Never shows the address, since it holds a password.
#[derive(Debug, thiserror::Error)]
pub enum BrokerConfigError {
    /// Not a list of URLs.
    #[error("the broker's address is not a URL like nats://user:password@host:4222")]
    Url,
    /// The user or password is not UTF-8 after decoding.
    #[error("the broker's user or password is not valid text after percent-decoding")]
    Credentials,
    /// The client refuses the options.
    #[error("the broker's address is refused by the client")]
    Refused(#[source] async_nats::ConnectError),
}

/// Whether there is a connection, and which one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct BrokerState {
    /// Whether there is a connection now.
    pub connected: bool,
    /// How many connections there have been; whoever slept through a reconnect sees it here.
    pub connections: u64,
}

/// A connection to the broker. Clones share it.
#[derive(Clone)]
pub struct Broker {
    client: Client,
    jetstream: jetstream::Context,
    namespace: Namespace,
    party: Party,
    state: watch::Receiver<BrokerState>,
    hints: Hints,
}

impl std::fmt::Debug for Broker {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Broker").field("party", &self.party).field("state", &*self.state.borrow()).finish()
    }
}

impl Broker {
    /// Starts to connect and returns at once, whether the broker is there or not. Must be called inside a Tokio runtime.
    ///
    /// # Errors
    /// The address can't be used.
    pub async fn connect(options: BrokerOptions) -> Result<Self, BrokerConfigError> {
        let Address { servers, user, password } = Address::parse(options.url.expose_secret())?;
        let (sender, state) = watch::channel(BrokerState::default());
        let told = AtomicBool::new(false);
        let inbox = inbox_prefix(user.as_deref().unwrap_or(options.party.name()));
        let mut connect = ConnectOptions::new()
            .name(options.party.name())
            .custom_inbox_prefix(inbox)
            .retry_on_initial_connect()
            .ignore_discovered_servers()
            .ping_interval(PING_INTERVAL)
            .request_timeout(Some(API_TIMEOUT))
            .reconnect_delay_callback(reconnect_delay)
            .event_callback(move |event| {
                note(&sender, &told, &event);
                std::future::ready(())
            });
        if let Some(user) = user {
            connect = connect.user_and_password(user, password.unwrap_or_default());
        }
        Gauge::BrokerUp.set(0, &[]);
        let client = connect.connect(servers).await.map_err(BrokerConfigError::Refused)?;
        let jetstream = jetstream::context::ContextBuilder::new()
            .timeout(API_TIMEOUT)
            .ack_timeout(API_TIMEOUT)
            .max_ack_inflight(MAX_ACKS_IN_FLIGHT)
            .backpressure_on_inflight(true)
            .build(client.clone());
        let hints = Hints::start(client.clone(), state.clone(), options.namespace.clone(), options.party);
        Ok(Self { client, jetstream, namespace: options.namespace, party: options.party, state, hints })
    }

    /// The state now and its changes.
    pub fn state(&self) -> watch::Receiver<BrokerState> {
        self.state.clone()
    }

    /// Whether there is a connection now.
    pub fn is_connected(&self) -> bool {
        self.state.borrow().connected
    }

    /// Publishes hints.
    pub fn hints(&self) -> &Hints {
        &self.hints
    }

    /// Makes and mends streams and consumers.
    pub fn topology(&self) -> Topology {
        Topology::new(self.jetstream.clone(), self.namespace.clone())
    }

    /// The JetStream context, for the relay and for tests.
    pub fn jetstream(&self) -> &jetstream::Context {
        &self.jetstream
    }

    /// The plain client.
    pub fn client(&self) -> &Client {
        &self.client
    }

    /// The prefix of subjects and streams.
    pub fn namespace(&self) -> &Namespace {
        &self.namespace
    }

    /// Who is connected.
    pub fn party(&self) -> Party {
        self.party
    }

    /// Waits until there is a connection; at once where there is one.
    pub(crate) async fn connected(&self) -> BrokerState {
        self.wait_for(|state| state.connected).await
    }

    /// Waits until this connection is over, be it that there is another by now.
    pub(crate) async fn disconnected(&self, connection: BrokerState) {
        self.wait_for(|state| *state != connection).await;
    }

    async fn wait_for(&self, condition: impl FnMut(&BrokerState) -> bool) -> BrokerState {
        let state = self.state.clone().wait_for(condition).await.map(|state| *state);
        match state {
            Ok(state) => state,
            // The client is gone, and so will be whoever waits: there is nothing to come.
            Err(_closed) => std::future::pending().await,
        }
    }

    /// Sends what is still to be sent, for at most two seconds: the last step of a graceful stop, after consumers and relays
    /// have ended.
    pub async fn close(&self) {
        let sent = async {
            self.hints.flush().await;
            self.client.flush().await
        };
        match tokio::time::timeout(CLOSE_WITHIN, sent).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => {
                tracing::debug!(error = &error as &dyn std::error::Error, "nothing more sent to the broker")
            }
            Err(_late) => tracing::debug!("the broker did not take the last messages in time"),
        }
    }
}

/// The wait before an attempt to connect: none before the very first, then ours with jitter.
fn reconnect_delay(attempts: usize) -> Duration {
    match u32::try_from(attempts) {
        Ok(0 | 1) => Duration::ZERO,
        Ok(attempts) => backoff::jittered(attempts - 1),
        Err(_many) => backoff::jittered(u32::MAX),
    }
}

/// Keeps the state, counts, and logs what nobody else would ever see. `told`: that the broker can't be reached has been said, since the last
/// connection; each further try fails as quietly as it must, since an outage is no news.
fn note(state: &watch::Sender<BrokerState>, told: &AtomicBool, event: &async_nats::Event) {
    match event {
        async_nats::Event::Connected => {
            told.store(false, Ordering::Relaxed);
            state.send_modify(|state| *state = BrokerState { connected: true, connections: state.connections + 1 });
            Counter::BrokerConnected.increment(&[]);
            Gauge::BrokerUp.set(1, &[]);
            tracing::info!("connected to the broker");
        }
        async_nats::Event::Disconnected | async_nats::Event::Closed => {
            state.send_modify(|state| state.connected = false);
            Gauge::BrokerUp.set(0, &[]);
            tracing::warn!("disconnected from the broker; hints are dropped and facts wait until it is back");
        }
        async_nats::Event::ServerError(ServerError::Other(cause))
            if cause.to_lowercase().contains("permissions violation") =>
        {
            tracing::error!(cause, stage = "permission", "the broker refused a subject; the caller sees a timeout");
        }
        async_nats::Event::ServerError(error) => {
            tracing::error!(error = error as &dyn std::error::Error, stage = "server", "the broker reports an error");
        }
        async_nats::Event::ClientError(error) if told.swap(true, Ordering::Relaxed) => {
            tracing::debug!(%error, stage = "connect", "the broker still can't be reached");
        }
        async_nats::Event::ClientError(error) => {
            tracing::warn!(%error, stage = "connect", "the broker can't be reached; trying on, with pauses of up to some seconds");
        }
        async_nats::Event::SlowConsumer(subscription) => {
            tracing::warn!(subscription, "messages were dropped: their reader is too slow");
        }
        async_nats::Event::LameDuckMode | async_nats::Event::Draining => {
            tracing::info!("the broker is about to go away");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_attempt_is_not_delayed() {
        assert_eq!(reconnect_delay(1), Duration::ZERO);
        assert!(reconnect_delay(usize::MAX) <= backoff::ceiling(u32::MAX));
    }
}
