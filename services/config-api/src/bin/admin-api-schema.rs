//! Writes `proto-schemas/admin-api.json`, or with `--check` compares it.
//!
//! `admin-api-schema [--check] [FOLDER]`; the folder is `proto-schemas` by default, seen from where it is run.

use std::path::PathBuf;

use anyhow::{Context as _, bail};
use config_api::openapi;

fn main() -> anyhow::Result<()> {
    let mut check = false;
    let mut folder = PathBuf::from("proto-schemas");
    for argument in std::env::args().skip(1) {
        match argument.as_str() {
            "--check" => check = true,
            option if option.starts_with('-') => {
                bail!("unknown option {option}; usage: admin-api-schema [--check] [FOLDER]")
            }
            other => folder = PathBuf::from(other),
        }
    }
    let file = folder.join(openapi::FILE);
    if !check {
        return openapi::write(&folder).with_context(|| format!("writing {}", file.display()));
    }
    if !openapi::is_current(&folder).with_context(|| format!("reading {}", file.display()))? {
        bail!("{} is not what the handlers say; run `cargo run --bin admin-api-schema`", file.display());
    }
    Ok(())
}
