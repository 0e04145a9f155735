//! One sender's endpoint: its scheme, its secrets and its limit. Adding a sender is adding one of these and a route.

use actix_web::http::header::HeaderMap;
use domain::ErrorCode;
use events::WebhookSource;
use webhooks::signature::{Keys, Problem, SignatureError, Verified, stripe};

use crate::admission::RateLimit;

/// How deliveries of one sender are let in.
#[derive(Debug)]
pub(crate) struct Endpoint {
    /// Who sends.
    pub source: WebhookSource,
    /// `None` for no limit.
    pub rate_limit: Option<RateLimit>,
    /// The active secrets, the newest first.
    pub keys: Keys,
}

/// The endpoint takes nothing at the moment. Answered 503, so that the sender comes again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Closed {
    /// Which of the 24.
    pub code: ErrorCode,
    /// What to do about it.
    pub message: &'static str,
}

impl Endpoint {
    /// The secrets to check against.
    ///
    /// # Errors
    /// There are none, or the endpoint is switched off.
    pub(crate) fn open(&self) -> Result<&Keys, Closed> {
        if self.keys.is_empty() {
            return Err(Closed {
                code: ErrorCode::ConfigNotFound,
                message: "No secret is set for these webhooks, so none can be believed. Set STRIPE_WEBHOOK_SECRET and send the event again.",
            });
        }
        Ok(&self.keys)
    }

    /// Checks who signed the body.
    ///
    /// # Errors
    /// [`SignatureError`].
    pub(crate) fn verify(
        &self,
        keys: &Keys,
        headers: &HeaderMap,
        body: &[u8],
        now: i64,
    ) -> Result<Verified, SignatureError> {
        stripe::verify(keys, single(headers, stripe::HEADER)?, body, now)
    }

    /// The metric's name for a secret by its place: the newest first.
    #[must_use]
    pub(crate) fn secret_label(key: usize) -> &'static str {
        if key == 0 { "current" } else { "previous" }
    }
}

/// A header that may be there once: which of several the sender signed by is anyone's guess.
fn single<'a>(headers: &'a HeaderMap, header: &'static str) -> Result<Option<&'a [u8]>, SignatureError> {
    let mut values = headers.get_all(header);
    let first = values.next();
    if values.next().is_some() {
        return Err(SignatureError::Malformed { header, problem: Problem::Repeated });
    }
    Ok(first.map(|value| value.as_bytes()))
}
