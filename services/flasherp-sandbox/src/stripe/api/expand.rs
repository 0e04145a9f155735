//! `expand[]=latest_charge.balance_transaction`: objects in the place of their ids.

use serde_json::{Value, json};

use super::{ApiError, objects::has_id};
use crate::stripe::{ApiShape, catalog};

/// As deep as Stripe goes.
const DEPTH_MAX: usize = 4;

/// Expands one path of an object, with the objects of its story.
pub(super) fn expand(object: &mut Value, path: &str, objects: &[Value], shape: ApiShape) -> Result<(), ApiError> {
    let segments: Vec<&str> = path.split('.').collect();
    if segments.len() > DEPTH_MAX {
        return Err(ApiError::invalid("expand", format!("You cannot expand more than {DEPTH_MAX} levels: {path}")));
    }
    match go(object, &segments, objects, shape) {
        true => Ok(()),
        false => Err(ApiError::invalid("expand", format!("This property cannot be expanded ({path})."))),
    }
}

/// Whether there is such a place. An empty one (null) is left as it is.
fn go(value: &mut Value, segments: &[&str], objects: &[Value], shape: ApiShape) -> bool {
    let Some((segment, rest)) = segments.split_first() else { return true };
    if *segment == "payments" && value.get("object").is_some_and(|kind| kind == "invoice") {
        include_payments(value, objects);
    }
    let Some(field) = value.get_mut(segment) else { return false };
    if let Value::Array(values) = field {
        return values.iter_mut().all(|value| go(value, rest, objects, shape));
    }
    if let Some(id) = field.as_str() {
        let found = objects.iter().find(|object| has_id(object, id)).cloned();
        let found = found.or_else(|| ["prices", "products"].iter().find_map(|path| catalog::find(path, id, shape)));
        let Some(found) = found else { return false };
        *field = found;
    }
    field.is_null() || go(field, rest, objects, shape)
}

/// An invoice's payments are in it only when asked for.
fn include_payments(invoice: &mut Value, objects: &[Value]) {
    let id = invoice.get("id").cloned().unwrap_or_default();
    let of_it: Vec<&Value> = objects
        .iter()
        .filter(|object| object.get("object").is_some_and(|kind| kind == "invoice_payment"))
        .filter(|object| object.get("invoice") == Some(&id))
        .collect();
    let url = format!("/v1/invoice_payments?invoice={}", id.as_str().unwrap_or_default());
    let list = json!({ "object": "list", "data": of_it, "has_more": false, "url": url });
    if let Some(invoice) = invoice.as_object_mut() {
        invoice.insert("payments".into(), list);
    }
}
