//! All that one sandbox is, shared by its handlers. Each part guards itself.

use std::sync::{
    Mutex, PoisonError, RwLock,
    atomic::{AtomicU8, Ordering},
};

use crate::{
    api::Credentials, capability::Capabilities, clock::Clock, config::Config, counters::Counters,
    misbehaviour::Misbehaviour, store::Store, stripe::Sends,
};

/// A FlashERP, and a Stripe beside it.
#[derive(Debug)]
pub struct Sandbox {
    /// FlashERP's records.
    pub store: Mutex<Store>,
    /// FlashERP's time.
    pub clock: Clock,
    /// What it was told to do wrong.
    pub misbehaviour: Misbehaviour,
    /// What it counted.
    pub counters: Counters,
    /// What callers must send.
    pub credentials: Credentials,
    /// Stripe's deliveries.
    pub sends: Sends,
    capabilities: AtomicU8,
    capabilities_at_start: Capabilities,
    epoch: RwLock<u64>,
}

impl Sandbox {
    /// An empty one. Must be called on the runtime that Stripe's deliveries are to run on.
    pub fn new(config: &Config) -> anyhow::Result<Self> {
        let clock = Clock::default();
        Ok(Self {
            store: Mutex::new(Store::starting_at(clock.now_ms())),
            clock,
            misbehaviour: Misbehaviour::new(config.latency),
            counters: Counters::default(),
            credentials: config.credentials.clone(),
            sends: Sends::new(config.stripe_target.clone(), config.stripe_secret.clone())?,
            capabilities: AtomicU8::new(config.capabilities.bits()),
            capabilities_at_start: config.capabilities,
            epoch: RwLock::new(0),
        })
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
        self.misbehaviour.reset();
        self.set_capabilities(self.capabilities_at_start);
        self.clock.set_ahead_ms(0);
        self.store.lock().unwrap_or_else(PoisonError::into_inner).clear();
        self.counters.reset();
    }
}
