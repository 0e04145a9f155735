//! How often each call is tried, to the number.

use std::time::{Duration, Instant};

use domain::{EntityType, ErrorCode, FlashErpId, SyncId};
use flasherp::{Call, CallResult, Client, LEASE_MARGIN, Options};
use rstest::rstest;
use time::OffsetDateTime;
use wiremock::{MockServer, ResponseTemplate};

use crate::support::*;

fn id() -> FlashErpId {
    FlashErpId::new("txn_1").expect("a fitting id")
}

async fn create(server: &MockServer, honoured: bool) -> CallResult<domain::mapping::Record> {
    client(&server.uri()).create(&call(), EntityType::Transaction, body(), &key(honoured)).await
}

#[rstest]
#[case(html(502), 4)]
#[case(own_error(500, "SERVER_ERROR"), 4)]
#[case(html(200), 4)]
#[case(html(404), 4)]
#[case(own_error(429, "RATE_LIMIT_EXCEEDED"), 4)]
#[case(own_error(400, "VALIDATION_ERROR"), 1)]
#[case(own_error(401, "INVALID_API_KEY"), 1)]
#[tokio::test]
async fn a_read_is_tried_four_times_where_that_can_help(#[case] answer: ResponseTemplate, #[case] tries: usize) {
    let server = always(answer).await;
    client(&server.uri()).get(&call(), EntityType::Transaction, &id()).await.expect_err("it must fail");
    assert_eq!(requests(&server).await, tries);
}

#[tokio::test]
async fn a_read_survives_three_failures() {
    let server = in_turn([html(502), html(200), own_error(503, "SERVICE_UNAVAILABLE"), json(200, RECORD)]).await;
    let record = client(&server.uri()).get(&call(), EntityType::Transaction, &id()).await.expect("it is there");
    assert_eq!(record.map(|record| record.id), Some(id()));
    assert_eq!(requests(&server).await, 4);
}

#[tokio::test]
async fn a_read_survives_cuts() {
    let server = BareServer::start(Trouble::ResetAfterRequest).await;
    client(&server.url()).get(&call(), EntityType::Transaction, &id()).await.expect_err("it must fail");
    assert_eq!(server.heard().len(), 4);
}

#[tokio::test]
async fn only_flasherps_own_404_says_that_a_record_is_not_there() {
    let server = always(own_error(404, "RESOURCE_NOT_FOUND")).await;
    let record = client(&server.uri()).get(&call(), EntityType::Transaction, &id()).await.expect("a clear answer");
    assert_eq!((record, requests(&server).await), (None, 1));
}

#[rstest]
#[case(html(502), 1)]
#[case(own_error(500, "SERVER_ERROR"), 1)]
#[case(html(429), 1)]
#[case(html(201), 1)]
#[case(own_error(400, "VALIDATION_ERROR"), 1)]
#[case(own_error(409, "RESOURCE_CONFLICT"), 1)]
#[case(own_error(429, "RATE_LIMIT_EXCEEDED"), 4)]
#[tokio::test]
async fn a_write_without_an_honoured_key_is_repeated_only_when_flasherp_itself_turned_it_away(
    #[case] answer: ResponseTemplate,
    #[case] tries: usize,
) {
    let server = always(answer.clone()).await;
    create(&server, false).await.expect_err("it must fail");
    assert_eq!(requests(&server).await, tries);

    let server = always(answer).await;
    let put = client(&server.uri()).update(&call(), EntityType::Transaction, &id(), body()).await;
    put.expect_err("it must fail");
    assert_eq!(requests(&server).await, tries);
}

#[rstest]
#[case(html(502), 4)]
#[case(own_error(500, "SERVER_ERROR"), 4)]
#[case(html(201), 4)]
#[case(own_error(429, "RATE_LIMIT_EXCEEDED"), 4)]
#[case(own_error(400, "VALIDATION_ERROR"), 1)]
#[case(own_error(409, "RESOURCE_CONFLICT"), 1)]
#[tokio::test]
async fn a_create_under_an_honoured_key_is_repeated_with_the_same_bytes_and_key(
    #[case] answer: ResponseTemplate,
    #[case] tries: usize,
) {
    let server = always(answer).await;
    create(&server, true).await.expect_err("it must fail");
    let received = server.received_requests().await.expect("requests are recorded");
    assert_eq!(received.len(), tries);
    for request in received {
        assert_eq!(request.body, body());
        assert_eq!(request.headers["idempotency-key"], key(true).key.as_str());
    }
}

#[tokio::test]
async fn a_lost_answer_under_an_honoured_key_is_found_by_the_repeat() {
    let server = in_turn([html(502), json(201, RECORD)]).await;
    assert_eq!(create(&server, true).await.expect("made").id, id());
    assert_eq!(requests(&server).await, 2);
}

#[tokio::test]
async fn after_a_try_with_an_unknown_outcome_a_refusal_does_not_make_the_call_definite() {
    let server = in_turn([html(502), own_error(400, "VALIDATION_ERROR")]).await;
    let error = create(&server, true).await.expect_err("it must fail");
    assert_eq!((error.code, requests(&server).await), (ErrorCode::ValidationError, 2));
    assert!(!error.definite && error.sent, "the first try may have made the record");
}

