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
    E: std::fmt::Display + Send + 'static,
    L: Fn() -> F + Send + Sync + 'static,
    F: Future<Output = Result<Option<T>, E>> + Send,
{
    watch_built(load, |row| Ok(row), hurry, shutdown)
}

/// The same for a configuration of which something is built that costs: secrets opened, a client with connections. `build` runs only for a version
/// other than the one in force; while it fails, the last one stays in force, and it is tried again.
pub fn watch_built<R, T, E, L, F, B>(
    load: L,
    build: B,
    hurry: Arc<Notify>,
    shutdown: CancellationToken,
) -> (watch::Receiver<Watched<T>>, tokio::task::JoinHandle<()>)
where
    R: Versioned + Send + Sync + 'static,
    T: Versioned + Send + Sync + 'static,
    E: std::fmt::Display + Send + 'static,
    L: Fn() -> F + Send + Sync + 'static,
    F: Future<Output = Result<Option<R>, E>> + Send,
    B: Fn(R) -> Result<T, E> + Send + Sync + 'static,
{
    let (sender, receiver) = watch::channel(Watched::Unread);
    let task = tokio::spawn(async move {
        let reading = Box::pin(keep_reading(load, build, hurry, sender));
        let _ended_by_shutdown = shutdown.run_until_cancelled(reading).await;
    });
    (receiver, task)
}

async fn keep_reading<R, T, E, L, F, B>(load: L, build: B, hurry: Arc<Notify>, sender: watch::Sender<Watched<T>>)
where
    R: Versioned,
    T: Versioned,
    E: std::fmt::Display,
    L: Fn() -> F,
    F: Future<Output = Result<Option<R>, E>>,
    B: Fn(R) -> Result<T, E>,
{
    let mut ticks = tokio::time::interval(INTERVAL);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut failing = false;
    loop {
        tokio::select! {
            _ = ticks.tick() => {}
            () = hurry.notified() => {}
        }
        let taken_up = match load().await {
            Ok(row) if is_in_force(&sender, row.as_ref()) => Ok(()),
            Ok(row) => row.map(&build).transpose().map(|config| take_up(&sender, config)),
            Err(error) => Err(error),
        };
        match taken_up {
            Ok(()) if failing => {
                tracing::info!("the configuration can be read again");
                failing = false;
            }
            Ok(()) => {}
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

/// Whether that is what is known already.
fn is_in_force<R: Versioned, T: Versioned>(sender: &watch::Sender<Watched<T>>, row: Option<&R>) -> bool {
    match (&*sender.borrow(), row) {
        (Watched::Unread, _) => false,
        (Watched::Absent, row) => row.is_none(),
        (Watched::Present(known), row) => row.is_some_and(|row| row.version() == known.version()),
    }
}

fn take_up<T: Versioned>(sender: &watch::Sender<Watched<T>>, config: Option<T>) {
    let version = config.as_ref().map(Versioned::version);
    sender.send_replace(config.map_or(Watched::Absent, |config| Watched::Present(Arc::new(config))));
    Counter::ConfigReloaded.increment(&[]);
    Gauge::ConfigVersion.set(version.unwrap_or(0), &[]);
    tracing::info!(version, "configuration taken up");
}
