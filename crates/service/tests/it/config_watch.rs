//! The configuration is re-read every second, at once when hurried, and stays in force while it can't be read.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use service::config_watch::{Versioned, Watched, watch_built, watch_config};
use tokio::sync::Notify;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

#[derive(Clone, Debug, PartialEq, Eq)]
struct Config {
    version: i64,
    base_url: &'static str,
}

impl Versioned for Config {
    fn version(&self) -> i64 {
        self.version
    }
}

/// What the database holds, or that it is away.
#[derive(Clone, Default)]
struct Row(Arc<Mutex<Option<Config>>>, Arc<Mutex<bool>>);

impl Row {
    fn set(&self, config: Option<Config>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = config;
    }
    fn away(&self, away: bool) {
        *self.1.lock().unwrap_or_else(PoisonError::into_inner) = away;
    }
    fn load(&self) -> Result<Option<Config>, String> {
        if *self.1.lock().unwrap_or_else(PoisonError::into_inner) {
            return Err("away".to_owned());
        }
        Ok(self.0.lock().unwrap_or_else(PoisonError::into_inner).clone())
    }
}

fn config(version: i64) -> Config {
    Config { version, base_url: "https://erp.example.com" }
}

// Time is tokio's own here: it stands still until everything waits, so a second costs nothing and nothing is left to chance.

#[tokio::test(start_paused = true)]
async fn a_change_is_there_within_a_second_without_any_message() {
    let row = Row::default();
    let source = row.clone();
    let (mut watched, task) =
        watch_config(move || std::future::ready(source.load()), Arc::default(), CancellationToken::new());
    assert_eq!(*watched.borrow(), Watched::Unread);
    watched.changed().await.expect("watching");
    assert_eq!(*watched.borrow_and_update(), Watched::Absent);

    row.set(Some(config(1)));
    let begun = Instant::now();
    watched.changed().await.expect("watching");
    assert_eq!(watched.borrow_and_update().present().map(|config| config.version), Some(1));
    assert!(begun.elapsed() <= Duration::from_secs(1));

    row.set(None);
    watched.changed().await.expect("watching");
    assert_eq!(*watched.borrow_and_update(), Watched::Absent);
    task.abort();
}

#[tokio::test(start_paused = true)]
async fn a_ring_hurries_it() {
    let (row, hurry) = (Row::default(), Arc::new(Notify::new()));
    let source = row.clone();
    let (mut watched, task) =
        watch_config(move || std::future::ready(source.load()), Arc::clone(&hurry), CancellationToken::new());
    watched.changed().await.expect("watching");
    watched.mark_unchanged();
    row.set(Some(config(1)));
    let begun = Instant::now();
    hurry.notify_one();
    watched.changed().await.expect("watching");
    assert_eq!(begun.elapsed(), Duration::ZERO);
    task.abort();
}

#[tokio::test(start_paused = true)]
async fn the_last_one_read_stays_in_force_while_the_database_is_away() {
    let row = Row::default();
    row.set(Some(config(1)));
    let source = row.clone();
    let (mut watched, task) =
        watch_config(move || std::future::ready(source.load()), Arc::default(), CancellationToken::new());
    watched.changed().await.expect("watching");
    watched.mark_unchanged();

    row.away(true);
    row.set(Some(config(2)));
    assert!(tokio::time::timeout(Duration::from_secs(5), watched.changed()).await.is_err());
    assert_eq!(watched.borrow().present().map(|config| config.version), Some(1));

    row.away(false);
    watched.changed().await.expect("watching");
    assert_eq!(watched.borrow().present().map(|config| config.version), Some(2));
    task.abort();
}

#[tokio::test(start_paused = true)]
async fn the_same_version_again_wakes_nobody_and_an_older_one_does() {
    let row = Row::default();
    row.set(Some(config(5)));
    let source = row.clone();
    let (mut watched, task) =
        watch_config(move || std::future::ready(source.load()), Arc::default(), CancellationToken::new());
    watched.changed().await.expect("watching");
    watched.mark_unchanged();
    assert!(tokio::time::timeout(Duration::from_secs(5), watched.changed()).await.is_err());
    // A database restored from a backup goes back.
    row.set(Some(config(4)));
    watched.changed().await.expect("watching");
    assert_eq!(watched.borrow().present().map(|config| config.version), Some(4));
    task.abort();
}

#[tokio::test(start_paused = true)]
async fn what_costs_is_built_once_a_version_and_again_until_it_works() {
    let row = Row::default();
    row.set(Some(config(1)));
    let (source, built) = (row.clone(), Arc::new(Mutex::new(Vec::new())));
    let seen = Arc::clone(&built);
    let build = move |row: Config| {
        let mut seen = seen.lock().unwrap_or_else(PoisonError::into_inner);
        seen.push(row.version);
        // The second version can't be used at first.
        if row.version == 2 && seen.len() < 4 { Err("no such host".to_owned()) } else { Ok(row) }
    };
    let (mut watched, task) =
        watch_built(move || std::future::ready(source.load()), build, Arc::default(), CancellationToken::new());
    watched.changed().await.expect("watching");
    watched.mark_unchanged();
    assert!(tokio::time::timeout(Duration::from_secs(5), watched.changed()).await.is_err());
    assert_eq!(*built.lock().unwrap_or_else(PoisonError::into_inner), [1]);

    row.set(Some(config(2)));
    watched.changed().await.expect("watching");
    assert_eq!(watched.borrow_and_update().present().map(|config| config.version), Some(2));
    assert_eq!(*built.lock().unwrap_or_else(PoisonError::into_inner), [1, 2, 2, 2]);
    task.abort();
}

#[tokio::test(start_paused = true)]
async fn shutdown_ends_it() {
    let shutdown = CancellationToken::new();
    let (watched, task) = watch_config(|| std::future::ready(Row::default().load()), Arc::default(), shutdown.clone());
    shutdown.cancel();
    task.await.expect("ends by itself");
    assert_eq!(*watched.borrow(), Watched::Unread);
}
