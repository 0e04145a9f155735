//! Keeps a reader's view of the configuration row in memory, re-read every second, sooner when `config.changed` rings.
//!
//! The row rules; the message only hurries. So every service has a change within a second, broker or not. While the database can't
//! be read the last configuration stays in force, since a short outage must not switch the system off. A process that has not read
//! one yet knows nothing: [`Watched::Unread`].

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Notify, watch};
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;

use crate::metrics::{Counter, Gauge};

/// How often the row is read.
const INTERVAL: Duration = Duration::from_secs(1);

/// A configuration that carries its version.
pub trait Versioned {
    /// Differs whenever anything else does.
    fn version(&self) -> i64;
}

/// What is known of the configuration.
#[derive(Debug, PartialEq, Eq)]
pub enum Watched<T> {
    /// The row could not be read yet.
    Unread,
    /// There is none.
    Absent,
    Present(Arc<T>),
}

impl<T> Watched<T> {
    /// The configuration if there is one.
    #[must_use]
    pub fn present(&self) -> Option<&Arc<T>> {
        match self {
            Self::Present(config) => Some(config),
            Self::Unread | Self::Absent => None,
        }
    }
}

impl<T> Clone for Watched<T> {
    fn clone(&self) -> Self {
        match self {
            Self::Unread => Self::Unread,
            Self::Absent => Self::Absent,
            Self::Present(config) => Self::Present(Arc::clone(config)),
        }
    }
}

/// Watches the configuration until `shutdown`. `load` reads the reader's view: the row, or `None` when there is none. `hurry` makes
/// it look at once. The receiver changes only when the version does.
///
/// The returned task ends with the shutdown; it holds nothing that would have to be given back.
pub fn watch_config<T, E, L, F>(
    load: L,
    hurry: Arc<Notify>,
    shutdown: CancellationToken,
) -> (watch::Receiver<Watched<T>>, tokio::task::JoinHandle<()>)
where
    T: Versioned + Send + Sync + 'static,
    E: std::fmt::Display + Send,
    L: Fn() -> F + Send + Sync + 'static,
    F: Future<Output = Result<Option<T>, E>> + Send,
{
    let (sender, receiver) = watch::channel(Watched::Unread);
    let task = tokio::spawn(async move {
        let _ended_by_shutdown = shutdown.run_until_cancelled(Box::pin(keep_reading(load, hurry, sender))).await;
    });
    (receiver, task)
}

async fn keep_reading<T, E, L, F>(load: L, hurry: Arc<Notify>, sender: watch::Sender<Watched<T>>)
where
    T: Versioned,
    E: std::fmt::Display,
    L: Fn() -> F,
    F: Future<Output = Result<Option<T>, E>>,
{
    let mut ticks = tokio::time::interval(INTERVAL);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut failing = false;
    loop {
        tokio::select! {
            _ = ticks.tick() => {}
            () = hurry.notified() => {}
        }
        match load().await {
            Ok(config) => {
                if failing {
                    tracing::info!("the configuration can be read again");
                    failing = false;
                }
                take_up(&sender, config);
            }
            Err(error) => {
                Counter::ConfigReadFailed.increment(&[]);
                if !failing {
                    tracing::warn!(
                        error = error.to_string(),
                        "the configuration can't be read; the last one read stays in force"
                    );
                    failing = true;
                }
            }
        }
    }
}

fn take_up<T: Versioned>(sender: &watch::Sender<Watched<T>>, config: Option<T>) {
    let version = config.as_ref().map(Versioned::version);
    let changed = sender.send_if_modified(|known| {
        let same = match (&*known, version) {
            (Watched::Unread, _) => false,
            (Watched::Absent, version) => version.is_none(),
            (Watched::Present(known), version) => Some(known.version()) == version,
        };
        if !same {
            *known = config.map_or(Watched::Absent, |config| Watched::Present(Arc::new(config)));
        }
        !same
    });
    if changed {
        Counter::ConfigReloaded.increment(&[]);
        Gauge::ConfigVersion.set(version.unwrap_or(0), &[]);
        tracing::info!(version, "configuration taken up");
    }
}
