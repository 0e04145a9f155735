//! The README's table of settings is what the code says.

use std::collections::BTreeSet;
use std::path::Path;

use service::settings::{NoMarkers, in_readme, markdown_table};

#[test]
fn the_readmes_table_of_settings_is_what_the_code_says() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../README.md");
    let readme = std::fs::read_to_string(&path).expect("there is a README");
    let expected = in_readme(&readme).expect("the README has the markers");
    assert!(expected == readme, "run `cargo run -p service --bin settings-table -- --write`");
}

#[test]
fn the_table_goes_between_the_markers_and_nowhere_else() {
    let readme = "a\n<!-- settings:begin -->\nold\n<!-- settings:end -->\nb\n";
    let written = in_readme(readme).expect("markers");
    assert_eq!(written, format!("a\n<!-- settings:begin -->\n\n{}\n<!-- settings:end -->\nb\n", markdown_table()));
    assert_eq!(in_readme(&written).expect("markers"), written);
    assert_eq!(in_readme("no markers"), Err(NoMarkers));
}

#[test]
fn a_row_of_the_table_says_default_values_readers_and_what_for() {
    let row =
        "| `SYNC_MAX_RETRIES` | `5` | 0 to 100 retries | sync-worker | Retries of a sync before it stays failed. |\n";
    assert!(markdown_table().contains(row), "{}", markdown_table());
}

/// The sources of everything that reads settings, the table itself and tests left out.
fn sources(folder: &Path, out: &mut String) {
    for entry in std::fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        if path.is_dir() && !matches!(name, "tests" | "target") {
            sources(&path, out);
        } else if name.ends_with(".rs") && !path.ends_with("settings/table.rs") {
            out.push_str(&std::fs::read_to_string(&path).expect("a source"));
        }
    }
}

#[test]
fn a_setting_that_the_table_says_is_read_is_read() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let mut all = String::new();
    for folder in ["crates", "services", "deploy"] {
        sources(&root.join(folder), &mut all);
    }
    let words: BTreeSet<&str> = all.split(|c: char| !c.is_ascii_alphanumeric() && c != '_').collect();
    let unread: Vec<_> = service::settings::ALL
        .iter()
        .filter(|setting| !setting.read_by.is_empty() && !words.contains(setting.name))
        .map(|setting| setting.name)
        .collect();
    assert_eq!(unread, Vec::<&str>::new());
}
