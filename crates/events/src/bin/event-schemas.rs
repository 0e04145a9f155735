//! Writes `proto-schemas/events/*.json` and `proto-schemas/asyncapi.yaml`, or with `--check` compares them.
//!
//! `event-schemas [--check] [FOLDER]`; the folder is `proto-schemas` by default, seen from where it is run.

use std::path::PathBuf;

use anyhow::bail;

fn main() -> anyhow::Result<()> {
    let mut check = false;
    let mut root = PathBuf::from("proto-schemas");
    for argument in std::env::args().skip(1) {
        match argument.as_str() {
            "--check" => check = true,
            option if option.starts_with('-') => {
                bail!("unknown option {option}; usage: event-schemas [--check] [FOLDER]")
            }
            folder => root = PathBuf::from(folder),
        }
    }
    if !check {
        events::schema::write(&root)?;
        return Ok(());
    }
    let differences = events::schema::differences(&root)?;
    if !differences.is_empty() {
        bail!(
            "{} is not what the event types say; run `cargo run -p events --bin event-schemas`:\n  {}",
            root.display(),
            differences.join("\n  ")
        );
    }
    Ok(())
}
