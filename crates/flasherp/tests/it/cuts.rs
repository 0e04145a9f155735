//! Connections that fail below HTTP: before sending it is certain that nothing took effect, after it is not.

use std::{error::Error, time::Duration};

use domain::{EntityType, ErrorCode};
use flasherp::{CallError, Client, Options};
use rstest::rstest;

use crate::support::*;

async fn create(options: Options) -> CallError {
    let client = Client::new(options).expect("a client");
    client.create(&call(), EntityType::Transaction, body(), &key(false)).await.expect_err("it must fail")
}

fn assert_unsent(error: &CallError) {
    assert_eq!(error.code, ErrorCode::ConnectionFailed, "{error} {:?}", error.source());
    assert!(error.definite && !error.sent && error.retry_helps() && error.counts_for_breaker());
}

#[tokio::test]
async fn nobody_listening_means_nothing_was_sent() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("it is bound");
    drop(listener);
    assert_unsent(&create(options(&format!("http://{address}"))).await);
}

#[tokio::test]
async fn a_name_that_does_not_resolve_means_nothing_was_sent() {
    assert_unsent(&create(options("http://no-such-host.invalid")).await);
}

#[tokio::test]
async fn a_failed_tls_handshake_means_nothing_was_sent() {
    let server = BareServer::start(Trouble::Blurt("HTTP/1.1 400 Bad Request\r\n\r\n")).await;
    assert_unsent(&create(options(&format!("https://{}", server.address))).await);
}

#[tokio::test]
async fn a_tls_handshake_that_never_ends_means_nothing_was_sent() {
    let server = BareServer::start(Trouble::Deaf).await;
    let url = format!("https://{}", server.address);
    assert_unsent(&create(Options { connect_timeout: Duration::from_millis(50), max_tries: 1, ..options(&url) }).await);
}

#[rstest]
#[case(Trouble::CloseAfterRequest, ErrorCode::NetworkError)]
#[case(Trouble::ResetAfterRequest, ErrorCode::NetworkError)]
#[case(Trouble::Say("HTTP/1.1 201 Created\r\nContent-Length: 900\r\n\r\n{\"id\":"), ErrorCode::NetworkError)]
#[case(
    Trouble::Say("HTTP/1.1 201 Created\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n{\"id\"\r\n"),
    ErrorCode::NetworkError
)]
#[case(
    Trouble::Say("HTTP/1.1 201 Created\r\nContent-Encoding: gzip\r\nContent-Length: 4\r\n\r\nnope"),
    ErrorCode::NetworkError
)]
#[case(Trouble::Say("HTTP/1.1 201 Created\r\n\r\n{\"id\":\"txn_1\",\"created"), ErrorCode::UnknownError)]
#[case(Trouble::Say("220 smtp.example.com ESMTP\r\n"), ErrorCode::NetworkError)]
#[tokio::test]
async fn a_cut_after_sending_leaves_a_write_unknown_and_is_not_repeated(
    #[case] trouble: Trouble,
    #[case] code: ErrorCode,
) {
    let server = BareServer::start(trouble).await;
    let error = create(options(&server.url())).await;
    assert_eq!(error.code, code, "{error} {:?}", error.source());
    assert!(!error.definite && error.sent && error.retry_helps() && error.counts_for_breaker());
    assert_eq!(server.heard().len(), 1);
}

#[tokio::test]
async fn a_connection_that_closes_at_once_may_have_taken_the_request() {
    let server = BareServer::start(Trouble::Refuse).await;
    let error = create(options(&server.url())).await;
    assert!(!error.definite, "the connection stood; nobody knows what went over it: {error}");
}

#[rstest]
#[case(Trouble::Silence)]
#[case(Trouble::Deaf)]
#[tokio::test]
async fn no_answer_in_time_leaves_a_write_unknown_and_is_not_repeated(#[case] trouble: Trouble) {
    let server = BareServer::start(trouble).await;
    let error = create(Options { timeout: Duration::from_millis(100), ..options(&server.url()) }).await;
    assert_eq!(error.code, ErrorCode::Timeout);
    assert!(!error.definite && error.sent && error.counts_for_breaker());
    assert!(server.heard().len() <= 1);
}

#[tokio::test]
async fn an_answer_that_stops_in_the_middle_times_out() {
    let server = BareServer::start(Trouble::Silence).await;
    let error = create(Options { read_timeout: Duration::from_millis(100), ..options(&server.url()) }).await;
    assert_eq!(error.code, ErrorCode::Timeout);
}
