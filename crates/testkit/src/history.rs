//! What was sent and how it was answered, and which faults were on meanwhile, as JSON lines in a file that outlives a failed run.
//!
//! The line of a try is written before it is sent, and the line of its answer once it has come: a run that ends in between leaves a try
//! without an answer, which may or may not have been accepted. [`History::claims`] reads from it what must be there in the end.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use serde::{Deserialize, Serialize};

use crate::checker::Claim;

/// A line of the file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// Milliseconds since the history began.
    pub at_ms: u64,
    /// What happened.
    #[serde(flatten)]
    pub what: What,
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "what", rename_all = "snake_case")]
pub enum What {
    /// A run began; with this seed it can be run again.
    Run {
        /// Decides faults and stories.
        seed: u64,
    },
    /// An event is about to be sent.
    Sent {
        /// The try's number, unique in the history.
        attempt: u64,
        /// What it says.
        event: SentEvent,
    },
    /// A try was answered.
    Answered {
        /// Which try.
        attempt: u64,
        /// The HTTP status.
        status: u16,
        /// Whether the receiver says that it had the event before.
        duplicate: Option<bool>,
    },
    /// A try got no answer: what became of it is unknown.
    Unanswered {
        /// Which try.
        attempt: u64,
        /// What the client saw.
        error: String,
    },
    /// A fault began.
    FaultBegun {
        /// Its name.
        fault: String,
    },
    /// A fault ended.
    FaultEnded {
        /// Its name.
        fault: String,
    },
}

/// An event as it was sent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SentEvent {
    /// The sender's id, as `evt_...`.
    pub id: String,
    /// As `payment_intent.succeeded`.
    pub kind: String,
    /// The id of what it is about, as `pi_...`.
    pub object: String,
    /// What must be kept of it, as `1099 usd`; empty where only its being there counts.
    pub value: String,
}

/// Writes a history.
#[derive(Debug)]
pub struct History {
    path: PathBuf,
    begun: Instant,
    attempts: AtomicU64,
    accepted: AtomicU64,
    file: Mutex<File>,
}

impl History {
    /// A new, empty one.
    ///
    /// # Panics
    /// When the file can't be written.
    pub fn create(path: &Path) -> Self {
        let file = File::create(path).unwrap_or_else(|error| panic!("can't write {}: {error}", path.display()));
        Self {
            path: path.to_owned(),
            begun: Instant::now(),
            attempts: AtomicU64::new(0),
            accepted: AtomicU64::new(0),
            file: Mutex::new(file),
        }
    }

    /// Its file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Tries so far.
    pub fn attempts(&self) -> u64 {
        self.attempts.load(Ordering::Relaxed)
    }

    /// Tries that were answered 2xx so far.
    pub fn accepted(&self) -> u64 {
        self.accepted.load(Ordering::Relaxed)
    }

    /// Writes down that an event is about to be sent; answers the try's number.
    pub fn sent(&self, event: SentEvent) -> u64 {
        let attempt = self.attempts.fetch_add(1, Ordering::Relaxed) + 1;
        self.write(What::Sent { attempt, event });
        attempt
    }

    /// Writes down how a try was answered.
    pub fn answered(&self, attempt: u64, status: u16, duplicate: Option<bool>) {
        self.write(What::Answered { attempt, status, duplicate });
        if (200..300).contains(&status) {
            self.accepted.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Writes a line. It is with the kernel when this returns, so only a crash of the machine loses it.
    ///
    /// # Panics
    /// When the file can't be written.
    pub fn write(&self, what: What) {
        let at_ms = u64::try_from(self.begun.elapsed().as_millis()).unwrap_or(u64::MAX);
        let mut line = serde_json::to_vec(&Entry { at_ms, what }).expect("an entry is JSON");
        line.push(b'\n');
        let mut file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        file.write_all(&line).unwrap_or_else(|error| panic!("can't write {}: {error}", self.path.display()));
    }

    /// What was written so far.
    ///
    /// # Panics
    /// When the file is not a history.
    pub fn entries(&self) -> Vec<Entry> {
        read(&self.path)
    }
}

/// Reads a history's file. A last line without its end was cut off by a crash and is left out.
///
/// # Panics
/// When it can't be read or holds something else.
pub fn read(path: &Path) -> Vec<Entry> {
    let file = File::open(path).unwrap_or_else(|error| panic!("can't read {}: {error}", path.display()));
    let mut lines = BufReader::new(file);
    let (mut entries, mut line) = (Vec::new(), String::new());
    loop {
        line.clear();
        let read = lines.read_line(&mut line).unwrap_or_else(|error| panic!("can't read {}: {error}", path.display()));
        if read == 0 || !line.ends_with('\n') {
            return entries;
        }
        let entry = serde_json::from_str(&line);
        entries.push(entry.unwrap_or_else(|error| panic!("{} is no history: {error}: {line}", path.display())));
    }
}

/// What is claimed of each thing that was sent, under the name and with the value that `of` gives an event; events without are left out. What
/// was answered 2xx at least once is accepted.
pub fn claims(entries: &[Entry], of: impl Fn(&SentEvent) -> Option<(String, String)>) -> Vec<Claim> {
    let mut claims: BTreeMap<String, Claim> = BTreeMap::new();
    let mut names: BTreeMap<u64, String> = BTreeMap::new();
    let mut faults: Vec<&str> = Vec::new();
    for entry in entries {
        match &entry.what {
            What::Run { .. } => {}
            What::FaultBegun { fault } => faults.push(fault),
            What::FaultEnded { fault } => {
                if let Some(place) = faults.iter().position(|on| on == fault) {
                    faults.remove(place);
                }
            }
            What::Sent { attempt, event } => {
                let Some((name, value)) = of(event) else { continue };
                names.insert(*attempt, name.clone());
                let claim = claims.entry(name.clone()).or_insert_with(|| Claim::new(name, value));
                claim.events.insert(event.id.clone());
                claim.attempts += 1;
                note(claim, &faults);
            }
            What::Answered { attempt, status, .. } => {
                let Some(claim) = names.get(attempt).and_then(|name| claims.get_mut(name)) else { continue };
                claim.accepted |= (200..300).contains(status);
                note(claim, &faults);
            }
            What::Unanswered { attempt, .. } => {
                let Some(claim) = names.get(attempt).and_then(|name| claims.get_mut(name)) else { continue };
                note(claim, &faults);
            }
        }
    }
    claims.into_values().collect()
}

fn note(claim: &mut Claim, faults: &[&str]) {
    claim.during.extend(faults.iter().map(|fault| (*fault).to_owned()));
}
