//! The words of the domain, as the API reads and describes them.

use domain::{
    BatchKind, BatchStatus, Decision, EntityType, ErrorCode, FindingClass, ReconciliationStatus, SourceSystem,
    SyncStatus,
};
use utoipa::openapi::RefOr;
use utoipa::openapi::schema::{Array, ArrayBuilder, Object, ObjectBuilder, Schema, Type};
use utoipa::{PartialSchema, ToSchema};

use crate::input::Fields;

macro_rules! words {
    ($($(#[$doc:meta])* $read:ident, $schema:ident: $name:ty;)+) => {$(
        $(#[$doc])*
        pub(crate) fn $read(fields: &mut Fields, name: &str) -> Option<$name> {
            let values: Vec<_> = <$name>::ALL.iter().map(|value| (value.as_str(), *value)).collect();
            fields.one_of(name, &values)
        }

        /// Its schema.
        pub(crate) fn $schema() -> Object {
            words(<$name>::ALL.iter().map(|value| value.as_str()))
        }
    )+};
}

words! {
    /// Reads a type of record.
    entity_type, entity_type_schema: EntityType;
    /// Reads where a sync stands.
    sync_status, sync_status_schema: SyncStatus;
    /// Reads a system.
    source_system, source_system_schema: SourceSystem;
    /// Reads one of the 24.
    error_code, error_code_schema: ErrorCode;
    /// Reads what a batch does.
    batch_kind, batch_kind_schema: BatchKind;
    /// Reads where a batch stands.
    batch_status, batch_status_schema: BatchStatus;
    /// Reads in which way both sides differ.
    finding_class, finding_class_schema: FindingClass;
    /// Reads what was decided on a finding.
    decision, decision_schema: Decision;
    /// Reads where a reconciliation stands.
    reconciliation_status, reconciliation_status_schema: ReconciliationStatus;
}

/// The schema of what can be imported.
pub(crate) fn imported_type_schema() -> Object {
    words(import::TYPES.iter().map(|kind| kind.as_str()))
}

/// A type of record in a path, for the API's description.
pub(crate) struct EntityTypeWord;

impl PartialSchema for EntityTypeWord {
    fn schema() -> RefOr<Schema> {
        entity_type_schema().into()
    }
}

impl ToSchema for EntityTypeWord {}

/// The schema of a list of words: one at least, none of them twice.
pub(crate) fn list(values: impl Iterator<Item = &'static str>, description: &str) -> Array {
    let list = ArrayBuilder::new().items(words(values)).min_items(Some(1)).unique_items(true);
    list.description(Some(description)).build()
}

/// Reads one of the words of a column.
pub(crate) fn one_of(fields: &mut Fields, name: &str, words: &'static [&'static str]) -> Option<&'static str> {
    let values: Vec<_> = words.iter().map(|word| (*word, *word)).collect();
    fields.one_of(name, &values)
}

/// A string that is one of these.
pub(crate) fn words(values: impl Iterator<Item = &'static str>) -> Object {
    ObjectBuilder::new().schema_type(Type::String).enum_values(Some(values)).build()
}