#[tokio::test]
async fn a_cancellation_may_be_repeated() {
    let server = in_turn([html(502), ResponseTemplate::new(204)]).await;
    let sub = FlashErpId::new("sub_1").expect("a fitting id");
    assert_eq!(client(&server.uri()).cancel_subscription(&call(), &sub).await.expect("cancelled"), None);
    assert_eq!(requests(&server).await, 2);
}

#[tokio::test]
async fn a_call_that_is_to_be_made_once_is() {
    let server = always(html(502)).await;
    client(&server.uri()).health(&call().once()).await.expect_err("it must fail");
    assert_eq!(requests(&server).await, 1);
}

#[tokio::test]
async fn a_retry_after_above_ten_seconds_ends_the_call_and_is_told() {
    let limited = own_error(429, "RATE_LIMIT_EXCEEDED").insert_header("Retry-After", "11");
    let server = always(limited).await;
    let error = create(&server, false).await.expect_err("it must fail");
    assert_eq!((error.retry_after, requests(&server).await), (Some(Duration::from_secs(11)), 1));
    assert!(error.definite);

    let quota = own_error(429, "QUOTA_EXCEEDED").insert_header("Retry-After", "999999");
    let error = create(&always(quota).await, false).await.expect_err("it must fail");
    assert_eq!((error.code, error.retry_after), (ErrorCode::QuotaExceeded, Some(Duration::from_secs(86_400))));
}

#[tokio::test]
async fn a_retry_after_may_be_a_date() {
    // A year that no test run reaches: the wait is clamped to a day whenever this runs.
    let server =
        always(own_error(429, "RATE_LIMIT_EXCEEDED").insert_header("Retry-After", "Fri, 01 Jan 2100 00:00:00 GMT"))
            .await;
    let error = create(&server, false).await.expect_err("it must fail");
    assert_eq!((error.retry_after, requests(&server).await), (Some(Duration::from_secs(86_400)), 1));

    let past = own_error(429, "RATE_LIMIT_EXCEEDED").insert_header("Retry-After", "Wed, 01 Jan 2020 00:00:00 GMT");
    let server = in_turn([past, json(201, RECORD)]).await;
    create(&server, false).await.expect("the second try goes through");
    assert!(OffsetDateTime::now_utc().year() > 2020);
}

#[tokio::test]
async fn without_a_readable_retry_after_a_429_holds_until_its_limits_window_is_over() {
    let far = OffsetDateTime::now_utc().unix_timestamp() + 1_000_000;
    let limited = |retry_after: &str| {
        own_error(429, "RATE_LIMIT_EXCEEDED")
            .insert_header("Retry-After", retry_after)
            .insert_header("X-RateLimit-Remaining", "0")
            .insert_header("X-RateLimit-Reset", far.to_string())
    };
    for (retry_after, wait) in [("in a while", 86_400), ("11", 11)] {
        let server = always(limited(retry_after)).await;
        let error = create(&server, false).await.expect_err("it must fail");
        assert_eq!((error.retry_after, requests(&server).await), (Some(Duration::from_secs(wait)), 1));
    }
    let refused = own_error(400, "VALIDATION_ERROR").insert_header("X-RateLimit-Reset", far.to_string());
    let error = create(&always(refused).await, false).await.expect_err("it must fail");
    assert_eq!(error.retry_after, None, "only who turns us away asks us to wait");
}

#[tokio::test]
async fn no_try_starts_that_could_outlast_the_lease() {
    let server = always(json(201, RECORD)).await;
    let timeout = Duration::from_secs(1);
    let client = Client::new(Options { timeout, ..options(&server.uri()) }).expect("a client");
    let short = leased(timeout + LEASE_MARGIN - Duration::from_millis(1));
    let error = client.create(&short, EntityType::Transaction, body(), &key(true)).await.expect_err("too short");
    assert!(error.definite && !error.sent && error.handed_back && !error.counts_for_breaker());
    assert_eq!(requests(&server).await, 0);

    let long = leased(timeout + LEASE_MARGIN + Duration::from_secs(60));
    client.create(&long, EntityType::Transaction, body(), &key(true)).await.expect("made");
}

#[tokio::test]
async fn a_wait_that_would_outlast_the_lease_ends_the_call_with_its_error() {
    let server = always(own_error(429, "RATE_LIMIT_EXCEEDED").insert_header("Retry-After", "9")).await;
    let timeout = Duration::from_secs(1);
    let client = Client::new(Options { timeout, ..options(&server.uri()) }).expect("a client");
    // Enough for a try now, not for one in nine seconds.
    let call = leased(timeout + LEASE_MARGIN + Duration::from_secs(8));
    let error = client.create(&call, EntityType::Transaction, body(), &key(true)).await.expect_err("turned away");
    assert_eq!((error.code, requests(&server).await), (ErrorCode::RateLimitExceeded, 1));
    assert!(error.definite && error.sent && !error.handed_back);
}

fn leased(left: Duration) -> Call {
    call().for_sync(SyncId(REQUEST), Instant::now() + left)
}
