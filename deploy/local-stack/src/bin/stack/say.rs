//! What is said on the terminal. A reader that has gone is no failure.

use std::io::{Write as _, stderr, stdout};

/// A line for the reader.
pub(crate) fn say(line: &str) {
    let mut out = stdout().lock();
    drop(writeln!(out, "{line}").and_then(|()| out.flush()));
}

/// What went wrong.
pub(crate) fn complain(line: &str) {
    drop(writeln!(stderr().lock(), "stack: {line}"));
}
