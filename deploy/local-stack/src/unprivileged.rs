//! PostgreSQL refuses to run as root. Where this process is root, its programs run in a user namespace that calls the
//! same user by another number, so that files stay root's and nothing needs a chown. Where user namespaces are off,
//! they run as `nobody`, who is then given the folder.

use std::ffi::OsString;
use std::path::Path;
use std::process::Command;

use crate::error::IoContext;
use crate::{Result, StackError};

const NOBODY: u32 = 65_534;

/// How programs that refuse root are started.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unprivileged {
    /// This process is not root.
    AsWeAre,
    /// `unshare --user`.
    Namespace,
    /// `setpriv --reuid`.
    Nobody,
}

impl Unprivileged {
    /// What works on this machine.
    pub(crate) fn detect() -> Self {
        if !rustix::process::geteuid().is_root() {
            return Self::AsWeAre;
        }
        let works = Command::new("unshare")
            .args(["--user", "--map-user=1000", "--map-group=1000", "--", "true"])
            .output()
            .is_ok_and(|output| output.status.success());
        if works { Self::Namespace } else { Self::Nobody }
    }

    /// The words to put before the program's own.
    pub(crate) fn prefix(self) -> Vec<OsString> {
        let words: &[&str] = match self {
            Self::AsWeAre => &[],
            Self::Namespace => &["unshare", "--user", "--map-user=1000", "--map-group=1000", "--"],
            Self::Nobody => &["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "--"],
        };
        words.iter().map(OsString::from).collect()
    }

    /// Lets the program's user own `path`, a folder or file that this process made.
    pub(crate) fn give(self, path: &Path) -> Result<()> {
        if self != Self::Nobody {
            return Ok(());
        }
        std::os::unix::fs::chown(path, Some(NOBODY), Some(NOBODY))
            .doing(|| format!("can't give {} to nobody", path.display()))
    }

    /// Makes sure that the program's user can come as far as `folder`.
    pub(crate) fn check_reach(self, folder: &Path) -> Result<()> {
        if self != Self::Nobody {
            return Ok(());
        }
        let mut words = self.prefix();
        words.extend(["test", "-x"].map(OsString::from));
        words.push(folder.into());
        let [program, arguments @ ..] = words.as_slice() else { return Ok(()) };
        let reached = Command::new(program).args(arguments).status().is_ok_and(|status| status.success());
        if reached {
            return Ok(());
        }
        Err(StackError::ToolMissing {
            program: "a way to run PostgreSQL",
            how: format!(
                "it refuses to run as root, user namespaces are off here, and the user nobody can't enter {}. Let it in (the \
                 checkout and ERP_DATA_DIR must not be in a closed home), or run this as a normal user",
                folder.display()
            ),
        })
    }
}
