//! What went wrong, in words that say what to do, and the exit status that belongs to it.

use std::error::Error;
use std::fmt;
use std::process::ExitCode;

use service::settings::Mistakes;

/// Why a command did not do its work.
#[derive(Debug)]
pub(crate) enum Failure {
    /// The environment or an argument is wrong: exit status 2.
    Usage(String),
    /// It was tried and failed: exit status 1.
    Failed(String),
}

impl Failure {
    /// A failure with its causes on the same line.
    pub(crate) fn failed(what: &str, error: impl Error) -> Self {
        let mut text = format!("{what}: {error}");
        let mut cause = error.source();
        while let Some(error) = cause {
            let words = error.to_string();
            // Many errors say their cause themselves.
            if !text.contains(&words) {
                text.push_str(": ");
                text.push_str(&words);
            }
            cause = error.source();
        }
        Self::Failed(text)
    }

    pub(crate) fn exit_code(&self) -> ExitCode {
        match self {
            Self::Usage(_) => ExitCode::from(2),
            Self::Failed(_) => ExitCode::FAILURE,
        }
    }
}

impl From<Mistakes> for Failure {
    fn from(mistakes: Mistakes) -> Self {
        Self::Usage(mistakes.to_string())
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Usage(text) | Self::Failed(text) => f.write_str(text),
        }
    }
}
