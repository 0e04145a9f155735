//! The operations of an API's description, so that a table over all of them forgets none.

use serde_json::Value;

/// The admin API's description, as it is committed.
///
/// # Panics
/// When it can't be read.
#[must_use]
pub fn admin_api() -> Value {
    let file = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../proto-schemas/admin-api.json");
    serde_json::from_slice(&std::fs::read(file).expect("the API's description")).expect("JSON")
}

/// What of an answer is not as a description has it: members that it does not name, or that it promises and that did not come. For services that
/// the description is not made from.
#[must_use]
pub fn strays(document: &Value, schema: &str, answer: &Value) -> Vec<String> {
    let schema = &document["components"]["schemas"][schema];
    let names = |value: &Value| -> std::collections::BTreeSet<String> {
        value.as_object().into_iter().flat_map(|members| members.keys().cloned()).collect()
    };
    let promised = schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str).map(ToOwned::to_owned);
    let (came, known, promised) = (names(answer), names(&schema["properties"]), promised.collect());
    came.difference(&known).chain(std::collections::BTreeSet::difference(&promised, &came)).cloned().collect()
}

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
