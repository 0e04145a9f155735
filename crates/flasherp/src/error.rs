//! Why a call did not succeed, as facts: was it sent, is it certain that nothing took effect, can a retry help.
//!
//! Definite are a 4xx with FlashERP's own JSON body and a failure before sending. Everything else leaves a write unknown: a timeout, a cut
//! connection, a 5xx, a proxy's page, an answer that can't be read or is too long. After one try with an unknown outcome, only a success makes
//! the call definite again.

use std::{error::Error as StdError, time::Duration};

use domain::{ErrorCode, state::Failure};

use crate::{gate::Refusal, guard::AddressRefused};

/// The result of a call.
pub type CallResult<T> = Result<T, CallError>;

pub(crate) type Cause = Box<dyn StdError + Send + Sync>;

/// A field that FlashERP complains of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FieldIssue {
    /// Its name; empty if FlashERP gave none.
    pub field: String,
    /// What is wrong.
    pub issue: String,
}

/// A call that did not succeed. Neither message nor source hold credentials.
#[derive(Debug, thiserror::Error)]
#[error("{code}: {message}")]
pub struct CallError {
    /// Why.
    pub code: ErrorCode,
    /// For the admin and the log: what happened, in words.
    pub message: String,
    /// For a write: whether it is certain that nothing took effect.
    pub definite: bool,
    /// Whether a request was sent, or may have been.
    pub sent: bool,
    /// Whether FlashERP itself said so, in its own JSON body.
    pub own_word: bool,
    /// Nothing was tried, or the gate took the failure over: costs no retry.
    pub handed_back: bool,
    /// The last answer's status.
    pub http_status: Option<u16>,
    /// The fields that FlashERP complains of.
    pub details: Vec<FieldIssue>,
    /// How long FlashERP, or the gate, asked us to wait.
    pub retry_after: Option<Duration>,
    #[source]
    pub(crate) source: Option<Cause>,
}

impl CallError {
    fn unsent(code: ErrorCode, message: impl Into<String>) -> Self {
        Self {
            code,
            message: message.into(),
            definite: true,
            sent: false,
            own_word: false,
            handed_back: false,
            http_status: None,
            details: Vec::new(),
            retry_after: None,
            source: None,
        }
    }

    fn unknown(code: ErrorCode, message: impl Into<String>) -> Self {
        Self { definite: false, sent: true, ..Self::unsent(code, message) }
    }

    fn caused_by(self, cause: impl Into<Cause>) -> Self {
        Self { source: Some(cause.into()), ..self }
    }

    /// The request could not even be made.
    pub(crate) fn unusable(message: impl Into<String>) -> Self {
        Self::unsent(ErrorCode::InvalidRequest, message)
    }

    /// The gate is closed.
    pub(crate) fn refused(refusal: Refusal) -> Self {
        let error = Self::unsent(refusal.code, refusal.message);
        Self { handed_back: true, retry_after: refusal.retry_after, ..error }
    }

    /// The lease ends before a try could.
    pub(crate) fn lease_too_short() -> Self {
        let message = "the lease is too short for a call to FlashERP; nothing was sent";
        Self { handed_back: true, ..Self::unsent(ErrorCode::SyncFailed, message) }
    }

    /// An answer that is neither a success nor an error of FlashERP's.
    pub(crate) fn unreadable(http_status: u16, message: impl Into<String>) -> Self {
        let code = match http_status {
            200..=299 => ErrorCode::UnknownError,
            status => ErrorCode::of_answer(None, status),
        };
        Self { http_status: Some(http_status), ..Self::unknown(code, message) }
    }

    /// FlashERP's own error.
    pub(crate) fn told(http_status: u16, code: &str, message: String, details: Vec<FieldIssue>) -> Self {
        Self {
            definite: (400..=499).contains(&http_status),
            own_word: true,
            http_status: Some(http_status),
            details,
            ..Self::unknown(ErrorCode::of_answer(Some(code), http_status), message)
        }
    }

