//! Where things are in a data folder, and the small file operations that everything here shares.
//!
//! ```text
//! stack.json        what runs: pids, start times, addresses
//! lock              held while a command starts or stops the stack
//! secrets.env       generated once, 0600
//! postgres/         the cluster
//! nats/             nats.conf (0600) and JetStream's storage
//! run/              what each service says of its ports
//! logs/             one file per server
//! ```

use std::io::{Read, Seek, SeekFrom, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use crate::Result;
use crate::error::IoContext;

/// A data folder.
#[derive(Debug, Clone)]
pub struct Layout {
    root: PathBuf,
}

impl Layout {
    /// The data folder at `root`, made when it isn't there.
    ///
    /// # Errors
    /// When it can't be made.
    pub fn at(root: &Path) -> Result<Self> {
        let root = std::path::absolute(root).doing(|| format!("{} is no path", root.display()))?;
        let layout = Self { root };
        make_passable_dir(&layout.root)?;
        for folder in [layout.run_dir(), layout.logs_dir()] {
            make_private_dir(&folder)?;
        }
        Ok(layout)
    }

    /// The folder itself.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// What runs.
    pub fn state_file(&self) -> PathBuf {
        self.root.join("stack.json")
    }

    /// Locked while the stack is started or stopped.
    pub fn lock_file(&self) -> PathBuf {
        self.root.join("lock")
    }

    /// The generated secrets.
    pub fn secrets_file(&self) -> PathBuf {
        self.root.join("secrets.env")
    }

    /// PostgreSQL's folder.
    pub fn postgres_dir(&self) -> PathBuf {
        self.root.join("postgres")
    }

    /// The broker's folder.
    pub fn nats_dir(&self) -> PathBuf {
        self.root.join("nats")
    }

    /// Where services write their addresses.
    pub fn run_dir(&self) -> PathBuf {
        self.root.join("run")
    }

    /// Where logs are.
    pub fn logs_dir(&self) -> PathBuf {
        self.root.join("logs")
    }

    /// A server's log.
    pub fn log_file(&self, name: &str) -> PathBuf {
        self.logs_dir().join(format!("{name}.log"))
    }
}

/// The nearest folder, from the current one upwards, that holds `justw`: the checkout.
pub fn checkout() -> Option<PathBuf> {
    let here = std::env::current_dir().ok()?;
    here.ancestors().find(|folder| folder.join("justw").is_file()).map(Path::to_owned)
}

/// Makes a folder that only its owner may enter, with the folders above it.
///
/// # Errors
/// When it can't be made.
pub fn make_private_dir(folder: &Path) -> Result<()> {
    make_dir(folder, 0o700)
}

/// Makes a folder that others may pass through, though not look into: PostgreSQL may have to run as another user, below
/// it.
///
/// # Errors
/// When it can't be made.
pub(crate) fn make_passable_dir(folder: &Path) -> Result<()> {
    make_dir(folder, 0o711)
}

fn make_dir(folder: &Path, mode: u32) -> Result<()> {
    std::fs::DirBuilder::new()
        .recursive(true)
        .mode(mode)
        .create(folder)
        .doing(|| format!("can't make the folder {}", folder.display()))
}

/// Writes a file that only its owner may read, whole or not at all: a reader sees the old or the new text.
///
/// # Errors
/// When it can't be written.
pub fn write_private(path: &Path, text: &str) -> Result<()> {
    let beside = path.with_extension(format!("new-{}", std::process::id()));
    let what = || format!("can't write {}", path.display());
    let mut file =
        std::fs::OpenOptions::new().create(true).truncate(true).write(true).mode(0o600).open(&beside).doing(what)?;
    file.write_all(text.as_bytes()).doing(what)?;
    file.sync_all().doing(what)?;
    std::fs::rename(&beside, path).doing(what)
}

/// The last lines of a log, at most 4 kB, for an error message.
pub(crate) fn tail(log: &Path) -> String {
    let read = || -> std::io::Result<String> {
        let mut file = std::fs::File::open(log)?;
        let length = file.metadata()?.len();
        file.seek(SeekFrom::Start(length.saturating_sub(4096)))?;
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes)?;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    };
    let text = read().unwrap_or_else(|error| format!("(can't read it: {error})"));
    let lines: Vec<&str> = text.lines().collect();
    lines.iter().skip(lines.len().saturating_sub(15)).map(|line| format!("    {line}")).collect::<Vec<_>>().join("\n")
}
