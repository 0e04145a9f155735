//! Where permission to call FlashERP is asked, before every call and every try, and where its end is told.
//!
//! All callers share one gate, a row in Postgres ([`SharedGate`]): the breaker, what holds or stops everyone, and the grants under a shared cap of
//! requests a second. A connection test neither waits nor reports: it has [`OpenGate`].

pub mod by_hand;
mod fact;
mod pace;
mod reports;
mod row;
mod seen;
mod shared;

use std::time::Duration;

use domain::ErrorCode;
use futures::future::BoxFuture;

use crate::{call::Subject, error::CallError};

pub use shared::{GateSettings, Probed, SharedGate, Told};

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
    /// It depends on how FlashERP's health is: [`Gate::after_health`] tells once that was asked for.
    AskHealth,
}

/// Permission to call FlashERP.
pub trait Gate: Send + Sync {
    /// Asks for a call; may wait for its turn. Health checks are asked for too and are to be let through.
    fn enter(&self, subject: Subject) -> BoxFuture<'_, Result<(), Refusal>>;

    /// Asks for a try of a call that was let in; may wait for its turn.
    fn turn(&self, _: Subject) -> BoxFuture<'_, Result<(), Refusal>> {
        Box::pin(std::future::ready(Ok(())))
    }

    /// Tells of a try that FlashERP turned away for everybody's sake (429, quota).
    fn turned_away<'a>(&'a self, _: Subject, _: &'a CallError) -> BoxFuture<'a, ()> {
        Box::pin(std::future::ready(()))
    }

    /// Tells how a call that was let in ended.
    fn leave<'a>(&'a self, subject: Subject, failure: Option<&'a CallError>) -> BoxFuture<'a, Aftermath>;

    /// What to make of a failed call after a health check, which has told its own end.
    fn after_health<'a>(&'a self, _: Subject, _: &'a CallError) -> BoxFuture<'a, Aftermath> {
        Box::pin(std::future::ready(Aftermath::Stands))
    }
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
