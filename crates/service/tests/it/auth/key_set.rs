//! Keys come and go while the service runs, and so does the server that shows them.

use service::auth::{KeySource, Refusal, Settings, Verifier};
use testkit::tokens::{SigningKey, Token, key_set};
use wiremock::matchers::method;
use wiremock::{Mock, MockServer, ResponseTemplate};

use super::{Server, read};

fn settings(server: &MockServer) -> Settings {
    read(&[("AUTH_JWKS_URL", &format!("{}/keys", server.uri()))]).expect("good settings")
}

async fn shows(server: &MockServer, answer: ResponseTemplate) {
    server.reset().await;
    Mock::given(method("GET")).respond_with(answer).mount(server).await;
}

fn keys(keys: &[&SigningKey]) -> ResponseTemplate {
    ResponseTemplate::new(200).set_body_json(key_set(keys))
}

fn token(key: &SigningKey) -> String {
    Token::of("viewer").signed_by(key)
}

async fn asked(server: &MockServer) -> usize {
    server.received_requests().await.expect("recorded").len()
}

#[tokio::test]
async fn a_new_key_is_taken_up_and_one_taken_away_is_out() {
    let server = MockServer::start().await;
    let (old, new) = (SigningKey::p256(), SigningKey::ed25519());
    let verifier = Verifier::reading_keys_eagerly(&settings(&server)).expect("a verifier");
    shows(&server, keys(&[&old])).await;
    assert!(verifier.verify(&token(&old)).await.is_ok());
    assert_eq!(verifier.verify(&token(&new)).await, Err(Refusal::UnknownKey));
    shows(&server, keys(&[&old, &new])).await;
    assert!(verifier.verify(&token(&new)).await.is_ok());
    assert!(verifier.verify(&token(&old)).await.is_ok());
    shows(&server, keys(&[&new])).await;
    // The look for an unknown key reads the set, which has the old one no more.
    assert_eq!(
        verifier.verify(&Token::of("viewer").header("kid", "x").signed_by(&new)).await,
        Err(Refusal::UnknownKey)
    );
    assert_eq!(verifier.verify(&token(&old)).await, Err(Refusal::UnknownKey));
    assert!(verifier.verify(&token(&new)).await.is_ok());
}

#[tokio::test]
async fn known_keys_outlive_the_server_that_showed_them() {
    let server = MockServer::start().await;
    let (known, other) = (SigningKey::p256(), SigningKey::ed25519());
    let verifier = Verifier::reading_keys_eagerly(&settings(&server)).expect("a verifier");
    shows(&server, keys(&[&known])).await;
    assert!(verifier.verify(&token(&known)).await.is_ok());
    for broken in [
        ResponseTemplate::new(500),
        ResponseTemplate::new(302).insert_header("Location", "http://127.0.0.1:1/"),
        ResponseTemplate::new(200).set_body_string("<html>"),
        ResponseTemplate::new(200).set_body_string(r#"{"keys": []}"#),
        ResponseTemplate::new(200).set_body_bytes(vec![b' '; 1 << 20]),
    ] {
        shows(&server, broken).await;
        assert_eq!(verifier.verify(&token(&other)).await, Err(Refusal::UnknownKey), "it was asked again");
        assert!(verifier.verify(&token(&known)).await.is_ok());
    }
}

#[tokio::test]
async fn invented_key_ids_do_not_make_us_ask_again_and_again() {
    let server = MockServer::start().await;
    let key = SigningKey::p256();
    shows(&server, keys(&[&key])).await;
    let verifier = Verifier::new(&settings(&server)).expect("a verifier");
    let invented: Vec<String> =
        (0..50).map(|n| Token::of("admin").header("kid", format!("invented-{n}")).signed_by(&key)).collect();
    let outcomes = futures::future::join_all(invented.iter().map(|token| verifier.verify(token))).await;
    assert!(outcomes.iter().all(|outcome| *outcome == Err(Refusal::UnknownKey)));
    assert!(verifier.verify(&token(&key)).await.is_ok());
    assert_eq!(asked(&server).await, 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_any_keys_so_far_the_answer_is_that_it_cannot_be_told_now() {
    let server = MockServer::start().await;
    shows(&server, ResponseTemplate::new(503)).await;
    let service = Server::start(&Verifier::reading_keys_eagerly(&settings(&server)).expect("a verifier"));
    let key = SigningKey::p256();
    assert_eq!(service.statuses(&token(&key)).await, [503, 503]);
    shows(&server, keys(&[&key])).await;
    assert_eq!(service.statuses(&token(&key)).await, [200, 403]);
    // A secret is not among the settings, so nothing signed with one can hold.
    assert_eq!(service.statuses(&testkit::tokens::admin()).await, [401, 401]);
    service.stop().await;
}

#[tokio::test]
async fn a_file_of_keys_is_read_again() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("keys.json");
    let settings = Settings { key_set: Some(KeySource::File(file.clone())), ..read_secret() };
    let verifier = Verifier::reading_keys_eagerly(&settings).expect("a verifier");
    let (old, new) = (SigningKey::p256(), SigningKey::ed25519());
    assert_eq!(verifier.verify(&token(&old)).await, Err(Refusal::NoKeys));
    std::fs::write(&file, key_set(&[&old]).to_string()).expect("written");
    assert!(verifier.verify(&token(&old)).await.is_ok());
    std::fs::write(&file, key_set(&[&new]).to_string()).expect("written");
    assert!(verifier.verify(&token(&new)).await.is_ok());
}

fn read_secret() -> Settings {
    read(&[("AUTH_JWT_SECRET", testkit::tokens::SECRET)]).expect("good settings")
}
