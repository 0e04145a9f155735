//! Where permission to call FlashERP is asked, before every call, and where its end is told.
//!
//! The breaker, the pauses that hold everyone and the shared rate cap live behind this trait, in one row that all callers share. A client
//! without one has [`OpenGate`].

use std::time::Duration;

use domain::ErrorCode;
use futures::future::BoxFuture;

use crate::{call::Subject, error::CallError};

/// The gate is closed for this call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// Why, as a code ([`ErrorCode::ServiceUnavailable`] for an open breaker).
    pub code: ErrorCode,
    /// Why, in words.
    pub message: String,
    /// When asking again makes sense.
    pub retry_after: Option<Duration>,
}

/// What the gate makes of a failed call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Aftermath {
    /// It stands as it is.
    Stands,
    /// The gate closed meanwhile: if nothing took effect, the failure costs no retry.
    HandedBack,
}

/// Permission to call FlashERP.
pub trait Gate: Send + Sync {
    /// Asks for a call; may wait for its turn. Health checks are asked for too and are to be let through.
    fn enter(&self, subject: Subject) -> BoxFuture<'_, Result<(), Refusal>>;

    /// Tells how a call that was let in ended.
    fn leave<'a>(&'a self, subject: Subject, failure: Option<&'a CallError>) -> BoxFuture<'a, Aftermath>;
}

/// The gate that is always open.
#[derive(Debug, Clone, Copy, Default)]
pub struct OpenGate;

impl Gate for OpenGate {
    fn enter(&self, _: Subject) -> BoxFuture<'_, Result<(), Refusal>> {
        Box::pin(std::future::ready(Ok(())))
    }

    fn leave<'a>(&'a self, _: Subject, _: Option<&'a CallError>) -> BoxFuture<'a, Aftermath> {
        Box::pin(std::future::ready(Aftermath::Stands))
    }
}
