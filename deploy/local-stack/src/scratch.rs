//! Folders for one test or one test run, gone when it is over. What a killed process left is swept by the next one.

use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use crate::error::IoContext;
use crate::layout::{checkout, make_passable_dir};
use crate::{ProcessId, Result};

/// A folder that is removed with this value.
#[derive(Debug)]
pub struct Scratch {
    folder: TempDir,
}

impl Scratch {
    /// A new folder, in the checkout's `.local/tests` (on a real disk, so that `fsync` costs what it costs).
    ///
    /// # Errors
    /// When it can't be made.
    pub fn new() -> Result<Self> {
        let parent = parent();
        make_passable_dir(&parent)?;
        sweep(&parent);
        let started = ProcessId::of(std::process::id()).map_or(0, |me| me.started);
        let prefix = format!("{}-{started}-", std::process::id());
        let folder = tempfile::Builder::new()
            .prefix(&prefix)
            .permissions(std::fs::Permissions::from_mode(0o711))
            .tempdir_in(&parent)
            .doing(|| format!("can't make a folder in {}", parent.display()))?;
        Ok(Self { folder })
    }

    /// The folder.
    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    /// A path in it.
    pub fn join(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }
}

fn parent() -> PathBuf {
    checkout().map_or_else(|| std::env::temp_dir().join("erp-tests"), |root| root.join(".local/tests"))
}

/// Removes folders whose makers are gone.
fn sweep(parent: &Path) {
    let Ok(entries) = std::fs::read_dir(parent) else { return };
    for entry in entries.flatten() {
        let name = entry.file_name();
        let Some(maker) = name.to_str().and_then(maker) else { continue };
        if !maker.is_alive() {
            // Another process may be sweeping the same folder.
            drop(std::fs::remove_dir_all(entry.path()));
        }
    }
}

fn maker(name: &str) -> Option<ProcessId> {
    let mut parts = name.split('-');
    Some(ProcessId { pid: parts.next()?.parse().ok()?, started: parts.next()?.parse().ok()? })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_whose_maker_is_gone_is_swept_and_one_in_use_is_not() {
        let mine = Scratch::new().expect("a folder");
        let left = parent().join("4194304-1-left");
        std::fs::create_dir_all(left.join("deep")).expect("made");
        sweep(&parent());
        assert!(!left.exists());
        assert!(mine.path().exists());
    }
}
