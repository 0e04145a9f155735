//! The JSON Schema of an event: its envelope with the data in it, as strict as what is published, and open for fields to come.

use schemars::Schema;
use schemars::generate::SchemaSettings;
use schemars::transform::{RecursiveTransform, Transform as _};
use serde_json::{Map, Value};

use crate::{Event, EventType};

/// The schema of the envelope around `T`.
pub(crate) fn schema_of<T: EventType>() -> Schema {
    let mut schema = SchemaSettings::draft2020_12().into_generator().into_root_schema_for::<Event<T>>();
    schema.insert("$id".to_owned(), format!("urn:{}", T::TYPE.replace('.', ":")).into());
    schema.insert("title".to_owned(), T::TYPE.into());
    schema.insert("description".to_owned(), T::SUMMARY.into());
    // What the generic envelope can't say of itself.
    for (property, value) in [("type", T::TYPE), ("specversion", "1.0"), ("datacontenttype", "application/json")] {
        if let Some(found) = schema.pointer_mut(&format!("/properties/{property}")) {
            found["const"] = value.into();
        }
    }
    RecursiveTransform(without_null).transform(&mut schema);
    Schema::try_from(sorted(schema.into())).expect("a sorted schema is still a schema")
}

/// A field that has no value is absent, never null: takes `null` out of what a field may be.
fn without_null(schema: &mut Schema) {
    if let Some(Value::Array(types)) = schema.get_mut("type") {
        types.retain(|kind| kind != "null");
        if let [one] = types.as_mut_slice() {
            let one = one.take();
            schema.insert("type".to_owned(), one);
        }
    }
    if let Some(Value::Array(choices)) = schema.get_mut("anyOf") {
        choices.retain(|choice| choice["type"] != "null");
        if let [Value::Object(one)] = choices.as_mut_slice() {
            let one = std::mem::take(one);
            schema.remove("anyOf");
            for (keyword, value) in one {
                schema.insert(keyword, value);
            }
        }
    }
}

/// The same value with all keys in order, whatever features of `serde_json` the build has: a generated file must not depend
/// on which other crates are built with it.
pub(crate) fn sorted(value: Value) -> Value {
    match value {
        Value::Array(items) => Value::Array(items.into_iter().map(sorted).collect()),
        Value::Object(entries) => {
            let mut entries: Vec<_> = entries.into_iter().collect();
            entries.sort_by(|(a, _), (b, _)| a.cmp(b));
            Value::Object(entries.into_iter().map(|(key, value)| (key, sorted(value))).collect::<Map<_, _>>())
        }
        plain => plain,
    }
}
