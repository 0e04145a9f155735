//! The files in `proto-schemas/` that are generated from the event types, and the comparison with the committed ones.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;

use crate::{CATALOG, asyncapi};

/// Why the files could not be made, compared or written.
#[derive(Debug, thiserror::Error)]
pub enum SchemaError {
    /// A schema could not be rendered as JSON.
    #[error("can't render a schema")]
    Json(#[from] serde_json::Error),
    /// asyncapi.yaml could not be rendered as YAML.
    #[error("can't render asyncapi.yaml")]
    Yaml(#[from] serde_saphyr::ser::Error),
    /// A file or folder could not be read or written.
    #[error("can't use {path}")]
    Io {
        /// The file or folder.
        path: String,
        /// What the system says.
        source: io::Error,
    },
}

/// The generated files by their paths under `proto-schemas/`.
pub fn files() -> Result<BTreeMap<String, String>, SchemaError> {
    let mut files = BTreeMap::new();
    for info in CATALOG {
        let schema = serde_json::to_string_pretty(&(info.schema)())?;
        files.insert(format!("events/{}.json", info.kind), schema + "\n");
    }
    files.insert("asyncapi.yaml".to_owned(), asyncapi::document()?);
    Ok(files)
}

/// What differs between the generated files and those under `root`: missing, different, or of no type any more. Empty when
/// they are the same.
pub fn differences(root: &Path) -> Result<Vec<String>, SchemaError> {
    let wanted = files()?;
    let mut found = Vec::new();
    for (name, content) in &wanted {
        let path = root.join(name);
        match std::fs::read_to_string(&path) {
            Ok(committed) if committed == *content => {}
            Ok(_) => found.push(format!("{name} differs")),
            Err(error) if error.kind() == io::ErrorKind::NotFound => found.push(format!("{name} is missing")),
            Err(source) => {
                return Err(SchemaError::Io { path: path.display().to_string(), source });
            }
        }
    }
    for name in committed_events(root)? {
        if !wanted.contains_key(&name) {
            found.push(format!("{name} belongs to no event type"));
        }
    }
    Ok(found)
}

/// Writes the generated files under `root` and removes those of types that are gone.
pub fn write(root: &Path) -> Result<(), SchemaError> {
    let wanted = files()?;
    let io_error = |path: &Path, source| SchemaError::Io { path: path.display().to_string(), source };
    let events = root.join("events");
    std::fs::create_dir_all(&events).map_err(|source| io_error(&events, source))?;
    for name in committed_events(root)?.into_iter().filter(|name| !wanted.contains_key(name)) {
        let path = root.join(name);
        std::fs::remove_file(&path).map_err(|source| io_error(&path, source))?;
    }
    for (name, content) in wanted {
        let path = root.join(name);
        std::fs::write(&path, content).map_err(|source| io_error(&path, source))?;
    }
    Ok(())
}

/// The names of the files in `events/`, as [`files`] has them.
fn committed_events(root: &Path) -> Result<Vec<String>, SchemaError> {
    let path = root.join("events");
    let io_error = |source| SchemaError::Io { path: path.display().to_string(), source };
    let entries = match std::fs::read_dir(&path) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(source) => return Err(io_error(source)),
    };
    entries.map(|entry| Ok(format!("events/{}", entry.map_err(io_error)?.file_name().to_string_lossy()))).collect()
}
