//! Objects by id, and those that belong to another: charges of a payment intent, refunds of a charge, invoice payments of an invoice.

use serde_json::Value;

use super::{ApiError, History, expand, page::Page, query::Query};
use crate::stripe::{ApiShape, catalog};

/// A collection: its path, its objects' kind, and the fields that its list can be narrowed by (parameter, place in the object).
struct Collection {
    path: &'static str,
    kind: &'static str,
    filters: &'static [(&'static str, &'static str)],
}

const COLLECTIONS: [Collection; 12] = [
    Collection { path: "customers", kind: "customer", filters: &[] },
    Collection { path: "payment_intents", kind: "payment_intent", filters: &[("customer", "/customer")] },
    Collection {
        path: "charges",
        kind: "charge",
        filters: &[("customer", "/customer"), ("payment_intent", "/payment_intent")],
    },
    Collection { path: "balance_transactions", kind: "balance_transaction", filters: &[("source", "/source")] },
    Collection {
        path: "refunds",
        kind: "refund",
        filters: &[("charge", "/charge"), ("payment_intent", "/payment_intent")],
    },
    Collection {
        path: "disputes",
        kind: "dispute",
        filters: &[("charge", "/charge"), ("payment_intent", "/payment_intent")],
    },
    Collection {
        path: "invoices",
        kind: "invoice",
        filters: &[("customer", "/customer"), ("subscription", "subscription")],
    },
    Collection {
        path: "invoice_payments",
        kind: "invoice_payment",
        filters: &[("invoice", "/invoice"), ("payment[payment_intent]", "/payment/payment_intent")],
    },
    Collection { path: "subscriptions", kind: "subscription", filters: &[("customer", "/customer")] },
    Collection { path: "prices", kind: "price", filters: &[] },
    Collection { path: "plans", kind: "plan", filters: &[] },
    Collection { path: "products", kind: "product", filters: &[] },
];

fn collection(path: &str) -> Result<&'static Collection, ApiError> {
    let known = COLLECTIONS.iter().find(|known| known.path == path);
    known.ok_or_else(|| ApiError::Unknown(format!("GET: /v1/{path}")))
}

pub(super) fn get(
    history: &History,
    path: &str,
    id: &str,
    mut query: Query,
    shape: Option<ApiShape>,
) -> Result<Value, ApiError> {
    let collection = collection(path)?;
    let wanted = query.take_all("expand");
    query.nothing_else()?;
    let (objects, found) = match history.story_of(id) {
        Some((run, index)) => {
            let objects = run.objects(index, shape);
            let found =
                objects.iter().find(|object| is_of_kind(object, collection.kind) && has_id(object, id)).cloned();
            (objects, found)
        }
        None => (Vec::new(), None),
    };
    let found = found.or_else(|| catalog::find(path, id, shape.unwrap_or_default()));
    let mut object = found.ok_or_else(|| ApiError::Missing { kind: collection.kind.into(), id: id.into() })?;
    for path in wanted {
        expand::expand(&mut object, &path, &objects, shape.unwrap_or_default())?;
    }
    Ok(object)
}

/// The sandbox keeps no list of all objects: at least one parameter must name what they belong to.
pub(super) fn list(
    history: &History,
    path: &str,
    mut query: Query,
    shape: Option<ApiShape>,
) -> Result<Value, ApiError> {
    let collection = collection(path)?;
    let page = Page::take(&mut query)?;
    let wanted = query.take_all("expand");
    // Says nothing that `payment[payment_intent]` doesn't.
    query.take("payment[type]");
    let filters: Vec<(&str, String)> =
        collection.filters.iter().filter_map(|(name, place)| Some((*place, query.take(name)?))).collect();
    query.nothing_else()?;
    let Some((_, id)) = filters.first() else {
        let names: Vec<&str> = collection.filters.iter().map(|(name, _)| *name).collect();
        let message = format!("This sandbox lists {path} only with one of these parameters: {}", names.join(", "));
        return Err(ApiError::invalid("", message));
    };
    let objects = history.story_of(id).map(|(run, index)| run.objects(index, shape)).unwrap_or_default();
    let fits = |object: &&Value| {
        is_of_kind(object, collection.kind)
            && filters.iter().all(|(place, id)| field(object, place) == Some(id.as_str()))
    };
    let mut found: Vec<Value> = objects.iter().filter(fits).cloned().collect();
    found.reverse();
    let mut list = page.of(found, &format!("/v1/{path}"))?;
    for path in wanted {
        expand::expand(&mut list, &path, &objects, shape.unwrap_or_default())?;
    }
    Ok(list)
}

/// The text at a place of an object; an invoice's subscription is in the place of its shape.
fn field<'o>(object: &'o Value, place: &str) -> Option<&'o str> {
    let value = match place {
        "subscription" => {
            let current = object.pointer("/parent/subscription_details/subscription");
            current.or_else(|| object.pointer("/subscription"))
        }
        place => object.pointer(place),
    };
    value?.as_str()
}

fn is_of_kind(object: &Value, kind: &str) -> bool {
    object.get("object").is_some_and(|known| known == kind)
}

pub(super) fn has_id(object: &Value, id: &str) -> bool {
    object.get("id").is_some_and(|known| known == id)
}
