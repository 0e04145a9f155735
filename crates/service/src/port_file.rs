//! Tells whoever started the service where it listens, so that port 0 can be asked for and a test can be sure to talk to the
//! process that it started.
//!
//! The file is written beside its place and renamed there, so a reader sees all of it or nothing. A process that dies leaves the
//! file behind; its reader compares the instance that `/healthz` names.

use std::io;
use std::net::SocketAddr;
use std::path::Path;

use serde::{Deserialize, Serialize};

/// Where a service listens.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ports {
    /// `None` where it serves no HTTP beyond management.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub http: Option<SocketAddr>,
    pub management: SocketAddr,
}

impl Ports {
    /// Writes the file whole, replacing one that is there.
    ///
    /// # Errors
    /// What the file system says.
    pub fn write(&self, path: &Path) -> io::Result<()> {
        let mut beside = path.as_os_str().to_owned();
        beside.push(format!(".{}", std::process::id()));
        std::fs::write(&beside, serde_json::to_vec(self)?)?;
        std::fs::rename(&beside, path)
    }

    /// Reads the file; `None` while it is not there.
    ///
    /// # Errors
    /// What the file system says, or that the file is not one of ours.
    pub fn read(path: &Path) -> io::Result<Option<Self>> {
        match std::fs::read(path) {
            Ok(bytes) => Ok(Some(serde_json::from_slice(&bytes)?)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }
}
