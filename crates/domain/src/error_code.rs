//! The 24 error codes of this system, and what each one means: one table for FlashERP's answers, the admin API, retries and breaker.
//!
//! | question | asked by |
//! |---|---|
//! | [`ErrorCode::retry_helps`] | the sync's state: retry, or fail at once |
//! | [`ErrorCode::definite`] | whoever has a code and no [facts of the call](crate::state::Failure): may the write have taken effect? |
//! | [`ErrorCode::counts_for_breaker`] | the gate |
//! | [`ErrorCode::admin_status`] | the admin API, unless a route documents another |
//! | [`ErrorCode::advice`] | a finance admin |

use crate::labels::labels;

labels! {
    /// Why something did not work.
    pub enum ErrorCode {
        /// No connection: name, address, TLS. Nothing was sent.
        ConnectionFailed => "CONNECTION_FAILED",
        /// No answer in time; the request may have taken effect.
        Timeout => "TIMEOUT",
        /// The connection broke after sending; the request may have taken effect.
        NetworkError => "NETWORK_ERROR",
        /// Not allowed (401 or 403 without a code that says more).
        AuthFailed => "AUTH_FAILED",
        /// FlashERP does not know the API key.
        InvalidApiKey => "INVALID_API_KEY",
        /// The API secret does not belong to the key.
        InvalidApiSecret => "INVALID_API_SECRET",
        /// A value is not acceptable.
        ValidationError => "VALIDATION_ERROR",
        /// The request as such is not acceptable.
        InvalidRequest => "INVALID_REQUEST",
        /// A value is missing.
        MissingRequiredField => "MISSING_REQUIRED_FIELD",
        /// There is no such record.
        ResourceNotFound => "RESOURCE_NOT_FOUND",
        /// There is such a record already.
        ResourceAlreadyExists => "RESOURCE_ALREADY_EXISTS",
        /// The record is in a state that does not allow it.
        ResourceConflict => "RESOURCE_CONFLICT",
        /// Too many requests at the moment.
        RateLimitExceeded => "RATE_LIMIT_EXCEEDED",
        /// The day's allowance is used up.
        QuotaExceeded => "QUOTA_EXCEEDED",
        /// FlashERP failed.
        ServerError => "SERVER_ERROR",
        /// FlashERP, or a proxy before it, does not serve at the moment.
        ServiceUnavailable => "SERVICE_UNAVAILABLE",
        /// A fault of this system.
        InternalError => "INTERNAL_ERROR",
        /// The sync could not be made because of another (its customer's).
        SyncFailed => "SYNC_FAILED",
        /// FlashERP holds the record more than once.
        DuplicateSync => "DUPLICATE_SYNC",
        /// Both sides say different things and neither may be overruled.
        SyncConflict => "SYNC_CONFLICT",
        /// There is no configuration.
        ConfigNotFound => "CONFIG_NOT_FOUND",
        /// The integration is switched off.
        ConfigDisabled => "CONFIG_DISABLED",
        /// The configuration cannot be used.
        ConfigInvalid => "CONFIG_INVALID",
        /// An answer that nobody could make sense of; the request may have taken effect.
        UnknownError => "UNKNOWN_ERROR",
    }
}

impl ErrorCode {
    /// Whether the same sync may succeed later without anybody changing anything.
    #[must_use]
    pub const fn retry_helps(self) -> bool {
        match self {
            Self::ConnectionFailed
            | Self::Timeout
            | Self::NetworkError
            | Self::ResourceAlreadyExists
            | Self::ResourceConflict
            | Self::RateLimitExceeded
            | Self::QuotaExceeded
            | Self::ServerError
            | Self::ServiceUnavailable
            | Self::InternalError
            | Self::UnknownError => true,
            Self::AuthFailed
            | Self::InvalidApiKey
            | Self::InvalidApiSecret
            | Self::ValidationError
            | Self::InvalidRequest
            | Self::MissingRequiredField
            | Self::ResourceNotFound
            | Self::SyncFailed
            | Self::DuplicateSync
            | Self::SyncConflict
            | Self::ConfigNotFound
            | Self::ConfigDisabled
            | Self::ConfigInvalid => false,
        }
    }

