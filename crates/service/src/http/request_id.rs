//! The id by which one request can be followed through answers, logs, events and audit rows.
//!
//! A caller's `X-Request-Id` is taken over when it is a sane value, so that its own logs match ours; else one is made.

use std::convert::Infallible;
use std::fmt;
use std::future::{Ready, ready};

use actix_web::dev::Payload;
use actix_web::{FromRequest, HttpMessage as _, HttpRequest};
use serde::Serialize;
use uuid::Uuid;

/// Longer ones are no ids.
const LONGEST: usize = 128;

tokio::task_local! {
    /// The id of the request that the current task answers.
    pub(super) static CURRENT: RequestId;
}

/// A request's id: as text where people see it, as UUID where a column holds it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct RequestId {
    text: String,
    #[serde(skip)]
    uuid: Uuid,
}

impl RequestId {
    /// A new one; UUIDv7.
    #[must_use]
    pub fn generate() -> Self {
        let uuid = Uuid::now_v7();
        Self { text: uuid.to_string(), uuid }
    }

    /// Takes a caller's value over: up to 128 letters, digits and `-_.:+/=`; anything else is `None`, so that no header can write into a
    /// log line or a row what it likes.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let sane = (1..=LONGEST).contains(&text.len())
            && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.:+/=".contains(&byte));
        sane.then(|| {
            // The same text gives the same UUID, so that rows are found by it.
            let uuid = Uuid::try_parse(text).unwrap_or_else(|_| Uuid::new_v5(&Uuid::NAMESPACE_OID, text.as_bytes()));
            Self { text: text.to_owned(), uuid }
        })
    }

    /// The id of the request being answered, inside a handler or what it awaits in the same task.
    #[must_use]
    pub fn current() -> Option<Self> {
        CURRENT.try_with(Clone::clone).ok()
    }

    /// As the caller wrote it.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// For columns of type uuid: the id itself when it is a UUID, else the UUIDv5 of its text.
    #[must_use]
    pub fn uuid(&self) -> Uuid {
        self.uuid
    }
}

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl FromRequest for RequestId {
    type Error = Infallible;
    type Future = Ready<Result<Self, Infallible>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(Ok(request.extensions().get::<Self>().cloned().unwrap_or_else(Self::generate)))
    }
}
