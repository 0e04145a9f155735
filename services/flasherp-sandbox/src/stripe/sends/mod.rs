//! Runs of events sent to a webhook endpoint, as Stripe delivers them: signed anew for each try, repeated until answered 2xx.
//!
//! Runs go on in the background and end with the process; nothing of them is kept.

mod delivery;
mod order;
mod progress;

pub use order::{Refused, SendOrder};
pub use progress::{Progress, State};

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use secrecy::SecretString;
use serde::{Deserialize, Serialize};
use tokio::runtime::Handle;
use url::Url;

use crate::stripe::api::{History, Run};
use delivery::Delivery;

/// A run's number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct SendId(pub u64);

/// All runs, and what they share.
#[derive(Debug)]
pub struct Sends {
    runtime: Handle,
    client: reqwest::Client,
    target: Url,
    secret: Option<SecretString>,
    runs: Mutex<BTreeMap<SendId, Arc<Delivery>>>,
}

/// So many runs are remembered; the oldest that has ended is forgotten first.
const REMEMBERED: usize = 100;

impl Sends {
    /// Runs will be carried out on the current runtime.
    pub fn new(target: Url, secret: Option<SecretString>) -> anyhow::Result<Self> {
        service::bootstrap::install_tls_provider();
        let client = reqwest::Client::builder()
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .connect_timeout(Duration::from_secs(5))
            .tcp_nodelay(true)
            .pool_max_idle_per_host(usize::MAX)
            .build()?;
        Ok(Self { runtime: Handle::current(), client, target, secret, runs: Mutex::default() })
    }

    /// Begins a run.
    /// Its stories have happened by `now_ms` (unix milliseconds), whether or not their events arrive.
    pub fn begin(&self, order: SendOrder, history: &History, now_ms: i64) -> Result<Progress, Refused> {
        let ready = order.prepare(&self.target, self.secret.as_ref(), now_ms)?;
        history.add(Arc::clone(&ready.run));
        let mut runs = self.locked();
        let id = SendId(runs.last_key_value().map_or(1, |(last, _)| last.0 + 1));
        let delivery = Arc::new(Delivery::new(id, ready));
        runs.insert(id, Arc::clone(&delivery));
        while runs.len() > REMEMBERED
            && let Some(ended) = runs.iter().find(|(_, run)| run.progress().done).map(|(id, _)| *id)
        {
            runs.remove(&ended);
        }
        drop(runs);
        let progress = delivery.progress();
        self.runtime.spawn(delivery.run(self.client.clone()));
        Ok(progress)
    }

    /// How far a run is.
    pub fn progress(&self, id: SendId) -> Option<Progress> {
        self.locked().get(&id).map(|run| run.progress())
    }

    /// What happened in a run.
    pub fn run(&self, id: SendId) -> Option<Arc<Run>> {
        self.locked().get(&id).map(|delivery| delivery.story_run())
    }

    /// Ends a run; events under way are still answered or given up.
    pub fn cancel(&self, id: SendId) -> Option<Progress> {
        let run = Arc::clone(self.locked().get(&id)?);
        run.cancel();
        Some(run.progress())
    }

    /// Ends all runs.
    pub fn cancel_all(&self) {
        self.locked().values().for_each(|run| run.cancel());
    }

    fn locked(&self) -> MutexGuard<'_, BTreeMap<SendId, Arc<Delivery>>> {
        self.runs.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
