//! FlashERP's behaviour as `flasherp-api.yaml` promises it, without HTTP: a [`Call`] goes in, a [`Reply`] comes out, and between the two
//! the write has taken effect or not. What loses calls and replies on the way stands in `misbehaviour`.

mod auth;
mod cursor;
mod endpoint;
mod error;
mod list;
mod read;
mod write;

pub(crate) use auth::bearer;
pub use auth::{Credentials, Refused};
pub use endpoint::Endpoint;
pub use error::{ApiError, Code};

use std::sync::PoisonError;

use bytes::Bytes;

use crate::{capability::Capability, sandbox::Sandbox, store::Store, webhooks::Author};

/// A call as it arrived.
#[derive(Debug, Clone)]
pub struct Call {
    /// What is called.
    pub endpoint: Endpoint,
    /// Whether key and secret were right.
    pub access: Result<(), Refused>,
    /// The record's id, where the path has one.
    pub id: String,
    /// The query, without `?`.
    pub query: String,
    /// `Idempotency-Key`, if given.
    pub idempotency_key: Option<String>,
    /// The body.
    pub body: Body,
}

/// A body as far as it could be read.
#[derive(Debug, Clone)]
pub enum Body {
    /// All of it.
    Json(Bytes),
    /// A body with another media type than JSON.
    NotJson,
    /// A body longer than the sandbox takes.
    TooLarge,
}

/// An answer before it is put on the wire.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reply {
    /// HTTP status.
    pub status: u16,
    /// JSON text.
    pub body: Bytes,
    /// Whether this is an earlier answer again.
    pub is_replay: bool,
}

impl Reply {
    fn new(status: u16, body: Bytes) -> Self {
        Self { status, body, is_replay: false }
    }
}

/// Answers a call; when this returns, its write has taken effect.
pub fn answer(sandbox: &Sandbox, call: &Call) -> Reply {
    let outcome = call.access.map_err(ApiError::from).and_then(|()| match call.endpoint {
        Endpoint::Health => Ok(health(sandbox)),
        Endpoint::List(resource) => list::list(sandbox, resource, &call.query),
        Endpoint::Get(resource) => read::get(sandbox, resource, &call.id),
        Endpoint::Create(resource) => write::create(sandbox, resource, call),
        Endpoint::Update(resource) => write::update(sandbox, resource, call),
        Endpoint::Cancel => write::cancel(sandbox, call),
        Endpoint::Unknown => Err(ApiError::not_found("no such path")),
    });
    let reply = outcome.unwrap_or_else(|error| error.reply());
    if reply.is_replay {
        sandbox.counters.idempotent_replay();
    }
    reply
}

/// Changes a record as its owner could inside FlashERP, past the client: same rules as a PUT, no credentials.
pub fn edit(sandbox: &Sandbox, resource: crate::schema::Resource, id: &str, body: &[u8]) -> Reply {
    write::change(sandbox, resource, id, body, Author::Inside).unwrap_or_else(|error| error.reply())
}

/// Creates a record as its owner could inside FlashERP: same rules as a POST, no credentials, no key.
pub fn create(sandbox: &Sandbox, resource: crate::schema::Resource, body: &[u8]) -> Reply {
    write::create_inside(sandbox, resource, body).unwrap_or_else(|error| error.reply())
}

fn health(sandbox: &Sandbox) -> Reply {
    let capabilities: Vec<&str> = sandbox.capabilities().iter().map(Capability::name).collect();
    let status = if sandbox.misbehaviour.is_degraded() { "degraded" } else { "ok" };
    let body = serde_json::json!({ "status": status, "version": "1", "capabilities": capabilities });
    Reply::new(200, body.to_string().into())
}

fn locked(sandbox: &Sandbox) -> std::sync::MutexGuard<'_, Store> {
    sandbox.store.lock().unwrap_or_else(PoisonError::into_inner)
}
