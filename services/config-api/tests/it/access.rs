//! Who is let in where: every operation of the description, so that none is forgotten.

use reqwest::Method;
use serde_json::Value;

use crate::api::{Answer, Api};

/// What stands for the parameters of paths.
fn filled(path: &str) -> String {
    let part = |part: &str| match part {
        "{name}" => "prune".to_owned(),
        part if part.starts_with('{') => uuid::Uuid::nil().to_string(),
        part => part.to_owned(),
    };
    path.split('/').map(part).collect::<Vec<_>>().join("/")
}

/// Method and path of every operation that is not open to all.
fn operations() -> Vec<(Method, String)> {
    let described: Value = serde_json::from_str(&config_api::openapi::text()).expect("JSON");
    let paths = described["paths"].as_object().expect("paths");
    let operations = paths.iter().flat_map(|(path, item)| {
        let operations = item.as_object().expect("operations").iter();
        let guarded =
            operations.filter(|(_, operation)| operation["security"].as_array().is_none_or(|open| open.is_empty()));
        guarded.map(|(method, _)| (method.to_uppercase().parse().expect("a method"), filled(path)))
    });
    operations.collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_gets_in_without_a_token_and_viewers_change_nothing() {
    let api = Api::start().await;
    let operations = operations();
    assert!(operations.len() >= 10, "{operations:?}");
    let expired = testkit::tokens::Token::of("admin").claim("exp", 1).hs256(testkit::tokens::SECRET);
    for (method, path) in operations {
        let request = || api.client.request(method.clone(), api.url(&path));
        for refused in [
            request(),
            request().bearer_auth("x"),
            request().bearer_auth(&expired),
            request().bearer_auth(testkit::tokens::Token::of("admin").unsigned()),
        ] {
            let refused = Answer::of(refused).await;
            assert_eq!(
                (refused.status, refused.json()["code"].as_str()),
                (401, Some("AUTH_FAILED")),
                "{method} {path}"
            );
        }
        // What is wrong with a request is told only to those who may make it.
        let viewer =
            Answer::of(request().bearer_auth(testkit::tokens::viewer()).query(&[("no-such-parameter", "1")])).await;
        let expected = if method == Method::GET { 400 } else { 403 };
        assert_eq!(viewer.status, expected, "{method} {path}: {viewer:?}");
        let nobody = request().bearer_auth(testkit::tokens::Token::of("auditor").hs256(testkit::tokens::SECRET));
        assert_eq!(Answer::of(nobody).await.status, 403, "{method} {path}");
    }
    api.stop().await;
}
