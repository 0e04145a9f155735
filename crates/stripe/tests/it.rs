//! Calls against a server on loopback that answers as Stripe does, or not.

use std::time::Duration;

use domain::ErrorCode;
use rstest::rstest;
use secrecy::SecretString;
use stripe::{BuildError, Client, EventsQuery, ObjectKind, Options, StripeError};
use time::macros::datetime;
use url::Url;
use wiremock::matchers::{any, header, method, path, query_param};
use wiremock::{Mock, MockServer, ResponseTemplate};

const KEY: &str = "sk_test_4711_very_secret";
const NO_EVENTS: &str = r#"{"object":"list","data":[],"has_more":false}"#;

fn options(base_url: &str) -> Options {
    Options {
        allow_http: true,
        pause: Duration::from_millis(1),
        ..Options::new(Url::parse(base_url).expect("a URL"), SecretString::from(KEY))
    }
}

fn client(server: &MockServer) -> Client {
    Client::new(options(&server.uri())).expect("a client")
}

fn query() -> EventsQuery {
    EventsQuery {
        created_from: datetime!(2026-11-24 09:00 UTC),
        created_before: datetime!(2026-11-24 10:00 UTC),
        starting_after: None,
    }
}

fn json(status: u16, body: &str) -> ResponseTemplate {
    ResponseTemplate::new(status).set_body_raw(body, "application/json")
}

/// Answers `first` so many times, then as if nothing had happened in the time asked for.
async fn answering(first: ResponseTemplate, times: u64) -> MockServer {
    let server = MockServer::start().await;
    Mock::given(any()).respond_with(first).up_to_n_times(times).mount(&server).await;
    Mock::given(any()).respond_with(json(200, NO_EVENTS)).mount(&server).await;
    server
}

async fn calls(server: &MockServer) -> usize {
    server.received_requests().await.expect("they are recorded").len()
}

