//! The committed schemas are those of the types, are valid, and say of every event whether it is one.

use std::path::{Path, PathBuf};

use events::traffic::Party;
use events::{CATALOG, EventInfo, schema};
use serde_json::{Value, json};

fn committed() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../proto-schemas")
}

fn committed_schema(info: &EventInfo) -> Value {
    let path = committed().join(format!("events/{}.json", info.kind));
    let text = std::fs::read_to_string(&path).expect("each type has a committed schema");
    serde_json::from_str(&text).expect("a schema is JSON")
}

fn validator(info: &EventInfo) -> jsonschema::Validator {
    jsonschema::options()
        .should_validate_formats(true)
        .build(&committed_schema(info))
        .expect("a committed schema can be compiled")
}

fn envelope(info: &EventInfo, data: Value) -> Value {
    json!({
        "id": "01932f6a-7c1d-7000-8000-000000000001",
        "source": Party::SyncWorker.uri(),
        "type": info.kind,
        "specversion": "1.0",
        "time": "2026-01-02T03:04:05.678Z",
        "datacontenttype": "application/json",
        "data": data,
    })
}

#[test]
fn the_committed_files_are_those_that_the_types_generate() {
    let differences = schema::differences(&committed()).expect("the files can be compared");
    assert!(differences.is_empty(), "run `cargo run -p events --bin event-schemas`: {differences:#?}");
}

#[test]
fn every_committed_schema_is_a_valid_schema() {
    for info in CATALOG {
        assert!(jsonschema::meta::is_valid(&committed_schema(info)), "{}", info.kind);
    }
}

#[test]
fn every_example_event_validates_against_its_schema() {
    for info in CATALOG {
        let validator = validator(info);
        let examples = (info.examples)();
        assert!(!examples.is_empty(), "{} has no example", info.kind);
        for data in examples {
            let event = envelope(info, data);
            let errors: Vec<_> = validator.iter_errors(&event).map(|error| error.to_string()).collect();
            assert!(errors.is_empty(), "{}: {errors:#?}\n{event:#}", info.kind);
        }
    }
}

#[test]
fn an_event_that_lacks_any_required_field_does_not_validate() {
    for info in CATALOG {
        let validator = validator(info);
        let schema = committed_schema(info);
        let whole = envelope(info, (info.examples)()[0].clone());
        let data_schema = schema.pointer(&format!("/$defs/{}", info.name)).expect("the data has a schema of its own");
        for (schema, path) in [(&schema, ""), (data_schema, "/data")] {
            for field in schema["required"].as_array().expect("something is required") {
                let mut event = whole.clone();
                let object = event.pointer_mut(path).and_then(Value::as_object_mut).expect("an object");
                assert!(object.remove(field.as_str().expect("a name")).is_some(), "{} {field}", info.kind);
                assert!(!validator.is_valid(&event), "{} without {field}", info.kind);
            }
        }
    }
}

#[test]
fn an_event_of_another_type_or_version_does_not_validate() {
    for info in CATALOG {
        let whole = envelope(info, (info.examples)()[0].clone());
        for (field, wrong) in [
            ("type", json!("upcoach.erp.else.v1")),
            ("specversion", json!("0.3")),
            ("id", json!("1")),
            ("time", json!("yesterday")),
            ("subject", json!(null)),
        ] {
            let mut event = whole.clone();
            event[field] = wrong;
            assert!(!validator(info).is_valid(&event), "{} {field}", info.kind);
        }
    }
}

#[test]
fn a_field_to_come_does_not_make_an_event_invalid() {
    for info in CATALOG {
        let mut event = envelope(info, (info.examples)()[0].clone());
        event["traceid"] = json!("x");
        event["data"]["addedLater"] = json!({ "deep": true });
        assert!(validator(info).is_valid(&event), "{}", info.kind);
    }
}

#[test]
fn no_event_has_a_place_for_personal_data_or_secrets() {
    const TELLING: [&str; 12] = [
        "email",
        "fullname",
        "firstname",
        "lastname",
        "phone",
        "ipaddress",
        "password",
        "secretvalue",
        "token",
        "payload",
        "message",
        "description",
    ];
    fn names(schema: &Value, found: &mut Vec<String>) {
        if let Some(properties) = schema.get("properties").and_then(Value::as_object) {
            found.extend(properties.keys().cloned());
        }
        let children = schema.as_object().into_iter().flat_map(|object| object.values());
        children.chain(schema.as_array().into_iter().flatten()).for_each(|child| names(child, found));
    }
    for info in CATALOG {
        let mut found = Vec::new();
        names(&committed_schema(info), &mut found);
        assert!(found.len() > 8, "{}: {found:?}", info.kind);
        for name in found {
            assert!(!TELLING.contains(&name.to_lowercase().as_str()), "{}: {name}", info.kind);
        }
    }
}

#[test]
fn a_missing_a_changed_and_a_superfluous_file_are_told_and_mended() {
    let folder = tempfile::tempdir().expect("a folder");
    let root = folder.path();
    assert_eq!(schema::differences(root).expect("compared").len(), CATALOG.len() + 1);
    schema::write(root).expect("written");
    assert_eq!(schema::differences(root).expect("compared"), Vec::<String>::new());

    std::fs::remove_file(root.join("asyncapi.yaml")).expect("removed");
    std::fs::write(root.join("events/upcoach.erp.gone.v1.json"), "{}").expect("written");
    std::fs::write(root.join("events/upcoach.erp.job.finished.v1.json"), "{}").expect("written");
    assert_eq!(
        schema::differences(root).expect("compared"),
        [
            "asyncapi.yaml is missing",
            "events/upcoach.erp.job.finished.v1.json differs",
            "events/upcoach.erp.gone.v1.json belongs to no event type",
        ]
    );
    schema::write(root).expect("written");
    assert_eq!(schema::differences(root).expect("compared"), Vec::<String>::new());
    assert!(!root.join("events/upcoach.erp.gone.v1.json").exists());
}
