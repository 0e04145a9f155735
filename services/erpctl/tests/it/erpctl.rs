//! Runs the program itself.

use std::process::{Command, Output};

/// What came of a run.
pub(crate) struct Run {
    /// The exit status.
    pub(crate) code: i32,
    /// Standard output.
    pub(crate) out: String,
    /// Standard error.
    pub(crate) err: String,
}

/// Runs `erpctl` with just these variables.
pub(crate) fn erpctl(args: &[&str], env: &[(&str, &str)]) -> Run {
    let mut command = Command::new(env!("CARGO_BIN_EXE_erpctl"));
    command.args(args).env_clear().envs(env.iter().copied());
    let Output { status, stdout, stderr } = command.output().expect("the program runs");
    let text = |bytes| String::from_utf8(bytes).expect("UTF-8");
    Run { code: status.code().expect("it was not killed"), out: text(stdout), err: text(stderr) }
}
