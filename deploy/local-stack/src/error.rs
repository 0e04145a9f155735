//! What can go wrong with a server on this machine, in words that say what to do about it.

use std::path::PathBuf;

/// `Result` of this crate.
pub type Result<T> = std::result::Result<T, StackError>;

/// Why a server could not be started, stopped or reached.
#[derive(Debug, thiserror::Error)]
pub enum StackError {
    /// A program that must be there is not.
    #[error("{program} is missing: {how}")]
    ToolMissing {
        /// The program's name.
        program: &'static str,
        /// How to get it.
        how: String,
    },
    /// A port that was asked for is held by another process.
    #[error(
        "port {port}, wanted for {what}, is in use by another program. Set ERP_PORT_BASE to the first of 20 free ports \
         (and ERP_DATA_DIR to a folder of its own if another stack is to keep running), or {variable} for this port alone"
    )]
    PortInUse {
        /// The port.
        port: u16,
        /// Which server wanted it.
        what: String,
        /// The environment variable that moves this port alone.
        variable: String,
    },
    /// No free port was found, or a server could not bind any of those tried.
    #[error("found no free port for {what}")]
    NoFreePort {
        /// Which server wanted it.
        what: String,
    },
    /// The process ended, or did not answer, before it was ready.
    #[error("{name} did not start: {reason}\n  log {log}:\n{tail}", log = log.display())]
    DidNotStart {
        /// The server's name.
        name: String,
        /// Ended early or answered too late.
        reason: String,
        /// Its log file.
        log: PathBuf,
        /// The log's last lines.
        tail: String,
    },
    /// A condition did not come true in time.
    #[error("waited {seconds} s for {what}, in vain")]
    TimedOut {
        /// What was waited for.
        what: String,
        /// How long, in seconds.
        seconds: u64,
    },
    /// A program ran and failed.
    #[error("{program} failed ({status}):\n{output}")]
    ProgramFailed {
        /// The program's name.
        program: String,
        /// Its exit status, in words.
        status: String,
        /// What it printed.
        output: String,
    },
    /// The stack in this data folder is in use by another process.
    #[error("another command is starting or stopping the stack in {}: wait for it, or set ERP_DATA_DIR to another folder", folder.display())]
    Busy {
        /// The data folder.
        folder: PathBuf,
    },
    /// A setting of the environment can't be used.
    #[error("{variable}={value}: {reason}")]
    Setting {
        /// The variable.
        variable: String,
        /// Its value.
        value: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The operating system said no.
    #[error("{what}")]
    Io {
        /// What was being done, with the path.
        what: String,
        /// The cause.
        source: std::io::Error,
    },
    /// The database said no.
    #[error("{what}")]
    Database {
        /// What was being done.
        what: String,
        /// The cause.
        source: sqlx::Error,
    },
    /// An HTTP answer that makes no sense here.
    #[error("{what}")]
    Http {
        /// What was being asked.
        what: String,
        /// The cause.
        source: reqwest::Error,
    },
}

/// Adds what was being done to an error of the operating system.
pub trait IoContext<T> {
    /// Wraps the error; `what` is only made when there is one.
    fn doing<S: Into<String>>(self, what: impl FnOnce() -> S) -> Result<T>;
}

impl<T> IoContext<T> for std::io::Result<T> {
    fn doing<S: Into<String>>(self, what: impl FnOnce() -> S) -> Result<T> {
        self.map_err(|source| StackError::Io { what: what().into(), source })
    }
}