    /// No answer, or not all of it. `status` is there when its head had arrived.
    pub(crate) fn transport(error: reqwest::Error, status: Option<u16>) -> Self {
        // The URL holds ids; what matters of it is in the span.
        let error = error.without_url();
        if let Some(AddressRefused(ip)) = cause(&error) {
            return Self::unsent(ErrorCode::ConfigInvalid, AddressRefused(*ip).to_string());
        }
        let base = if status.is_none() && error.is_builder() {
            Self::unsent(ErrorCode::InternalError, "the request could not be built")
        } else if status.is_none() && error.is_connect() {
            Self::unsent(ErrorCode::ConnectionFailed, "no connection to FlashERP")
        } else if error.is_timeout() {
            Self::unknown(ErrorCode::Timeout, "FlashERP did not answer in time")
        } else {
            Self::unknown(ErrorCode::NetworkError, "the connection to FlashERP broke")
        };
        Self { http_status: status, ..base.caused_by(error) }
    }

    /// As the transport tells of a connection that was refused.
    #[cfg(test)]
    pub(crate) fn refused_connection() -> Self {
        Self::unsent(ErrorCode::ConnectionFailed, "no connection to FlashERP")
    }

    /// A fault in the client's own machinery, after which nothing is certain.
    pub(crate) fn machinery(cause: impl Into<Cause>) -> Self {
        Self::unknown(ErrorCode::InternalError, "the request failed inside the client").caused_by(cause)
    }

    /// A failed call is unknown once any of its tries was, also when the last one was not let through.
    pub(crate) fn after_unknown_try(self) -> Self {
        Self { definite: false, sent: true, handed_back: false, ..self }
    }

    /// Whether FlashERP itself says that there is no such record. A proxy's 404 says nothing.
    #[must_use]
    pub fn says_not_found(&self) -> bool {
        self.own_word && self.http_status == Some(404)
    }

    /// Whether FlashERP itself says that the record is there already, or in the way (409).
    #[must_use]
    pub fn says_conflict(&self) -> bool {
        self.own_word && self.http_status == Some(409)
    }

    /// Whether the same call may succeed later without anybody changing anything.
    #[must_use]
    pub fn retry_helps(&self) -> bool {
        // What FlashERP did not say itself is a proxy's word of the moment, whatever its status.
        self.code.retry_helps() || (self.sent && !self.own_word)
    }

    /// Whether it says that FlashERP as a whole is in trouble. A 4xx does not, nor what was never tried.
    #[must_use]
    pub fn counts_for_breaker(&self) -> bool {
        let answered_4xx = self.http_status.is_some_and(|status| (400..=499).contains(&status));
        !self.handed_back && !answered_4xx && self.code.counts_for_breaker()
    }

    /// Why no TLS connection could be agreed on; none if that was not it. Nothing was sent then.
    #[must_use]
    pub fn tls_failure(&self) -> Option<&rustls::Error> {
        let source: &(dyn StdError + 'static) = self.source.as_deref()?;
        cause(source)
    }

    /// Whether it says that our credentials, or this one use of them, are refused: FlashERP's own 401 or 403.
    #[must_use]
    pub fn locks_us_out(&self) -> bool {
        self.own_word && matches!(self.http_status, Some(401 | 403)) && self.code.locks_us_out()
    }

    /// Whether FlashERP, or a proxy before it, turns everybody away for a time (429, quota).
    #[must_use]
    pub fn turns_everyone_away(&self) -> bool {
        self.sent && matches!(self.code, ErrorCode::RateLimitExceeded | ErrorCode::QuotaExceeded)
    }

    /// What the sync state machine needs of it, for a write.
    #[must_use]
    pub fn failure(&self) -> Failure {
        Failure {
            code: self.code,
            definite: self.definite,
            retry_helps: self.retry_helps(),
            retry_after: self.retry_after,
            handed_back: self.handed_back,
        }
    }
}

/// The cause of a certain type, anywhere down the chain.
fn cause<'a, T: StdError + 'static>(error: &'a (dyn StdError + 'static)) -> Option<&'a T> {
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(found) = error.downcast_ref() {
            return Some(found);
        }
        // What an I/O error was made of is not its source.
        let inner = error.downcast_ref::<std::io::Error>().and_then(std::io::Error::get_ref);
        next = match inner {
            Some(inner) => Some(inner),
            None => error.source(),
        };
    }
    None
}
