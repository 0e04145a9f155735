//! Writes the README's table of environment variables, or checks that it is what the code says.
//!
//! `settings-table` prints the table; `--write` puts it between the README's markers; `--check` exits with 1 when the README
//! differs.

#![expect(clippy::print_stdout, reason = "printing is what this program is for")]

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context as _, bail};
use service::settings::{in_readme, markdown_table};

fn main() -> anyhow::Result<ExitCode> {
    let readme = readme();
    let text = || std::fs::read_to_string(&readme).with_context(|| format!("reading {}", readme.display()));
    match std::env::args().nth(1).as_deref() {
        None => print!("{}", markdown_table()),
        Some("--write") => std::fs::write(&readme, in_readme(&text()?)?)?,
        Some("--check") => {
            let text = text()?;
            if in_readme(&text)? != text {
                println!(
                    "README.md's table of settings is not what the code says; run `cargo run -p service --bin settings-table -- --write`"
                );
                return Ok(ExitCode::FAILURE);
            }
        }
        Some(other) => bail!("unknown argument `{other}`; there are `--write` and `--check`"),
    }
    Ok(ExitCode::SUCCESS)
}

fn readme() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../README.md")
}
