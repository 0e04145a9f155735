//! Stripe's objects, each as it is when it is made, with the fields that the API has in the story's version. What happens to them afterwards
//! stands in `plots`.

pub(super) mod charge;
pub(super) mod customer;
pub(super) mod dispute;
pub(super) mod intent;
pub(super) mod invoice;
pub(super) mod money;
pub(super) mod refund;
pub(super) mod subscription;

use serde_json::{Value, json};

/// Adds members to an object.
fn add<const N: usize>(object: &mut Value, members: [(&str, Value); N]) {
    if let Some(object) = object.as_object_mut() {
        object.extend(members.map(|(name, value)| (name.to_owned(), value)));
    }
}

/// Stripe's list, as it stands inside of objects.
fn list(url: String, data: Vec<Value>) -> Value {
    json!({ "object": "list", "data": data, "has_more": false, "total_count": data.len(), "url": url })
}
