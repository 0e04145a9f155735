//! What changes records. Each function is one step under the store's lock: key, customer and record are seen as they are when the write
//! takes effect, however late that is.

use bytes::Bytes;

use super::{ApiError, Body, Call, Code, Reply, locked, read::missing};
use crate::{
    capability::Capability,
    sandbox::Sandbox,
    schema::{self, Document, Resource},
    store::{Fingerprint, Known, RecordId, Store, record_key},
    webhooks::{Author, Change},
};

const KEY_MAX: usize = 255;

/// A record that is born inside FlashERP.
pub(super) fn create_inside(sandbox: &Sandbox, resource: Resource, body: &[u8]) -> Result<Reply, ApiError> {
    insert(sandbox, &mut locked(sandbox), resource, body, sandbox.clock.now_ms(), Author::Inside)
}

pub(super) fn create(sandbox: &Sandbox, resource: Resource, call: &Call) -> Result<Reply, ApiError> {
    let body = json(&call.body)?;
    let now_ms = sandbox.clock.now_ms();
    let key = call.idempotency_key.as_deref().filter(|_| sandbox.capabilities().has(Capability::IdempotencyKey));
    let Some(key) = key else {
        return insert(sandbox, &mut locked(sandbox), resource, body, now_ms, Author::Api);
    };
    if key.is_empty() || key.chars().count() > KEY_MAX {
        return Err(ApiError::field("Idempotency-Key", format!("must have 1 to {KEY_MAX} characters")));
    }
    let fingerprint = Fingerprint::of(resource.path(), body);
    let mut store = locked(sandbox);
    match store.idempotency.look_up(key, fingerprint, now_ms) {
        Known::Same(status, body) => Ok(Reply { status, body, is_replay: true }),
        Known::Other => {
            Err(ApiError::new(409, Code::ResourceConflict, "this idempotency key was used with another request"))
        }
        Known::New => {
            let reply = insert(sandbox, &mut store, resource, body, now_ms, Author::Api)?;
            store.idempotency.remember(key, fingerprint, reply.status, reply.body.clone(), now_ms);
            Ok(reply)
        }
    }
}

fn insert(
    sandbox: &Sandbox,
    store: &mut Store,
    resource: Resource,
    body: &[u8],
    now_ms: i64,
    author: Author,
) -> Result<Reply, ApiError> {
    let document = Document::parse(body)?;
    let fields = schema::create(resource, &document, |id| store.knows_customer(id))?;
    let replaced = match resource {
        Resource::Metrics => store.of(resource).by_key(&record_key(resource, &fields)).first().copied(),
        _ => None,
    };
    let replaced = replaced.and_then(|id| store.replace(resource, id, &fields, now_ms));
    if let Some(record) = replaced {
        return Ok(Reply::new(201, record.body));
    }
    let (id, record) = store.insert(resource, &fields, now_ms);
    let change = Change { resource, id, author, before: None, fields: &fields, record: &record };
    sandbox.webhooks.tell(&change);
    Ok(Reply::new(201, record.body))
}

pub(super) fn update(sandbox: &Sandbox, resource: Resource, call: &Call) -> Result<Reply, ApiError> {
    change(sandbox, resource, &call.id, json(&call.body)?, Author::Api)
}

pub(super) fn change(
    sandbox: &Sandbox,
    resource: Resource,
    id: &str,
    body: &[u8],
    author: Author,
) -> Result<Reply, ApiError> {
    let id = RecordId::parse(resource, id).ok_or_else(missing)?;
    let mut store = locked(sandbox);
    let before = store.of(resource).get(id).ok_or_else(missing)?.fields(resource);
    let document = Document::parse(body)?;
    let fields = schema::update(resource, before.clone(), &document, |id| store.knows_customer(id))?;
    let record = store.replace(resource, id, &fields, sandbox.clock.now_ms()).ok_or_else(missing)?;
    sandbox.webhooks.tell(&Change { resource, id, author, before: Some(&before), fields: &fields, record: &record });
    Ok(Reply::new(200, record.body))
}

pub(super) fn cancel(sandbox: &Sandbox, call: &Call) -> Result<Reply, ApiError> {
    let resource = Resource::Subscriptions;
    let id = RecordId::parse(resource, &call.id).ok_or_else(missing)?;
    let mut store = locked(sandbox);
    let record = store.of(resource).get(id).ok_or_else(missing)?;
    let mut fields = record.fields(resource);
    let is_cancelled = fields.text(resource, "status").as_deref() == Some("canceled");
    if is_cancelled && fields.json(resource, "canceledAt").is_some() {
        return Ok(Reply::new(200, record.body.clone()));
    }
    // The change's own time, which is later than the record's last one also within the same millisecond.
    let now_ms = sandbox.clock.now_ms().max(record.updated_ms + 1);
    fields.set(resource, "status", "\"canceled\"".into());
    fields.set(resource, "canceledAt", format!("\"{}\"", schema::render_instant(now_ms)).into());
    let record = store.replace(resource, id, &fields, now_ms).ok_or_else(missing)?;
    Ok(Reply::new(200, record.body))
}

fn json(body: &Body) -> Result<&Bytes, ApiError> {
    match body {
        Body::Json(bytes) => Ok(bytes),
        Body::NotJson => Err(ApiError::field("Content-Type", "must be application/json")),
        Body::TooLarge => Err(ApiError::new(413, Code::ValidationError, "the body is too large")),
    }
}
