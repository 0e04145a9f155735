//! Who is let in where: every operation of the description, so that none is forgotten, with every token that opens nothing.

use reqwest::Method;
use testkit::Scratch;
use testkit::described::{Operation, guarded_operations};
use testkit::tokens::{self, BadToken, SECRET, SigningKey, Token, bad_tokens};

use crate::api::{Answer, Api};

fn operations() -> Vec<Operation> {
    let described = serde_json::to_value(config_api::openapi::of_this_service()).expect("JSON");
    let operations = guarded_operations(&described);
    assert!(operations.len() >= 40, "{operations:?}");
    operations
}

/// The service, believing a secret and a key set: what is forged with the set's public key would else be refused for want of a set.
async fn with_keys(scratch: &Scratch) -> Api {
    let keys = tokens::key_set_file(scratch.path());
    Api::start_with(|options| options.env("AUTH_JWKS_FILE", &keys)).await
}

/// A request that could only be refused: for who asks, or else for a parameter that there is not.
fn request(api: &Api, operation: &Operation) -> reqwest::RequestBuilder {
    let method: Method = operation.method.parse().expect("a method");
    api.client.request(method, api.url(&operation.path)).query(&[("no-such-parameter", "1")])
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_operation_is_opened_by_a_token_that_does_not_hold() {
    let scratch = Scratch::new().expect("a folder");
    let api = with_keys(&scratch).await;
    let bad: Vec<BadToken> = ["admin", "viewer"].into_iter().flat_map(bad_tokens).collect();
    for operation in operations() {
        for BadToken { what, token } in &bad {
            let request = request(&api, &operation);
            let refused = Answer::of(token.iter().fold(request, |request, token| request.bearer_auth(token))).await;
            assert_eq!(
                (refused.status, refused.json()["code"].as_str()),
                (401, Some("AUTH_FAILED")),
                "{operation:?}, {what}"
            );
            assert_eq!(refused.header("www-authenticate").split(' ').next(), Some("Bearer"), "{operation:?}, {what}");
        }
    }
    api.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn admins_are_let_in_everywhere_viewers_where_nothing_is_changed_and_others_nowhere() {
    let scratch = Scratch::new().expect("a folder");
    let api = with_keys(&scratch).await;
    let signed = |role| [Token::of(role).hs256(SECRET), Token::of(role).signed_by(&SigningKey::rsa())];
    for operation in operations() {
        // What is wrong with a request is told only to those who may make it.
        let viewers = if operation.only_reads() { 400 } else { 403 };
        for (role, expected) in [("admin", 400), ("viewer", viewers), ("auditor", 403)] {
            for token in signed(role) {
                let answer = Answer::of(request(&api, &operation).bearer_auth(token)).await;
                assert_eq!(answer.status, expected, "{operation:?} by {role}: {answer:?}");
                let code = if expected == 400 { "VALIDATION_ERROR" } else { "AUTH_FAILED" };
                assert_eq!(answer.json()["code"], code, "{operation:?} by {role}");
            }
        }
    }
    api.stop().await;
}