    /// Whether the code alone says that the write did not take effect. A call knows more (see [`crate::state::Failure::definite`]): any code is
    /// indefinite when it came with a 5xx.
    #[must_use]
    pub const fn definite(self) -> bool {
        match self {
            Self::Timeout
            | Self::NetworkError
            | Self::ServerError
            | Self::ServiceUnavailable
            | Self::InternalError
            | Self::UnknownError => false,
            Self::ConnectionFailed
            | Self::AuthFailed
            | Self::InvalidApiKey
            | Self::InvalidApiSecret
            | Self::ValidationError
            | Self::InvalidRequest
            | Self::MissingRequiredField
            | Self::ResourceNotFound
            | Self::ResourceAlreadyExists
            | Self::ResourceConflict
            | Self::RateLimitExceeded
            | Self::QuotaExceeded
            | Self::SyncFailed
            | Self::DuplicateSync
            | Self::SyncConflict
            | Self::ConfigNotFound
            | Self::ConfigDisabled
            | Self::ConfigInvalid => true,
        }
    }

    /// Whether it says that FlashERP as a whole is in trouble. What concerns one record, and being asked to slow down, does not.
    #[must_use]
    pub const fn counts_for_breaker(self) -> bool {
        match self {
            Self::ConnectionFailed
            | Self::Timeout
            | Self::NetworkError
            | Self::ServerError
            | Self::ServiceUnavailable
            | Self::InternalError
            | Self::UnknownError => true,
            Self::AuthFailed
            | Self::InvalidApiKey
            | Self::InvalidApiSecret
            | Self::ValidationError
            | Self::InvalidRequest
            | Self::MissingRequiredField
            | Self::ResourceNotFound
            | Self::ResourceAlreadyExists
            | Self::ResourceConflict
            | Self::RateLimitExceeded
            | Self::QuotaExceeded
            | Self::SyncFailed
            | Self::DuplicateSync
            | Self::SyncConflict
            | Self::ConfigNotFound
            | Self::ConfigDisabled
            | Self::ConfigInvalid => false,
        }
    }

    /// Whether it says that we ourselves are not let in, so that (once /health confirms it) every other call would fail the same way.
    #[must_use]
    pub const fn locks_us_out(self) -> bool {
        matches!(self, Self::AuthFailed | Self::InvalidApiKey | Self::InvalidApiSecret)
    }

    /// The HTTP status under which the admin API tells this code, unless a route's documentation says otherwise (a sync without a
    /// configuration is 503).
    #[must_use]
    pub const fn admin_status(self) -> u16 {
        match self {
            Self::ValidationError | Self::InvalidRequest | Self::MissingRequiredField | Self::ConfigInvalid => 400,
            Self::AuthFailed => 401,
            Self::ResourceNotFound | Self::ConfigNotFound => 404,
            Self::ResourceAlreadyExists | Self::ResourceConflict | Self::DuplicateSync | Self::SyncConflict => 409,
            Self::RateLimitExceeded | Self::QuotaExceeded => 429,
            Self::InternalError | Self::SyncFailed | Self::UnknownError => 500,
            Self::ConnectionFailed
            | Self::NetworkError
            | Self::InvalidApiKey
            | Self::InvalidApiSecret
            | Self::ServerError => 502,
            Self::ServiceUnavailable | Self::ConfigDisabled => 503,
            Self::Timeout => 504,
        }
    }

