//! The field table in the code against `proto-schemas/flasherp-api.yaml`, so that neither can change alone.

use flasherp_sandbox::{
    api::Endpoint,
    schema::{Kind, Resource},
};
use serde_json::Value;

pub(crate) fn contract() -> Value {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../proto-schemas/flasherp-api.yaml");
    serde_saphyr::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

#[test]
fn every_field_is_the_contracts() {
    let contract = contract();
    for (resource, schema) in [
        (Resource::Customers, "CustomerInput"),
        (Resource::Transactions, "TransactionInput"),
        (Resource::Subscriptions, "SubscriptionInput"),
        (Resource::Invoices, "InvoiceInput"),
        (Resource::Metrics, "Metrics"),
    ] {
        let schema = &contract["components"]["schemas"][schema];
        let properties = schema["properties"].as_object().unwrap();
        let mut named: Vec<&str> = properties.keys().map(String::as_str).collect();
        let mut known: Vec<&str> = resource.fields().iter().map(|field| field.name).collect();
        named.sort_unstable();
        known.sort_unstable();
        assert_eq!(known, named, "{resource:?}");
        for field in resource.fields() {
            let required = schema["required"].as_array().unwrap().iter().any(|name| name == field.name);
            assert_eq!(field.is_required, required, "{resource:?} {}", field.name);
            agrees(field.kind, &properties[field.name], field.name);
        }
    }
}

fn agrees(kind: Kind, property: &Value, name: &str) {
    let limit = |key: &str| property[key].as_u64().map(|limit| usize::try_from(limit).unwrap());
    let expected_type = match kind {
        Kind::Amount => "number",
        Kind::Object { .. } => "object",
        _ => "string",
    };
    assert_eq!(property["type"], expected_type, "{name}");
    match kind {
        Kind::Text { min, max } => {
            assert_eq!(
                (min, max),
                (limit("minLength").unwrap_or(0), limit("maxLength").unwrap_or(usize::MAX)),
                "{name}"
            );
            assert!(property["format"].is_null() && property["enum"].is_null(), "{name}");
        }
        Kind::Email { max } => {
            assert_eq!((&property["format"], Some(max)), (&"email".into(), limit("maxLength")), "{name}")
        }
        Kind::OneOf(words) => assert_eq!(property["enum"], serde_json::json!(words), "{name}"),
        Kind::Instant => assert_eq!(property["format"], "date-time", "{name}"),
        Kind::Object { max_properties } => {
            assert_eq!(max_properties, limit("maxProperties").unwrap_or(usize::MAX), "{name}")
        }
        Kind::Customer | Kind::Amount | Kind::Currency => {}
    }
}

#[test]
fn every_operation_is_the_contracts() {
    let contract = contract();
    let mut named: Vec<String> = Vec::new();
    for (path, operations) in contract["paths"].as_object().unwrap() {
        named.extend(
            operations.as_object().unwrap().keys().map(|method| format!("{} /v1{path}", method.to_uppercase())),
        );
    }
    let mut known: Vec<String> =
        Endpoint::all().into_iter().filter(|endpoint| *endpoint != Endpoint::Unknown).map(Endpoint::label).collect();
    named.sort_unstable();
    known.sort_unstable();
    assert_eq!(known, named);
}