#[tokio::test]
async fn a_page_is_asked_for_by_time_under_the_key_and_its_events_stay_as_they_came() {
    let server = MockServer::start().await;
    let page = r#"{"object":"list","has_more":true,"data":[{"id":"evt_2",  "n":1.10},{"id":"evt_1"}]}"#;
    Mock::given(method("GET"))
        .and(path("/v1/events"))
        .and(header("authorization", format!("Bearer {KEY}")))
        .and(query_param("created[gte]", "1795510800"))
        .and(query_param("created[lt]", "1795514400"))
        .and(query_param("limit", "100"))
        .respond_with(json(200, page))
        .mount(&server)
        .await;
    let page = client(&server).events(&query()).await.expect("a page");
    let texts: Vec<&str> = page.data.iter().map(|event| event.get()).collect();
    assert_eq!(texts, [r#"{"id":"evt_2",  "n":1.10}"#, r#"{"id":"evt_1"}"#]);
    assert_eq!(page.next.as_deref(), Some("evt_1"));
}

#[tokio::test]
async fn the_next_page_begins_after_the_last_event_and_the_last_one_has_no_next() {
    let server = MockServer::start().await;
    Mock::given(query_param("starting_after", "evt_1")).respond_with(json(200, NO_EVENTS)).mount(&server).await;
    let next = EventsQuery { starting_after: Some("evt_1".to_owned()), ..query() };
    assert_eq!(client(&server).events(&next).await.expect("a page").next, None);
}

#[rstest]
#[case(500)]
#[case(503)]
#[case(429)]
#[case(409)]
#[tokio::test]
async fn what_a_repeat_mends_is_repeated(#[case] status: u16) {
    let server = answering(json(status, "{}"), 3).await;
    client(&server).events(&query()).await.expect("the fourth try goes well");
    assert_eq!(calls(&server).await, 4);
}

#[tokio::test]
async fn a_refused_key_is_told_at_once_and_stands_in_no_text() {
    for status in [401, 403] {
        let server =
            answering(json(status, &format!(r#"{{"error":{{"message":"Invalid API Key: {KEY}"}}}}"#)), 9).await;
        let client = client(&server);
        let error = client.events(&query()).await.expect_err("refused");
        assert_eq!((error.code(), error.retry_helps(), calls(&server).await), (ErrorCode::AuthFailed, false, 1));
        let texts = format!("{error} {error:?} {client:?} {:?}", options(&server.uri()));
        assert!(!texts.contains("4711"), "{texts}");
    }
}

#[tokio::test]
async fn a_long_retry_after_ends_the_call_and_is_told() {
    let server = answering(json(429, "{}").insert_header("retry-after", "120"), 9).await;
    let error = client(&server).events(&query()).await.expect_err("put off");
    assert_eq!((error.code(), error.retry_after()), (ErrorCode::RateLimitExceeded, Some(Duration::from_secs(120))));
    assert_eq!(calls(&server).await, 1);
}

#[tokio::test]
async fn an_answer_that_does_not_come_in_time_is_a_timeout() {
    let server = answering(json(200, NO_EVENTS).set_delay(Duration::from_secs(60)), 9).await;
    let options = Options { timeout: Duration::from_millis(100), max_tries: 2, ..options(&server.uri()) };
    let error = Client::new(options).expect("a client").events(&query()).await.expect_err("too slow");
    assert_eq!(error.code(), ErrorCode::Timeout);
    assert_eq!(calls(&server).await, 2);
}

#[tokio::test]
async fn nobody_there_is_a_network_error() {
    let base_url = {
        let server = MockServer::start().await;
        server.uri()
    };
    let options = Options { base_url: Url::parse("http://127.0.0.1:1").expect("a URL"), ..options(&base_url) };
    let error = Client::new(options).expect("a client").events(&query()).await.expect_err("nobody there");
    assert_eq!(error.code(), ErrorCode::NetworkError);
}

#[rstest]
#[case("<html>")]
#[case("{}")]
#[case(r#"{"data":[{}],"has_more":true}"#)]
#[tokio::test]
async fn an_answer_that_is_no_list_is_no_empty_one(#[case] body: &'static str) {
    let server = answering(json(200, body), 9).await;
    let error = client(&server).events(&query()).await.expect_err("unreadable");
    assert!(matches!(error, StripeError::Unreadable(_)), "{error:?}");
    assert_eq!(calls(&server).await, 1);
}

#[tokio::test]
async fn an_answer_beyond_the_cap_is_not_read() {
    let server = answering(json(200, &" ".repeat(10_000)), 9).await;
    let options = Options { max_response_bytes: 1_000, ..options(&server.uri()) };
    let error = Client::new(options).expect("a client").events(&query()).await.expect_err("too long");
    assert!(matches!(error, StripeError::Unreadable(_)), "{error:?}");
}

#[tokio::test]
async fn what_stripe_refuses_comes_with_its_words() {
    let server = answering(json(400, r#"{"error":{"message":"Invalid integer: x"}}"#), 9).await;
    let error = client(&server).events(&query()).await.expect_err("refused");
    assert_eq!(error.to_string(), "Stripe refuses the call (400): Invalid integer: x");
}

#[tokio::test]
async fn an_object_is_read_by_its_id_a_charge_with_what_it_brought_and_a_missing_one_is_none() {
    let server = MockServer::start().await;
    let charge = r#"{"id":"ch_1/..","balance_transaction":{"id":"txn_1"}}"#;
    Mock::given(path("/v1/charges/ch_1%2F.."))
        .and(query_param("expand[]", "balance_transaction"))
        .respond_with(json(200, charge))
        .mount(&server)
        .await;
    Mock::given(path("/v1/refunds"))
        .and(query_param("charge", "ch_1"))
        .respond_with(json(200, NO_EVENTS))
        .mount(&server)
        .await;
    Mock::given(any()).respond_with(json(404, r#"{"error":{"message":"No such thing"}}"#)).mount(&server).await;
    let client = client(&server);
    let object = client.object(ObjectKind::Charge, "ch_1/..").await.expect("it answers").expect("there is one");
    assert_eq!(object.get(), charge);
    assert!(client.object(ObjectKind::Invoice, "in_1").await.expect("it answers").is_none());
    assert!(client.refunds("ch_1", None).await.expect("a page").data.is_empty());
}

#[test]
fn the_key_goes_over_plain_http_only_where_that_is_allowed() {
    let plain = |allow_http| {
        let url = Url::parse("http://127.0.0.1:1").expect("a URL");
        Client::new(Options { allow_http, ..Options::new(url, SecretString::from(KEY)) })
    };
    assert!(plain(true).is_ok());
    assert!(matches!(plain(false), Err(BuildError::NotHttps)));
    let line_break = Options::new(Url::parse("https://api.stripe.com").expect("a URL"), SecretString::from("a\nb"));
    assert!(matches!(Client::new(line_break), Err(BuildError::Key)));
}
