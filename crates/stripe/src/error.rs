//! Why a call of Stripe's API came to nothing.

use std::time::Duration;

use domain::ErrorCode;

/// The verdict on a call that failed.
#[derive(Debug, thiserror::Error)]
pub enum StripeError {
    /// 401 or 403: the key is wrong, revoked, or may not read this.
    #[error("Stripe refuses the API key ({status})")]
    KeyRefused {
        /// HTTP status.
        status: u16,
    },
    /// 429
    #[error("Stripe says that there were too many calls")]
    TooManyCalls {
        /// When to ask again, if Stripe says so.
        retry_after: Option<Duration>,
    },
    /// 5xx, or 409 (another call holds the object).
    #[error("Stripe could not answer ({status})")]
    Unwell {
        /// HTTP status.
        status: u16,
        /// When to ask again, if Stripe says so.
        retry_after: Option<Duration>,
    },
    /// Any other status.
    #[error("Stripe refuses the call ({status}): {message}")]
    Refused {
        /// HTTP status.
        status: u16,
        /// Stripe's own words; they name parameters and ids.
        message: String,
    },
    /// No whole answer in time.
    #[error("Stripe did not answer in time")]
    TimedOut(#[source] reqwest::Error),
    /// No connection, or one that broke off.
    #[error("Stripe can't be reached")]
    Unreachable(#[source] reqwest::Error),
    /// A 200 whose body is not what Stripe documents.
    #[error("Stripe's answer can't be read: {0}")]
    Unreadable(&'static str),
}

impl StripeError {
    /// The code in run rows, metrics and logs.
    #[must_use]
    pub const fn code(&self) -> ErrorCode {
        match self {
            Self::KeyRefused { .. } => ErrorCode::AuthFailed,
            Self::TooManyCalls { .. } => ErrorCode::RateLimitExceeded,
            Self::Unwell { .. } => ErrorCode::ServiceUnavailable,
            Self::Refused { status: 404, .. } => ErrorCode::ResourceNotFound,
            Self::Refused { .. } => ErrorCode::InvalidRequest,
            Self::TimedOut(_) => ErrorCode::Timeout,
            Self::Unreachable(_) => ErrorCode::NetworkError,
            Self::Unreadable(_) => ErrorCode::UnknownError,
        }
    }

    /// Whether the same call may go well later without anybody doing something.
    #[must_use]
    pub const fn retry_helps(&self) -> bool {
        match self {
            Self::TooManyCalls { .. } | Self::Unwell { .. } | Self::TimedOut(_) | Self::Unreachable(_) => true,
            Self::KeyRefused { .. } | Self::Refused { .. } | Self::Unreadable(_) => false,
        }
    }

    /// How long Stripe asks us to wait.
    #[must_use]
    pub const fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::TooManyCalls { retry_after } | Self::Unwell { retry_after, .. } => *retry_after,
            Self::KeyRefused { .. }
            | Self::Refused { .. }
            | Self::TimedOut(_)
            | Self::Unreachable(_)
            | Self::Unreadable(_) => None,
        }
    }

    /// Whether Stripe says that there is no such object.
    #[must_use]
    pub const fn says_not_found(&self) -> bool {
        matches!(self, Self::Refused { status: 404, .. })
    }

    pub(crate) fn transport(error: reqwest::Error) -> Self {
        // The URL holds ids; the call's span has what is needed of it.
        let error = error.without_url();
        if error.is_timeout() { Self::TimedOut(error) } else { Self::Unreachable(error) }
    }
}
