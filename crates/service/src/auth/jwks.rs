//! The set of public keys of `AUTH_JWKS_URL` or `_FILE`, kept in memory.
//!
//! A set is read when the first token comes, again in the background once it is [`FRESH_FOR`] old, and at once for an id that is not in it,
//! since that is how a new key shows: but never more often than once in [`Pace::between_reads`], so that a caller who invents ids can't make
//! us ask for them one by one. A set replaces the one before it whole: a key that was taken out of it is out. While it can't be read the
//! last one stays in force, however long that takes. One set is held, of bounded size.

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use tokio::sync::Mutex;

use super::KeySource;
use super::keys::{self, Keys};

/// After so long a set is read again.
const FRESH_FOR: Duration = Duration::from_secs(300);
/// Between two reads, whoever asks.
const BETWEEN_READS: Duration = Duration::from_secs(10);
/// A read may take so long.
const READ_TIMEOUT: Duration = Duration::from_secs(5);
/// A larger document is none of keys.
const LARGEST: usize = 256 << 10;

/// How often a set may be read.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pace {
    pub(super) fresh_for: Duration,
    pub(super) between_reads: Duration,
}

impl Default for Pace {
    fn default() -> Self {
        Self { fresh_for: FRESH_FOR, between_reads: BETWEEN_READS }
    }
}

/// What became of the look for a key.
pub(super) enum Found {
    Key(Arc<Keys>),
    /// There is a set, and no key of this id in it.
    Unknown,
    /// No set could be read so far.
    NoSet,
}

/// The set; clones share it.
#[derive(Clone)]
pub(super) struct Jwks(Arc<Inner>);

struct Inner {
    source: KeySource,
    client: reqwest::Client,
    pace: Pace,
    held: RwLock<Held>,
    /// Held while the set is read: when it was last tried.
    reading: Mutex<Option<Instant>>,
}

/// The last set that could be read.
struct Held {
    keys: Arc<Keys>,
    read_at: Option<Instant>,
}

impl Jwks {
    pub(super) fn new(source: KeySource, pace: Pace) -> anyhow::Result<Self> {
        // For whoever makes a verifier outside of a binary's `main`.
        crate::bootstrap::install_tls_provider();
        let client = reqwest::Client::builder()
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .connect_timeout(READ_TIMEOUT)
            .timeout(READ_TIMEOUT)
            .build()
            .context("a client for AUTH_JWKS_URL")?;
        let held = Held { keys: Arc::new(BTreeMap::new()), read_at: None };
        Ok(Self(Arc::new(Inner { source, client, pace, held: RwLock::new(held), reading: Mutex::new(None) })))
    }

    /// The set that has the key `id`.
    pub(super) async fn find(&self, id: &str) -> Found {
        let (keys, age) = self.held();
        if keys.contains_key(id) {
            if age.is_some_and(|age| age >= self.0.pace.fresh_for) {
                self.read_aside();
            }
            return Found::Key(keys);
        }
        self.read_if_due().await;
        let (keys, age) = self.held();
        match age {
            _ if keys.contains_key(id) => Found::Key(keys),
            Some(_) => Found::Unknown,
            None => Found::NoSet,
        }
    }

    fn held(&self) -> (Arc<Keys>, Option<Duration>) {
        let held = self.0.held.read().unwrap_or_else(PoisonError::into_inner);
        (Arc::clone(&held.keys), held.read_at.map(|read_at| read_at.elapsed()))
    }

    /// For a caller who does not have to wait for it.
    fn read_aside(&self) {
        // Whoever is reading already does it for all.
        if self.0.reading.try_lock().is_ok() {
            let jwks = self.clone();
            tokio::spawn(async move { jwks.read_if_due().await });
        }
    }

    /// Reads the set unless that was tried just now. Whoever comes meanwhile waits for this read and makes none of its own.
    async fn read_if_due(&self) {
        let mut tried_at = self.0.reading.lock().await;
        if tried_at.is_some_and(|tried_at| tried_at.elapsed() < self.0.pace.between_reads) {
            return;
        }
        let outcome = self.read().await;
        *tried_at = Some(Instant::now());
        match outcome {
            Ok(keys) => {
                let ids = keys.keys().map(String::as_str).collect::<Vec<_>>().join(" ");
                tracing::info!(ids, "keys of tokens read");
                let mut held = self.0.held.write().unwrap_or_else(PoisonError::into_inner);
                *held = Held { keys: Arc::new(keys), read_at: Some(Instant::now()) };
            }
            Err(error) => {
                tracing::warn!(error = format!("{error:#}"), "keys of tokens can't be read; the last ones stay")
            }
        }
    }

    async fn read(&self) -> anyhow::Result<Keys> {
        let document = match &self.0.source {
            KeySource::Url(url) => self.fetch(url.clone()).await.context("asking AUTH_JWKS_URL")?,
            KeySource::File(path) => tokio::fs::read(path).await.context("reading AUTH_JWKS_FILE")?,
        };
        if document.len() > LARGEST {
            bail!("it is larger than {LARGEST} bytes");
        }
        keys::parse(&document).context("the set of keys")
    }

    async fn fetch(&self, url: url::Url) -> anyhow::Result<Vec<u8>> {
        let mut answer = self.0.client.get(url).send().await?.error_for_status()?;
        if !answer.status().is_success() {
            bail!("it answers {}", answer.status());
        }
        let mut document = Vec::new();
        while let Some(chunk) = answer.chunk().await? {
            document.extend_from_slice(&chunk);
            if document.len() > LARGEST {
                break;
            }
        }
        Ok(document)
    }
}
