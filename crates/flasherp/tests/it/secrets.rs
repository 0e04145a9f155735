//! Credentials go out as headers and nowhere else.

use std::error::Error;

use domain::EntityType;
use flasherp::{BuildError, Client, Options};
use secrecy::SecretString;

use crate::support::*;

fn assert_clean(text: &str) {
    for secret in [API_KEY, API_SECRET, "4711", "0815"] {
        assert!(!text.contains(secret), "{text}");
    }
}

#[tokio::test]
async fn every_call_carries_both_credentials_and_the_request_id() {
    let server = always(json(200, r#"{"status":"ok"}"#)).await;
    client(&server.uri()).health(&call()).await.expect("healthy");
    let received = server.received_requests().await.expect("requests are recorded");
    let headers = &received[0].headers;
    assert_eq!(headers["authorization"], format!("Bearer {API_KEY}").as_str());
    assert_eq!(headers["x-api-secret"], API_SECRET);
    assert_eq!(headers["x-request-id"], REQUEST.to_string().as_str());
}

#[tokio::test]
async fn a_flasherp_that_repeats_our_credentials_does_not_get_them_into_errors() {
    let told = format!(
        r#"{{"code":"INVALID_API_KEY","message":"no key {API_KEY}","details":[{{"field":"{API_SECRET}","issue":"Bearer {API_KEY}"}}]}}"#
    );
    let server = always(json(401, &told)).await;
    let error = client(&server.uri())
        .create(&call(), EntityType::Transaction, body(), &key(false))
        .await
        .expect_err("it must fail");
    assert_clean(&format!("{error} {error:?} {:?}", error.source()));
    assert_eq!(error.message, "no key [hidden]");
}

#[tokio::test]
async fn neither_client_nor_options_nor_transport_errors_show_credentials() {
    let options = options("http://no-such-host.invalid/v1");
    assert_clean(&format!("{options:?}"));
    let client = Client::new(options).expect("a client");
    assert_clean(&format!("{client:?}"));
    let error = client.health(&call()).await.expect_err("there is no such host");
    assert_clean(&format!("{error} {error:?} {:?}", error.source()));
}

#[test]
fn a_credential_that_cannot_be_a_header_is_refused_without_being_shown() {
    let bad = Options { api_key: SecretString::from("4711\n0815"), ..options("http://127.0.0.1:1") };
    let error = Client::new(bad).map(|_| ()).expect_err("it must be refused");
    assert!(matches!(error, BuildError::Credential("API key")));
    assert_clean(&format!("{error} {error:?} {:?}", error.source()));
}
