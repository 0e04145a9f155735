//! What holds of every request, added to the description in one place, as `input` reads every request in one place: bodies take no unknown
//! members; one that needs no member may be left out, and none is `null`; no parameter is `null`; no text holds a NUL.

use std::collections::BTreeSet;

use utoipa::openapi::path::{Operation, ParameterIn};
use utoipa::openapi::schema::{AdditionalProperties, Object, Schema, SchemaType, Type};
use utoipa::openapi::{OpenApi, RefOr, Required};

/// Nothing but NUL is missing from what a text may hold.
const NO_NUL: &str = r"^[^\u0000]*$";

/// Adds it.
pub(super) fn describe(api: &mut OpenApi) {
    super::operations(api).for_each(describe_parameters);
    let bodies: BTreeSet<String> = super::operations(api).filter_map(|operation| body_schema(operation)).collect();
    let schemas = api.components.as_mut().map(|components| &mut components.schemas);
    let mut may_be_left_out = BTreeSet::new();
    for (name, schema) in schemas.into_iter().flatten().filter(|(name, _)| bodies.contains(*name)) {
        let RefOr::T(Schema::Object(body)) = schema else { continue };
        body.additional_properties = Some(Box::new(AdditionalProperties::FreeForm(false)));
        body.properties.values_mut().for_each(describe_text);
        if body.required.is_empty() {
            may_be_left_out.insert(name.clone());
        }
    }
    for operation in super::operations(api) {
        let is_needed = body_schema(operation).is_none_or(|name| !may_be_left_out.contains(&name));
        if let Some(RefOr::T(body)) = &mut operation.request_body {
            body.required = Some(if is_needed { Required::True } else { Required::False });
        }
    }
}

/// The name of the schema of an operation's JSON body.
fn body_schema(operation: &Operation) -> Option<String> {
    let RefOr::T(body) = operation.request_body.as_ref()? else { return None };
    let RefOr::T(content) = body.content.get("application/json")? else { return None };
    let RefOr::Ref(reference) = content.schema.as_ref()? else { return None };
    reference.ref_location.rsplit('/').next().map(ToOwned::to_owned)
}

fn describe_parameters(operation: &mut Operation) {
    for parameter in operation.parameters.iter_mut().flatten() {
        let RefOr::T(parameter) = parameter else { continue };
        let Some(schema) = &mut parameter.schema else { continue };
        if let RefOr::T(Schema::Object(object)) = schema {
            not_null(object);
        }
        // What a header can hold is HTTP's to say, and the gateway's what a path can.
        if parameter.parameter_in == ParameterIn::Query {
            describe_text(schema);
        }
    }
}

/// An optional parameter is left out; there is no way to write null.
fn not_null(object: &mut Object) {
    if let SchemaType::Array(types) = &object.schema_type
        && let [only] = types.iter().filter(|of| **of != Type::Null).cloned().collect::<Vec<_>>().as_slice()
    {
        object.schema_type = SchemaType::Type(only.clone());
    }
}

fn describe_text(schema: &mut RefOr<Schema>) {
    if let RefOr::T(Schema::Object(object)) = schema
        && object.schema_type == SchemaType::Type(Type::String)
        && object.enum_values.is_none()
        && object.format.is_none()
        && object.pattern.is_none()
    {
        object.pattern = Some(NO_NUL.to_owned());
    }
}
