//! The schemas of the domain's types, which know nothing of schemas: the words and patterns that the wire allows.

use domain::gate::Cause;
use domain::{EntityType, ErrorCode, FlashErpId, Outcome, SourceSystem};
use schemars::{Schema, SchemaGenerator, json_schema};

fn words(words: impl Iterator<Item = &'static str>) -> Schema {
    json_schema!({ "type": "string", "enum": words.collect::<Vec<_>>() })
}

pub(crate) fn entity_type(_: &mut SchemaGenerator) -> Schema {
    words(EntityType::ALL.iter().map(|value| value.as_str()))
}

pub(crate) fn source_system(_: &mut SchemaGenerator) -> Schema {
    words(SourceSystem::ALL.iter().map(|value| value.as_str()))
}

pub(crate) fn outcome(_: &mut SchemaGenerator) -> Schema {
    words(Outcome::ALL.iter().map(|value| value.as_str()))
}

pub(crate) fn error_code(_: &mut SchemaGenerator) -> Schema {
    words(ErrorCode::ALL.iter().map(|value| value.as_str()))
}

pub(crate) fn circuit_cause(_: &mut SchemaGenerator) -> Schema {
    words(Cause::ALL.iter().map(|value| value.as_str()))
}

pub(crate) fn flasherp_id(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "type": "string", "minLength": 1, "maxLength": FlashErpId::MAX_CHARS })
}

pub(crate) fn flasherp_ids(generator: &mut SchemaGenerator) -> Schema {
    json_schema!({ "type": "array", "minItems": 1, "items": flasherp_id(generator) })
}

/// An id for examples.
pub(crate) fn example_id(text: &str) -> FlashErpId {
    FlashErpId::new(text).expect("examples are written as ids")
}
