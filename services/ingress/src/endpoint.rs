//! One sender's endpoint: its scheme, its secrets and its limit. Adding a sender is adding one of these and a route.

use std::sync::Arc;

use actix_web::http::header::HeaderMap;
use domain::ErrorCode;
use events::WebhookSource;
use service::http::RateLimit;
use time::OffsetDateTime;
use tokio::sync::mpsc;
use webhooks::signature::{Keys, Problem, SignatureError, flasherp, stripe};

use crate::flasherp::Flasherp;

/// How deliveries of one sender are let in.
#[derive(Debug)]
pub(crate) struct Endpoint {
    /// `None` for no limit.
    pub rate_limit: Option<RateLimit>,
    /// Whose deliveries, and how they are checked.
    pub sender: Sender,
}

/// Who sends.
#[derive(Debug)]
pub(crate) enum Sender {
    /// Stripe: taken whenever a secret is set, whatever the FlashERP integration is doing.
    Stripe(Opened),
    /// FlashERP, and where it is noted which of the configuration's secrets was used.
    Flasherp(Flasherp, mpsc::Sender<Secret>),
}

/// Which of several secrets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Secret {
    /// The newest.
    Current,
    /// One that it replaced.
    Previous,
    /// One that the environment adds to the configuration's.
    Environment,
}

impl Secret {
    /// The metric's name for it.
    #[must_use]
    pub(crate) const fn label(self) -> &'static str {
        match self {
            Self::Current => "current",
            Self::Previous => "previous",
            Self::Environment => "environment",
        }
    }
}

/// Secrets, ready to check with.
#[derive(Debug)]
pub(crate) struct Opened {
    keys: Keys,
    /// What each of them is, in their order.
    secrets: Vec<Secret>,
}

impl Opened {
    /// Parallel: a kind for each key.
    #[must_use]
    pub(crate) const fn new(keys: Keys, secrets: Vec<Secret>) -> Self {
        Self { keys, secrets }
    }

    /// Of secrets of the environment, the newest first.
    #[must_use]
    pub(crate) fn newest_first(keys: Keys) -> Self {
        let kind = |index| if index == 0 { Secret::Current } else { Secret::Previous };
        let secrets = (0..keys.len()).map(kind).collect();
        Self { keys, secrets }
    }

    pub(crate) const fn keys(&self) -> &Keys {
        &self.keys
    }
}

/// The endpoint takes nothing at the moment. Answered 503, so that the sender comes again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Closed {
    /// Which of the 24.
    pub code: ErrorCode,
    /// What to do about it.
    pub message: &'static str,
    /// What switched it off: the `environment` or the `configuration`.
    pub disabled_by: Option<&'static str>,
}

impl Closed {
    pub(crate) const fn by(self, what: &'static str) -> Self {
        Self { disabled_by: Some(what), ..self }
    }
}

/// Secrets that are lent or shared.
pub(crate) enum Lent<'a> {
    Lent(&'a Opened),
    Shared(Arc<Opened>),
}

impl std::ops::Deref for Lent<'_> {
    type Target = Opened;

    fn deref(&self) -> &Opened {
        match self {
            Self::Lent(opened) => opened,
            Self::Shared(opened) => opened,
        }
    }
}

impl Endpoint {
    /// Whose deliveries it takes.
    pub(crate) const fn source(&self) -> WebhookSource {
        match self.sender {
            Sender::Stripe(_) => WebhookSource::Stripe,
            Sender::Flasherp(..) => WebhookSource::Flasherp,
        }
    }

    /// The secrets to check against.
    ///
    /// # Errors
    /// There are none, or the endpoint is switched off.
    pub(crate) fn open(&self, now: OffsetDateTime) -> Result<Lent<'_>, Closed> {
        match &self.sender {
            Sender::Stripe(opened) if opened.keys.is_empty() => Err(Closed {
                code: ErrorCode::ConfigNotFound,
                message: "No secret is set for these webhooks, so none can be believed. Set STRIPE_WEBHOOK_SECRET and send the event again.",
                disabled_by: None,
            }),
            Sender::Stripe(opened) => Ok(Lent::Lent(opened)),
            Sender::Flasherp(config, _) => config.open(now).map(Lent::Shared),
        }
    }

    /// Checks who signed the body, and says with which secret.
    ///
    /// # Errors
    /// [`SignatureError`].
    pub(crate) fn verify(
        &self,
        opened: &Opened,
        headers: &HeaderMap,
        body: &[u8],
        now: OffsetDateTime,
    ) -> Result<Secret, SignatureError> {
        let (keys, now) = (&opened.keys, now.unix_timestamp());
        let verified = match &self.sender {
            Sender::Stripe(_) => stripe::verify(keys, single(headers, stripe::HEADER)?, body, now)?,
            Sender::Flasherp(..) => {
                let signature = single(headers, flasherp::SIGNATURE_HEADER)?;
                flasherp::verify(keys, signature, single(headers, flasherp::TIMESTAMP_HEADER)?, body, now)?
            }
        };
        let secret = opened.secrets.get(verified.key).copied().unwrap_or(Secret::Current);
        if let Sender::Flasherp(_, used) = &self.sender {
            // Full: enough is noted already.
            let _noted = used.try_send(secret);
        }
        Ok(secret)
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
