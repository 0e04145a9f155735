//! An optional file with all that FlashERP holds: records, remembered idempotency keys, webhooks that have yet to arrive. Settings, faults,
//! counts and Stripe's stories end with the process.
//!
//! The file is written anew once a second while something changes, and at the end: to a file beside it, made durable, then renamed over the
//! old one. Whenever the process or the machine dies, a whole file is there, and what is in it was true at one moment: a record and the
//! webhook that tells of it are both in it, or neither. A process that is killed forgets at most what it answered since the last writing. A file that
//! is not whole is refused at start rather than half believed.

use std::{
    fs::File,
    io::{BufRead, BufReader, BufWriter, Write},
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use anyhow::{Context as _, bail, ensure};
use serde::{Deserialize, Serialize};

use crate::{
    sandbox::Sandbox,
    schema::Resource,
    store::{CopiedKey, CopiedRecord, Copy},
    webhooks::Pending,
};

const VERSION: u32 = 1;
const EVERY: Duration = Duration::from_secs(1);

/// A line of the file.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
enum Line {
    Header { version: u32, next_id: u64, newest_ms: i64 },
    Record { of: String, id: u64, created_ms: i64, updated_ms: i64, body: String },
    Key { key: String, fingerprint: String, status: u16, body: String, at_ms: i64 },
    Webhook(Pending),
    End { lines: u64 },
}

/// Where the file is, and what it has.
#[derive(Debug)]
pub struct Snapshots {
    path: PathBuf,
    /// What the sandbox's changes counted when the file was written; one writer at a time.
    written: Mutex<Option<(u64, u64)>>,
}

impl Snapshots {
    /// In that file.
    pub fn new(path: PathBuf) -> Self {
        Self { path, written: Mutex::new(None) }
    }

    /// Reads the file into an empty sandbox; without a file there is nothing to read.
    pub fn load(&self, sandbox: &Sandbox) -> anyhow::Result<()> {
        let file = match File::open(&self.path) {
            Ok(file) => file,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
            Err(error) => return Err(error).with_context(|| format!("can't open {}", self.path.display())),
        };
        let (copy, pending) = read(file).with_context(|| format!("{} is no snapshot", self.path.display()))?;
        sandbox.store.lock().unwrap_or_else(PoisonError::into_inner).restore(copy);
        sandbox.webhooks.restore(pending);
        Ok(())
    }

    /// Writes the file, if something has changed since it was last written.
    pub fn write(&self, sandbox: &Sandbox) -> anyhow::Result<()> {
        let mut written = self.written.lock().unwrap_or_else(PoisonError::into_inner);
        let (copy, pending, changes) = {
            let store = sandbox.store.lock().unwrap_or_else(PoisonError::into_inner);
            let changes = (store.changes(), sandbox.webhooks.changes());
            if *written == Some(changes) {
                return Ok(());
            }
            (store.copy(), sandbox.webhooks.pending(), changes)
        };
        replace(&self.path, &copy, pending).with_context(|| format!("can't write {}", self.path.display()))?;
        *written = Some(changes);
        Ok(())
    }
}

/// Writes once a second, as long as the sandbox is there. A failure is told and tried again.
pub fn keep(sandbox: &Arc<Sandbox>) {
    let sandbox = Arc::downgrade(sandbox);
    tokio::spawn(async move {
        let mut ticks = tokio::time::interval(EVERY);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            let Some(sandbox) = sandbox.upgrade() else { return };
            let written = tokio::task::spawn_blocking(move || sandbox.write_snapshot());
            if let Ok(Err(error)) = written.await {
                tracing::error!(error = format!("{error:#}"), "the snapshot could not be written");
            }
        }
    });
}

fn replace(path: &Path, copy: &Copy, pending: Vec<Pending>) -> anyhow::Result<()> {
    let beside = path.with_extension("writing");
    let mut file = BufWriter::new(File::create(&beside)?);
    let mut lines = 0_u64;
    let mut put = |line: &Line| -> anyhow::Result<()> {
        serde_json::to_writer(&mut file, line)?;
        file.write_all(b"\n")?;
        lines += 1;
        Ok(())
    };
    put(&Line::Header { version: VERSION, next_id: copy.next_id, newest_ms: copy.newest_ms })?;
    for record in &copy.records {
        put(&Line::Record {
            of: record.resource.path().into(),
            id: record.id,
            created_ms: record.created_ms,
            updated_ms: record.updated_ms,
            body: text(&record.body),
        })?;
    }
    for key in &copy.keys {
        put(&Line::Key {
            key: key.key.clone(),
            fingerprint: hex::encode(key.fingerprint),
            status: key.status,
            body: text(&key.body),
            at_ms: key.at_ms,
        })?;
    }
    for pending in pending {
        put(&Line::Webhook(pending))?;
    }
    serde_json::to_writer(&mut file, &Line::End { lines })?;
    file.write_all(b"\n")?;
    file.into_inner().map_err(std::io::IntoInnerError::into_error)?.sync_all()?;
    std::fs::rename(&beside, path)?;
    // The rename itself is durable when the folder is.
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    File::open(folder)?.sync_all()?;
    Ok(())
}

fn read(file: File) -> anyhow::Result<(Copy, Vec<Pending>)> {
    let (mut copy, mut pending) = (Copy::default(), Vec::new());
    let mut is_whole = false;
    for (count, line) in (0_u64..).zip(BufReader::new(file).lines()) {
        let line: Line = serde_json::from_str(&line?).with_context(|| format!("line {}", count + 1))?;
        ensure!(!is_whole, "something follows its end");
        ensure!((count == 0) == matches!(line, Line::Header { .. }), "it does not begin with its version");
        match line {
            Line::Header { version, next_id, newest_ms } => {
                ensure!(version == VERSION, "it has version {version}, not {VERSION}");
                (copy.next_id, copy.newest_ms) = (next_id, newest_ms);
            }
            Line::Record { of, id, created_ms, updated_ms, body } => {
                let resource = Resource::from_path(&of).with_context(|| format!("there are no {of}"))?;
                copy.records.push(CopiedRecord { resource, id, created_ms, updated_ms, body: body.into() });
            }
            Line::Key { key, fingerprint, status, body, at_ms } => {
                let mut bytes = [0; 32];
                hex::decode_to_slice(&fingerprint, &mut bytes)?;
                copy.keys.push(CopiedKey { key, fingerprint: bytes, status, body: body.into(), at_ms });
            }
            Line::Webhook(event) => pending.push(event),
            Line::End { lines } => {
                ensure!(lines == count, "lines are missing");
                is_whole = true;
            }
        }
    }
    if !is_whole {
        bail!("its end is missing");
    }
    Ok((copy, pending))
}

fn text(body: &[u8]) -> String {
    String::from_utf8_lossy(body).into_owned()
}
