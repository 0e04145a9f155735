//! What was sent and how it was answered, and which faults were on meanwhile, as JSON lines in a file that outlives a failed run.
//!
//! The line of a try is written before it is sent, and the line of its answer once it has come: a run that ends in between leaves a try
//! without an answer, which may or may not have been accepted. [`History::claims`] reads from it what must be there in the end.

use std::collections::{BTreeMap, BTreeSet};
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
    /// When the sender says that it happened, in Unix seconds: of two events of one object the newer one counts.
    pub created: i64,
}

/// Writes a history.
#[derive(Debug)]
pub struct History {
    path: PathBuf,
    begun: Instant,
    attempts: AtomicU64,
    accepted: AtomicU64,
    refused: AtomicU64,
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
            refused: AtomicU64::new(0),
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

    /// Tries so far that were answered otherwise, or not at all.
    pub fn refused(&self) -> u64 {
        self.refused.load(Ordering::Relaxed)
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
        let count = if (200..300).contains(&status) { &self.accepted } else { &self.refused };
        count.fetch_add(1, Ordering::Relaxed);
    }

    /// Writes down that a try got no answer, and what the client saw.
    pub fn unanswered(&self, attempt: u64, error: String) {
        self.write(What::Unanswered { attempt, error });
        self.refused.fetch_add(1, Ordering::Relaxed);
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
/// was answered 2xx at least once is accepted; of several events the newest accepted one says what must be there.
pub fn claims(entries: &[Entry], of: impl Fn(&SentEvent) -> Option<(String, String)>) -> Vec<Claim> {
    let mut things: BTreeMap<String, Thing> = BTreeMap::new();
    let mut tries: BTreeMap<u64, (String, String)> = BTreeMap::new();
    let mut on: Vec<&str> = Vec::new();
    let mut begun: Vec<&str> = Vec::new();
    for entry in entries {
        let attempt = match &entry.what {
            What::Run { .. } => continue,
            What::FaultBegun { fault } => {
                on.push(fault);
                begun.push(fault);
                continue;
            }
            What::FaultEnded { fault } => {
                if let Some(place) = on.iter().position(|other| other == fault) {
                    on.remove(place);
                }
                continue;
            }
            What::Sent { attempt, event } => {
                let Some((name, value)) = of(event) else { continue };
                tries.insert(*attempt, (name.clone(), event.id.clone()));
                let thing = things.entry(name).or_default();
                let told = Told { created: event.created, value, accepted: false };
                thing.told.entry(event.id.clone()).or_insert(told);
                thing.attempts += 1;
                attempt
            }
            What::Answered { attempt, .. } | What::Unanswered { attempt, .. } => attempt,
        };
        let Some((name, event)) = tries.get(attempt) else { continue };
        let Some(thing) = things.get_mut(name) else { continue };
        if let (What::Answered { status: 200..=299, .. }, Some(told)) = (&entry.what, thing.told.get_mut(event)) {
            told.accepted = true;
        }
        thing.during.extend(on.iter().map(|fault| (*fault).to_owned()));
        thing.faults_before = begun.len();
    }
    things.into_iter().map(|(name, thing)| thing.into_claim(name, &begun)).collect()
}

/// How many of the faults that came next are named.
const SOON_AFTER: usize = 3;

/// What was sent of one thing.
#[derive(Default)]
struct Thing {
    /// By event.
    told: BTreeMap<String, Told>,
    attempts: u64,
    during: BTreeSet<String>,
    /// Faults that had begun when it was last heard of.
    faults_before: usize,
}

struct Told {
    created: i64,
    value: String,
    accepted: bool,
}

impl Thing {
    fn into_claim(self, name: String, begun: &[&str]) -> Claim {
        let newest = self.told.values().filter(|told| told.accepted).map(|told| told.created).max();
        let may_count = |told: &Told| match newest {
            // of the same second, each may be the newer one
            Some(newest) => told.created > newest || (told.created == newest && told.accepted),
            None => true,
        };
        Claim {
            name,
            accepted: newest.is_some(),
            values: self.told.values().filter(|told| may_count(told)).map(|told| told.value.clone()).collect(),
            older: self.told.values().filter(|told| !may_count(told)).map(|told| told.value.clone()).collect(),
            events: self.told.into_keys().collect(),
            attempts: self.attempts,
            during: self.during,
            soon_after: begun
                .iter()
                .skip(self.faults_before)
                .take(SOON_AFTER)
                .map(|fault| (*fault).to_owned())
                .collect(),
        }
    }
}