    /// What to do about it, for the admin who sees it.
    #[must_use]
    pub const fn advice(self) -> &'static str {
        match self {
            Self::ConnectionFailed => {
                "FlashERP cannot be reached. Check the base URL; if it is right, nothing is to be done: the sync is tried again."
            }
            Self::Timeout => {
                "FlashERP did not answer in time. What became of the request is looked up before anything is sent again."
            }
            Self::NetworkError => {
                "The connection to FlashERP broke. What became of the request is looked up before anything is sent again."
            }
            Self::AuthFailed => "Access was refused. Check that the credentials are valid and allowed to do this.",
            Self::InvalidApiKey => "FlashERP does not accept the API key. Enter a valid one in the configuration.",
            Self::InvalidApiSecret => {
                "FlashERP does not accept the API secret. Enter a valid one in the configuration."
            }
            Self::ValidationError => {
                "A value is not acceptable. Correct the field that is named, at its source, then retry."
            }
            Self::InvalidRequest => {
                "The request is not acceptable. Check its parameters; if a sync shows this, report it to the integration's engineers."
            }
            Self::MissingRequiredField => {
                "A required value is missing. Fill in the field that is named, at its source, then retry."
            }
            Self::ResourceNotFound => {
                "The record does not exist. If it was deleted on purpose, skip the sync; else restore it and retry."
            }
            Self::ResourceAlreadyExists => {
                "The record exists already. It is looked up and taken over with the next try."
            }
            Self::ResourceConflict => {
                "The record's state does not allow the change. It is looked up and tried again; if this stays, compare both sides."
            }
            Self::RateLimitExceeded => {
                "Too many requests. Nothing is to be done: work goes on when FlashERP allows it."
            }
            Self::QuotaExceeded => {
                "FlashERP's quota is used up. Work goes on when it is renewed; raise the quota if this comes often."
            }
            Self::ServerError => {
                "FlashERP failed. What became of the request is looked up before it is tried again; tell FlashERP's support if this stays."
            }
            Self::ServiceUnavailable => {
                "FlashERP is not available. Nothing is to be done: work goes on when it is back."
            }
            Self::InternalError => {
                "This integration failed. Retry; if this stays, give the request id to the integration's engineers."
            }
            Self::SyncFailed => {
                "Another record has to be synced first and failed. Mend that one; this one follows by itself."
            }
            Self::DuplicateSync => "FlashERP holds this record more than once. Remove the younger ones in FlashERP.",
            Self::SyncConflict => {
                "Both sides say different things. Compare both versions in the audit log and correct the wrong one."
            }
            Self::ConfigNotFound => "The integration is not configured. Enter base URL, API key and API secret.",
            Self::ConfigDisabled => {
                "The integration is switched off. Enable it in the configuration (or in the environment, if that forbids it)."
            }
            Self::ConfigInvalid => "The configuration cannot be used. Correct the field that is named.",
            Self::UnknownError => {
                "FlashERP's answer could not be understood. Check that the base URL leads to FlashERP; what became of the request is looked up."
            }
        }
    }

    /// The code of an answer that is not a success: FlashERP's own `code` where it is one of the 24, else by HTTP status.
    #[must_use]
    pub fn of_answer(own_code: Option<&str>, http_status: u16) -> Self {
        own_code.and_then(|code| code.parse().ok()).unwrap_or_else(|| Self::of_status(http_status))
    }

    const fn of_status(http_status: u16) -> Self {
        match http_status {
            400 | 422 => Self::ValidationError,
            401 | 403 => Self::AuthFailed,
            402 => Self::QuotaExceeded,
            404 => Self::ResourceNotFound,
            409 => Self::ResourceConflict,
            429 => Self::RateLimitExceeded,
            400..=499 => Self::InvalidRequest,
            502..=504 => Self::ServiceUnavailable,
            500..=599 => Self::ServerError,
            _ => Self::UnknownError,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[test]
    fn there_are_24_codes_and_each_says_what_it_means() {
        let table: Vec<String> = ErrorCode::ALL
            .iter()
            .map(|code| {
                let yes = |is: bool| if is { "yes" } else { "-" };
                format!(
                    "{code:<24}retry {:<4} definite {:<4} breaker {:<4} admin {}",
                    yes(code.retry_helps()),
                    yes(code.definite()),
                    yes(code.counts_for_breaker()),
                    code.admin_status()
                )
            })
            .collect();
        assert_eq!(table.len(), 24);
        insta::assert_snapshot!(table.join("\n"), @r"
        CONNECTION_FAILED       retry yes  definite yes  breaker yes  admin 502
        TIMEOUT                 retry yes  definite -    breaker yes  admin 504
        NETWORK_ERROR           retry yes  definite -    breaker yes  admin 502
        AUTH_FAILED             retry -    definite yes  breaker -    admin 401
        INVALID_API_KEY         retry -    definite yes  breaker -    admin 502
        INVALID_API_SECRET      retry -    definite yes  breaker -    admin 502
        VALIDATION_ERROR        retry -    definite yes  breaker -    admin 400
        INVALID_REQUEST         retry -    definite yes  breaker -    admin 400
        MISSING_REQUIRED_FIELD  retry -    definite yes  breaker -    admin 400
        RESOURCE_NOT_FOUND      retry -    definite yes  breaker -    admin 404
        RESOURCE_ALREADY_EXISTS retry yes  definite yes  breaker -    admin 409
        RESOURCE_CONFLICT       retry yes  definite yes  breaker -    admin 409
        RATE_LIMIT_EXCEEDED     retry yes  definite yes  breaker -    admin 429
        QUOTA_EXCEEDED          retry yes  definite yes  breaker -    admin 429
        SERVER_ERROR            retry yes  definite -    breaker yes  admin 502
        SERVICE_UNAVAILABLE     retry yes  definite -    breaker yes  admin 503
        INTERNAL_ERROR          retry yes  definite -    breaker yes  admin 500
        SYNC_FAILED             retry -    definite yes  breaker -    admin 500
        DUPLICATE_SYNC          retry -    definite yes  breaker -    admin 409
        SYNC_CONFLICT           retry -    definite yes  breaker -    admin 409
        CONFIG_NOT_FOUND        retry -    definite yes  breaker -    admin 404
        CONFIG_DISABLED         retry -    definite yes  breaker -    admin 503
        CONFIG_INVALID          retry -    definite yes  breaker -    admin 400
        UNKNOWN_ERROR           retry yes  definite -    breaker yes  admin 500
        ");
    }

    #[test]
    fn every_code_tells_an_admin_what_to_do() {
        for code in ErrorCode::ALL {
            assert!(code.advice().len() > 40 && code.advice().ends_with('.'), "{code}");
        }
    }

    #[rstest]
    #[case(Some("MISSING_REQUIRED_FIELD"), 400, ErrorCode::MissingRequiredField)]
    #[case(Some("QUOTA_EXCEEDED"), 429, ErrorCode::QuotaExceeded)]
    #[case(Some("RESOURCE_ALREADY_EXISTS"), 409, ErrorCode::ResourceAlreadyExists)]
    #[case(Some("SOMETHING_NEW"), 409, ErrorCode::ResourceConflict)]
    #[case(Some("validation_error"), 404, ErrorCode::ResourceNotFound)]
    #[case(None, 400, ErrorCode::ValidationError)]
    #[case(None, 422, ErrorCode::ValidationError)]
    #[case(None, 401, ErrorCode::AuthFailed)]
    #[case(None, 403, ErrorCode::AuthFailed)]
    #[case(None, 402, ErrorCode::QuotaExceeded)]
    #[case(None, 404, ErrorCode::ResourceNotFound)]
    #[case(None, 409, ErrorCode::ResourceConflict)]
    #[case(None, 429, ErrorCode::RateLimitExceeded)]
    #[case(None, 405, ErrorCode::InvalidRequest)]
    #[case(None, 418, ErrorCode::InvalidRequest)]
    #[case(None, 500, ErrorCode::ServerError)]
    #[case(None, 501, ErrorCode::ServerError)]
    #[case(None, 502, ErrorCode::ServiceUnavailable)]
    #[case(None, 503, ErrorCode::ServiceUnavailable)]
    #[case(None, 504, ErrorCode::ServiceUnavailable)]
    #[case(None, 302, ErrorCode::UnknownError)]
    #[case(None, 200, ErrorCode::UnknownError)]
    fn an_answers_own_code_decides_else_its_status(
        #[case] own: Option<&str>,
        #[case] status: u16,
        #[case] code: ErrorCode,
    ) {
        assert_eq!(ErrorCode::of_answer(own, status), code);
    }
}
