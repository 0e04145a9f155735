//! The operations of an API's description, so that a table over all of them forgets none.

use serde_json::Value;

/// An operation that is not open to all.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Operation {
    /// In capitals.
    pub method: String,
    /// With something of the right kind in each parameter's place; it names nothing that there is.
    pub path: String,
}

impl Operation {
    /// Whether a viewer may ask for it.
    #[must_use]
    pub fn only_reads(&self) -> bool {
        self.method == "GET"
    }
}

/// All operations of an OpenAPI document that are not open to all.
///
/// # Panics
/// When it is no such document.
#[must_use]
pub fn guarded_operations(document: &Value) -> Vec<Operation> {
    let paths = document["paths"].as_object().expect("an OpenAPI document has paths");
    let operations = paths.iter().flat_map(|(path, item)| {
        let described = item.as_object().expect("a path has operations").iter();
        let methods =
            described.filter(|(name, _)| matches!(name.as_str(), "get" | "put" | "post" | "delete" | "patch"));
        // `security: [{}]` is open to all; without the member it is the document's.
        let guarded = methods.filter(|(_, operation)| {
            operation["security"].as_array().is_none_or(|ways| !ways.iter().any(|way| *way == serde_json::json!({})))
        });
        guarded.map(|(method, _)| Operation { method: method.to_uppercase(), path: filled(path) })
    });
    operations.collect()
}

fn filled(path: &str) -> String {
    let part = |part: &str| match part {
        "{name}" => "no-such-job".to_owned(),
        "{fingerprint}" => "0".repeat(32),
        "{entityType}" => "transaction".to_owned(),
        part if part.starts_with('{') => "00000000-0000-4000-8000-000000000001".to_owned(),
        part => part.to_owned(),
    };
    path.split('/').map(part).collect::<Vec<_>>().join("/")
}
