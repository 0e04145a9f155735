//! Addresses inside our own network are refused at connect time, whatever the URL says.

use domain::{EntityType, ErrorCode};
use flasherp::{BuildError, Client, Options, guard::UrlRefused};
use rstest::rstest;

use crate::support::*;

fn guarded(url: &str) -> Result<Client, BuildError> {
    Client::new(Options { allow_private: false, ..options(url) })
}

#[rstest]
fn a_client_for_a_literal_address_of_our_network_cannot_be_made(
    #[values(
        "https://127.0.0.1:1/",
        "https://[::1]/",
        "https://169.254.169.254/latest",
        "https://10.0.0.1/",
        "https://[::ffff:a00:1]/"
    )]
    url: &str,
) {
    let error = guarded(url).map(|_| ()).expect_err("it must be refused");
    assert!(matches!(error, BuildError::Url(UrlRefused::Address(_))), "{error}");
}

#[test]
fn a_client_without_tls_cannot_be_made() {
    assert!(matches!(guarded("http://api.flasherp.com/v1"), Err(BuildError::Url(UrlRefused::Scheme))));
}

#[tokio::test]
async fn a_name_that_leads_to_loopback_is_refused_before_anything_is_sent_and_not_tried_again() {
    let server = BareServer::start(Trouble::CloseAfterRequest).await;
    let client = guarded(&format!("https://localhost:{}", server.address.port())).expect("the name itself is fine");
    let error =
        client.create(&call(), EntityType::Transaction, body(), &key(true)).await.expect_err("it must be refused");
    assert_eq!(error.code, ErrorCode::ConfigInvalid, "{error}");
    assert!(error.definite && !error.sent && !error.retry_helps() && !error.counts_for_breaker());
    assert!(server.heard().is_empty());
}
