//! What each kind of answer means for a write.

use domain::{EntityType, ErrorCode};
use flasherp::{CallError, FieldIssue, Options};
use rstest::rstest;
use wiremock::ResponseTemplate;

use crate::support::*;

async fn create(server: &wiremock::MockServer) -> CallError {
    let created = client(&server.uri()).create(&call().once(), EntityType::Transaction, body(), &key(false)).await;
    created.expect_err("it must fail")
}

#[rstest]
#[case(400, "VALIDATION_ERROR", ErrorCode::ValidationError)]
#[case(400, "MISSING_REQUIRED_FIELD", ErrorCode::MissingRequiredField)]
#[case(422, "VALIDATION_ERROR", ErrorCode::ValidationError)]
#[case(422, "SOMETHING_NEW", ErrorCode::ValidationError)]
#[case(401, "INVALID_API_KEY", ErrorCode::InvalidApiKey)]
#[case(401, "INVALID_API_SECRET", ErrorCode::InvalidApiSecret)]
#[case(401, "SOMETHING_NEW", ErrorCode::AuthFailed)]
#[case(402, "SOMETHING_NEW", ErrorCode::QuotaExceeded)]
#[case(403, "AUTH_FAILED", ErrorCode::AuthFailed)]
#[case(404, "RESOURCE_NOT_FOUND", ErrorCode::ResourceNotFound)]
#[case(405, "SOMETHING_NEW", ErrorCode::InvalidRequest)]
#[case(409, "RESOURCE_ALREADY_EXISTS", ErrorCode::ResourceAlreadyExists)]
#[case(409, "RESOURCE_CONFLICT", ErrorCode::ResourceConflict)]
#[case(429, "RATE_LIMIT_EXCEEDED", ErrorCode::RateLimitExceeded)]
#[case(429, "QUOTA_EXCEEDED", ErrorCode::QuotaExceeded)]
#[tokio::test]
async fn flasherps_own_4xx_is_definite(#[case] status: u16, #[case] told: &str, #[case] code: ErrorCode) {
    let error = create(&always(own_error(status, told)).await).await;
    assert_eq!((error.code, error.http_status), (code, Some(status)));
    assert!(error.definite && error.sent && error.own_word && !error.counts_for_breaker());
    assert_eq!(error.retry_helps(), code.retry_helps());
}

#[rstest]
#[case(500, "SERVER_ERROR", ErrorCode::ServerError)]
#[case(502, "SERVICE_UNAVAILABLE", ErrorCode::ServiceUnavailable)]
#[case(503, "SOMETHING_NEW", ErrorCode::ServiceUnavailable)]
#[case(504, "SERVICE_UNAVAILABLE", ErrorCode::ServiceUnavailable)]
#[case(500, "INTERNAL_ERROR", ErrorCode::InternalError)]
#[tokio::test]
async fn a_5xx_leaves_a_write_unknown_whoever_says_it(
    #[case] status: u16,
    #[case] told: &str,
    #[case] code: ErrorCode,
) {
    let error = create(&always(own_error(status, told)).await).await;
    assert_eq!((error.code, error.http_status), (code, Some(status)));
    assert!(!error.definite && error.sent && error.counts_for_breaker() && error.retry_helps());
}

#[rstest]
#[case(html(502), ErrorCode::ServiceUnavailable)]
#[case(html(404), ErrorCode::ResourceNotFound)]
#[case(html(409), ErrorCode::ResourceConflict)]
#[case(html(403), ErrorCode::AuthFailed)]
#[case(html(400), ErrorCode::ValidationError)]
#[case(html(429), ErrorCode::RateLimitExceeded)]
#[case(html(200), ErrorCode::UnknownError)]
#[case(ResponseTemplate::new(404), ErrorCode::ResourceNotFound)]
#[case(json(404, r#"{"message":"Not Found"}"#), ErrorCode::ResourceNotFound)]
#[case(json(400, r#"{"code":7,"message":"no"}"#), ErrorCode::ValidationError)]
#[case(json(400, r#"["code","message"]"#), ErrorCode::ValidationError)]
#[case(ResponseTemplate::new(201), ErrorCode::UnknownError)]
#[case(ResponseTemplate::new(204), ErrorCode::UnknownError)]
#[case(json(201, "{"), ErrorCode::UnknownError)]
#[case(json(201, "{}"), ErrorCode::UnknownError)]
#[case(json(201, r#"{"id":"txn_1"}"#), ErrorCode::UnknownError)]
#[case(json(201, r#"{"code":"VALIDATION_ERROR","message":"no"}"#), ErrorCode::UnknownError)]
#[case(ResponseTemplate::new(201).set_body_bytes([0xff, 0xfe]), ErrorCode::UnknownError)]
#[case(ResponseTemplate::new(304), ErrorCode::UnknownError)]
#[tokio::test]
async fn what_flasherp_did_not_say_itself_leaves_a_write_unknown(
    #[case] answer: ResponseTemplate,
    #[case] code: ErrorCode,
) {
    let error = create(&always(answer).await).await;
    assert_eq!(error.code, code);
    assert!(!error.definite && error.sent && !error.own_word, "{error}");
    assert!(error.retry_helps() && !error.says_not_found() && !error.says_conflict());
    assert!(!error.to_string().contains("Sorry"), "a page's text is not repeated: {error}");
}

