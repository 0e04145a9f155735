//! What runs in a data folder: written by the process that runs it, read by `status`, `env`, `logs` and `down` in
//! others. Whether it still runs is told by the lock, which the kernel gives back when the owner is gone, and by the
//! start time of each process.

use std::fs::{File, TryLockError};
use std::time::Duration;

use rustix::process::Signal;
use serde::{Deserialize, Serialize};

use crate::error::IoContext;
use crate::layout::{Layout, write_private};
use crate::service::Addresses;
use crate::{ProcessId, Result, StackError, postgres, wait};

/// How long servers whose owner was killed may take to end by themselves.
const ORPHANS_END_WITHIN: Duration = Duration::from_secs(10);

/// How far the stack is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Phase {
    /// Servers are being started.
    Starting,
    /// All answer.
    Ready,
    /// Servers are being stopped.
    Stopping,
}

/// A server that was started.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Server {
    /// Its name.
    pub name: String,
    /// Its process; none while it is down.
    pub process: Option<ProcessId>,
    /// Where it listens.
    pub addresses: Addresses,
    /// How often it was started again after it had ended unasked.
    pub restarts: u32,
}

/// What runs.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct State {
    /// The process that the servers belong to.
    pub owner: ProcessId,
    /// How far it is.
    pub phase: Phase,
    /// The servers, in the order of their start.
    pub servers: Vec<Server>,
    /// What `env` prints, beside the pids.
    pub env: Vec<(String, String)>,
}

impl State {
    /// A line of what `env` prints.
    pub fn env(&self, name: &str) -> Option<&str> {
        self.env.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// What was last written, if its owner still runs.
    pub fn read(layout: &Layout) -> Option<Self> {
        let text = std::fs::read(layout.state_file()).ok()?;
        serde_json::from_slice::<Self>(&text).ok()
    }

    /// [`Self::read`], unless its owner is gone.
    pub fn running(layout: &Layout) -> Option<Self> {
        Self::read(layout).filter(|state| state.owner.is_alive())
    }

    /// Writes it, whole.
    ///
    /// # Errors
    /// When it can't be written.
    pub fn write(&self, layout: &Layout) -> Result<()> {
        let text = serde_json::to_string_pretty(self)
            .map_err(std::io::Error::other)
            .doing(|| "can't write down what runs".to_owned())?;
        write_private(&layout.state_file(), &text)
    }

    /// Ends what is left of a stack whose owner is gone: by itself within 10 s, then killed.
    ///
    /// # Errors
    /// When a process can't be killed.
    pub async fn end_orphans(&self) -> Result<()> {
        for server in &self.servers {
            let Some(process) = server.process else { continue };
            if wait::until_gone(ORPHANS_END_WITHIN, &server.name, process).await.is_ok() {
                continue;
            }
            let processes = postgres::kill_all(process);
            for process in processes {
                process.signal(Signal::KILL);
                wait::until_gone(ORPHANS_END_WITHIN, &format!("{} to die", server.name), process).await?;
            }
        }
        Ok(())
    }
}

/// Held by the one process that a data folder's servers belong to, for as long as it lives.
#[derive(Debug)]
pub struct Ownership {
    _lock: File,
}

impl Ownership {
    /// Takes it and ends what an owner that was killed has left.
    ///
    /// # Errors
    /// [`StackError::Busy`] when another process holds it.
    pub async fn take(layout: &Layout) -> Result<Self> {
        let path = layout.lock_file();
        let lock = File::options()
            .create(true)
            .truncate(false)
            .write(true)
            .open(&path)
            .doing(|| format!("can't open {}", path.display()))?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(StackError::Busy { folder: layout.root().to_owned() }),
            Err(TryLockError::Error(error)) => Err(error).doing(|| format!("can't lock {}", path.display()))?,
        }
        if let Some(left) = State::read(layout) {
            left.end_orphans().await?;
        }
        Ok(Self { _lock: lock })
    }
}
