//! All that one sandbox is, shared by its handlers. Each part guards itself.

use std::sync::{
    Arc, Mutex, PoisonError, RwLock,
    atomic::{AtomicU8, Ordering},
};

use secrecy::SecretString;

use crate::{
    api::Credentials,
    capability::Capabilities,
    clock::Clock,
    config::Config,
    counters::Counters,
    limits::{Limit, Limits},
    misbehaviour::Misbehaviour,
    snapshot::Snapshots,
    store::Store,
    stripe::{ApiOutage, Failing, Sends, api::History},
    webhooks::{Settings, Webhooks},
};

/// A FlashERP, and a Stripe beside it.
#[derive(Debug)]
pub struct Sandbox {
    /// FlashERP's records.
    pub store: Mutex<Store>,
    /// FlashERP's time.
    pub clock: Arc<Clock>,
    /// How much may be asked of FlashERP.
    pub limits: Limits,
    /// Where records are kept, if anywhere.
    pub snapshots: Option<Snapshots>,
    /// FlashERP's webhooks.
    pub webhooks: Arc<Webhooks>,
    /// What it was told to do wrong.
    pub misbehaviour: Misbehaviour,
    /// What it counted.
    pub counters: Counters,
    /// What callers must send.
    pub credentials: Credentials,
    /// What callers of the control API must send who are not on this machine; without one they are refused.
    pub control_token: Option<SecretString>,
    /// Stripe's deliveries.
    pub sends: Sends,
    /// What has happened at Stripe.
    pub history: History,
    /// What callers of Stripe's API must send; nobody is let in without one.
    pub stripe_api_key: Option<SecretString>,
    /// What Stripe's API was told to do wrong.
    pub stripe_outage: ApiOutage,
    capabilities: AtomicU8,
    capabilities_at_start: Capabilities,
    epoch: RwLock<u64>,
}

impl Sandbox {
    /// An empty one. Must be called on the runtime that deliveries are to run on.
    pub fn new(config: &Config) -> anyhow::Result<Self> {
        let clock = Arc::new(Clock::default());
        let webhook_settings = Settings::new(config.webhook_target.clone(), config.webhook_secrets.clone());
        let webhooks = Arc::new(Webhooks::new(webhook_settings, Arc::clone(&clock)));
        webhooks.deliver()?;
        Ok(Self {
            webhooks,
            limits: Limits::default(),
            snapshots: config.snapshot_file.clone().map(Snapshots::new),

            store: Mutex::new(Store::starting_at(clock.now_ms())),
            clock,
            misbehaviour: Misbehaviour::new(config.latency),
            counters: Counters::default(),
            credentials: config.credentials.clone(),
            control_token: config.control_token.clone(),
            sends: Sends::new(config.stripe_target.clone(), config.stripe_secret.clone())?,
            history: History::default(),
            stripe_api_key: config.stripe_api_key.clone(),
            stripe_outage: ApiOutage::default(),
            capabilities: AtomicU8::new(config.capabilities.bits()),
            capabilities_at_start: config.capabilities,
            epoch: RwLock::new(0),
        })
    }

    /// Reads the snapshot, if there is one.
    pub fn load_snapshot(&self) -> anyhow::Result<()> {
        self.snapshots.as_ref().map_or(Ok(()), |snapshots| snapshots.load(self))
    }

    /// Writes the snapshot, if there is to be one and something has changed. Blocks.
    pub fn write_snapshot(&self) -> anyhow::Result<()> {
        self.snapshots.as_ref().map_or(Ok(()), |snapshots| snapshots.write(self))
    }

    /// What `/health` lists, and what works.
    pub fn capabilities(&self) -> Capabilities {
        Capabilities::from_bits(self.capabilities.load(Ordering::Relaxed))
    }

    /// Switches capabilities.
    pub fn set_capabilities(&self, capabilities: Capabilities) {
        self.capabilities.store(capabilities.bits(), Ordering::Relaxed);
    }

    /// Counts the resets: what was begun in an earlier epoch has no effect in this one.
    pub fn epoch(&self) -> u64 {
        *self.epoch.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// Does something that was begun in `epoch`, unless there was a reset since; there is none while it is done.
    pub fn unless_reset_since<T>(&self, epoch: u64, act: impl FnOnce() -> T) -> Option<T> {
        let now = self.epoch.read().unwrap_or_else(PoisonError::into_inner);
        (*now == epoch).then(act)
    }

    /// Back to the state of the start: no records, keys, faults or counts; deliveries are cancelled.
    pub fn reset(&self) {
        let mut epoch = self.epoch.write().unwrap_or_else(PoisonError::into_inner);
        *epoch += 1;
        self.sends.cancel_all();
        self.history.clear();
        self.webhooks.reset();
        self.stripe_outage.set(Failing::default());
        self.misbehaviour.reset();
        self.limits.set(Limit::default());
        self.set_capabilities(self.capabilities_at_start);
        self.clock.set_ahead_ms(0);
        self.store.lock().unwrap_or_else(PoisonError::into_inner).clear();
        self.counters.reset();
    }
}
