//! All 24 codes over the wire: what was answered, or what broke, and what follows from it. Written out by hand, so that the product's own table is
//! held against it and not against itself.

use std::time::Duration;

use domain::{EntityType, ErrorCode};
use flasherp::{CallError, Client, Options};
use rstest::rstest;
use wiremock::ResponseTemplate;

use crate::support::*;

/// What follows from a failure of a POST.
#[derive(Debug, PartialEq, Eq)]
struct Follows {
    code: ErrorCode,
    /// Certain that nothing took effect.
    definite: bool,
    /// The same call may succeed later.
    retry: bool,
    /// FlashERP as a whole is in trouble.
    breaker: bool,
    /// What the admin API answers.
    admin: u16,
}

const fn follows(code: ErrorCode, definite: bool, retry: bool, breaker: bool, admin: u16) -> Follows {
    Follows { code, definite, retry, breaker, admin }
}

const YES: bool = true;
const NO: bool = false;

async fn create(options: Options) -> CallError {
    let client = Client::new(options).expect("a client");
    let call = call().once();
    client.create(&call, EntityType::Transaction, body(), &key(false)).await.expect_err("it must fail")
}

fn of(error: &CallError) -> Follows {
    follows(error.code, error.definite, error.retry_helps(), error.counts_for_breaker(), error.code.admin_status())
}

/// Every code in FlashERP's own JSON body, under the status that goes with it.
#[rstest]
#[case(400, "VALIDATION_ERROR", follows(ErrorCode::ValidationError, YES, NO, NO, 400))]
#[case(400, "INVALID_REQUEST", follows(ErrorCode::InvalidRequest, YES, NO, NO, 400))]
#[case(400, "MISSING_REQUIRED_FIELD", follows(ErrorCode::MissingRequiredField, YES, NO, NO, 400))]
#[case(400, "CONFIG_INVALID", follows(ErrorCode::ConfigInvalid, YES, NO, NO, 400))]
#[case(403, "AUTH_FAILED", follows(ErrorCode::AuthFailed, YES, NO, NO, 401))]
#[case(401, "INVALID_API_KEY", follows(ErrorCode::InvalidApiKey, YES, NO, NO, 502))]
#[case(401, "INVALID_API_SECRET", follows(ErrorCode::InvalidApiSecret, YES, NO, NO, 502))]
#[case(404, "RESOURCE_NOT_FOUND", follows(ErrorCode::ResourceNotFound, YES, NO, NO, 404))]
#[case(404, "CONFIG_NOT_FOUND", follows(ErrorCode::ConfigNotFound, YES, NO, NO, 404))]
#[case(409, "RESOURCE_ALREADY_EXISTS", follows(ErrorCode::ResourceAlreadyExists, YES, YES, NO, 409))]
#[case(409, "RESOURCE_CONFLICT", follows(ErrorCode::ResourceConflict, YES, YES, NO, 409))]
#[case(409, "DUPLICATE_SYNC", follows(ErrorCode::DuplicateSync, YES, NO, NO, 409))]
#[case(409, "SYNC_CONFLICT", follows(ErrorCode::SyncConflict, YES, NO, NO, 409))]
#[case(429, "RATE_LIMIT_EXCEEDED", follows(ErrorCode::RateLimitExceeded, YES, YES, NO, 429))]
#[case(429, "QUOTA_EXCEEDED", follows(ErrorCode::QuotaExceeded, YES, YES, NO, 429))]
#[case(402, "QUOTA_EXCEEDED", follows(ErrorCode::QuotaExceeded, YES, YES, NO, 429))]
#[case(500, "SERVER_ERROR", follows(ErrorCode::ServerError, NO, YES, YES, 502))]
#[case(500, "INTERNAL_ERROR", follows(ErrorCode::InternalError, NO, YES, YES, 500))]
#[case(500, "UNKNOWN_ERROR", follows(ErrorCode::UnknownError, NO, YES, YES, 500))]
#[case(500, "SYNC_FAILED", follows(ErrorCode::SyncFailed, NO, NO, NO, 500))]
#[case(503, "SERVICE_UNAVAILABLE", follows(ErrorCode::ServiceUnavailable, NO, YES, YES, 503))]
#[case(503, "CONFIG_DISABLED", follows(ErrorCode::ConfigDisabled, NO, NO, NO, 503))]
#[case(504, "TIMEOUT", follows(ErrorCode::Timeout, NO, YES, YES, 504))]
#[case(502, "CONNECTION_FAILED", follows(ErrorCode::ConnectionFailed, NO, YES, YES, 502))]
#[case(502, "NETWORK_ERROR", follows(ErrorCode::NetworkError, NO, YES, YES, 502))]
#[tokio::test]
async fn flasherps_own_code_is_taken_at_its_word(#[case] status: u16, #[case] told: &str, #[case] expected: Follows) {
    let error = create(options(&always(own_error(status, told)).await.uri())).await;
    assert_eq!(of(&error), expected);
    assert!(error.own_word && error.sent && error.http_status == Some(status));
}

