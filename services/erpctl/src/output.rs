//! Standard output, for results alone, so that they can be piped.

use std::io::{self, Write as _};

use crate::failure::Failure;

/// Writes a result. A reader that has gone is no failure.
pub(crate) fn print(text: &str) -> Result<(), Failure> {
    let mut out = io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(Failure::failed("can't write to standard output", error))
        }
        _ => Ok(()),
    }
}