#[tokio::test]
async fn the_fields_that_flasherp_complains_of_are_told_and_an_odd_list_of_them_changes_nothing() {
    let body = r#"{"code":"VALIDATION_ERROR","message":"Two fields","details":[{"field":"email","issue":"is none"},{"issue":"late"}]}"#;
    let error = create(&always(json(400, body)).await).await;
    let issue = |field: &str, issue: &str| FieldIssue { field: field.to_owned(), issue: issue.to_owned() };
    assert_eq!(error.details, [issue("email", "is none"), issue("", "late")]);
    assert_eq!(error.to_string(), "VALIDATION_ERROR: Two fields");

    let odd = r#"{"code":"VALIDATION_ERROR","message":"no","details":{"email":"is none"}}"#;
    let error = create(&always(json(400, odd)).await).await;
    assert!(error.definite && error.details.is_empty());
}

#[tokio::test]
async fn an_answer_longer_than_the_cap_is_not_read_on_and_leaves_a_write_unknown() {
    let long = format!("{{\"id\":\"{}\"}}", "x".repeat(10_000));
    let server = always(json(201, &long)).await;
    let capped = Options { max_response_bytes: 9_999, ..options(&server.uri()) };
    let client = flasherp::Client::new(capped).expect("a client");
    let error = client.create(&call(), EntityType::Transaction, body(), &key(false)).await.expect_err("it must fail");
    assert_eq!(error.code, ErrorCode::UnknownError);
    assert!(!error.definite && error.message.contains("longer than 9999 bytes"), "{error}");
}

#[tokio::test]
async fn a_redirect_is_not_followed_and_our_credentials_do_not_go_there() {
    let elsewhere = always(json(201, RECORD)).await;
    let answer = ResponseTemplate::new(307).insert_header("Location", format!("{}/transactions", elsewhere.uri()));
    let error = create(&always(answer).await).await;
    assert_eq!((error.code, error.http_status), (ErrorCode::UnknownError, Some(307)));
    assert!(!error.definite);
    assert_eq!(requests(&elsewhere).await, 0);
}

#[tokio::test]
async fn a_created_record_comes_back_with_its_amount_exact() {
    let server = always(json(201, RECORD)).await;
    let record =
        client(&server.uri()).create(&call(), EntityType::Transaction, body(), &key(false)).await.expect("made");
    assert_eq!(record.id.as_str(), "txn_1");
    assert_eq!(record.money().expect("both there").map(domain::Money::to_decimal).as_deref(), Ok("10.90"));
    let received = server.received_requests().await.expect("requests are recorded");
    assert_eq!((received[0].method.as_str(), received[0].url.path()), ("POST", "/transactions"));
    assert_eq!(received[0].body, body());
    assert_eq!(received[0].headers["content-type"], "application/json");
    assert_eq!(received[0].headers["idempotency-key"], key(false).key.as_str());
}

#[tokio::test]
async fn a_cancellation_may_be_answered_with_the_record_or_with_nothing() {
    let id = domain::FlashErpId::new("sub_1").expect("a fitting id");
    let nothing = client(&always(ResponseTemplate::new(204)).await.uri()).cancel_subscription(&call(), &id).await;
    assert_eq!(nothing.expect("cancelled"), None);
    let server = always(json(200, RECORD)).await;
    let record = client(&server.uri()).cancel_subscription(&call(), &id).await.expect("cancelled");
    assert!(record.is_some());
    let received = server.received_requests().await.expect("requests are recorded");
    assert_eq!((received[0].method.as_str(), received[0].url.path()), ("DELETE", "/subscriptions/sub_1"));
}

#[tokio::test]
async fn a_report_is_answered_without_an_id() {
    let server = always(json(201, r#"{"revenue":1.00,"currency":"EUR"}"#)).await;
    client(&server.uri()).report(&call(), body(), &key(false)).await.expect("taken");
    let received = server.received_requests().await.expect("requests are recorded");
    assert_eq!((received[0].method.as_str(), received[0].url.path()), ("POST", "/metrics"));
    let error = client(&always(html(200)).await.uri()).report(&call(), body(), &key(false)).await.expect_err("a page");
    assert!(!error.definite);
}