/// The same statuses without FlashERP's words: a proxy's page, or nothing at all. The status names the code, and nothing is certain.
#[rstest]
#[case(400, follows(ErrorCode::ValidationError, NO, YES, NO, 400))]
#[case(401, follows(ErrorCode::AuthFailed, NO, YES, NO, 401))]
#[case(402, follows(ErrorCode::QuotaExceeded, NO, YES, NO, 429))]
#[case(403, follows(ErrorCode::AuthFailed, NO, YES, NO, 401))]
#[case(404, follows(ErrorCode::ResourceNotFound, NO, YES, NO, 404))]
#[case(405, follows(ErrorCode::InvalidRequest, NO, YES, NO, 400))]
#[case(409, follows(ErrorCode::ResourceConflict, NO, YES, NO, 409))]
#[case(413, follows(ErrorCode::InvalidRequest, NO, YES, NO, 400))]
#[case(422, follows(ErrorCode::ValidationError, NO, YES, NO, 400))]
#[case(429, follows(ErrorCode::RateLimitExceeded, NO, YES, NO, 429))]
#[case(500, follows(ErrorCode::ServerError, NO, YES, YES, 502))]
#[case(502, follows(ErrorCode::ServiceUnavailable, NO, YES, YES, 503))]
#[case(503, follows(ErrorCode::ServiceUnavailable, NO, YES, YES, 503))]
#[case(504, follows(ErrorCode::ServiceUnavailable, NO, YES, YES, 503))]
#[case(302, follows(ErrorCode::UnknownError, NO, YES, YES, 500))]
#[case(200, follows(ErrorCode::UnknownError, NO, YES, YES, 500))]
#[tokio::test]
async fn a_page_or_an_empty_body_leaves_everything_open(#[case] status: u16, #[case] expected: Follows) {
    for answer in [html(status), ResponseTemplate::new(status)] {
        let error = create(options(&always(answer).await.uri())).await;
        assert_eq!(of(&error), expected);
        assert!(!error.own_word && error.sent && !error.locks_us_out());
    }
}

/// What breaks below HTTP.
#[rstest]
#[case(Trouble::CloseAfterRequest, follows(ErrorCode::NetworkError, NO, YES, YES, 502))]
#[case(Trouble::ResetAfterRequest, follows(ErrorCode::NetworkError, NO, YES, YES, 502))]
#[case(Trouble::Silence, follows(ErrorCode::Timeout, NO, YES, YES, 504))]
#[tokio::test]
async fn a_connection_that_breaks_is_told_from_one_that_never_was(#[case] trouble: Trouble, #[case] expected: Follows) {
    let server = BareServer::start(trouble).await;
    let error = create(Options { timeout: Duration::from_millis(300), ..options(&server.url()) }).await;
    assert_eq!(of(&error), expected);
    assert!(error.sent && error.http_status.is_none());
}

#[tokio::test]
async fn what_was_never_sent_is_certain() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    let nobody = format!("http://{}", listener.local_addr().expect("it is bound"));
    drop(listener);
    let refused = create(options(&nobody)).await;
    assert_eq!(of(&refused), follows(ErrorCode::ConnectionFailed, YES, YES, YES, 502));

    // A name that leads inside our network is found out when it is resolved.
    let inside = create(Options { allow_private: false, ..options("https://localhost:1") }).await;
    assert_eq!(of(&inside), follows(ErrorCode::ConfigInvalid, YES, NO, NO, 400));
    assert!(!refused.sent && !inside.sent);
}

/// A table with a code left out would prove nothing about it.
#[test]
fn no_code_is_left_out() {
    let table = include_str!("codes.rs");
    for code in ErrorCode::ALL {
        assert!(table.contains(&format!("\"{code}\", follows(ErrorCode::{code:?},")), "{code}");
    }
}
