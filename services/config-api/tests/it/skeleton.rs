//! What all of the API's routes have alike.

use reqwest::Method;

use crate::api::{Answer, Api};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_description_and_its_page_are_served_without_anything_from_elsewhere() {
    let api = Api::start().await;
    let described = api.get("/api/openapi.json").await;
    assert_eq!((described.status, described.json()["openapi"].as_str()), (200, Some("3.1.0")));
    assert_eq!(
        described.json(),
        serde_json::from_str::<serde_json::Value>(&config_api::openapi::text()).expect("JSON")
    );

    assert_eq!(api.get("/api/docs").await.header("location"), "/api/docs/");
    let page = api.get("/api/docs/").await;
    assert_eq!(page.status, 200);
    assert!(page.header("content-security-policy").contains("default-src 'none'"), "{page:?}");
    let loaded = page.text.split(['"', '\'']).filter(|part| part.ends_with(".js") || part.ends_with(".css"));
    let loaded: Vec<_> = loaded.collect();
    assert!(loaded.len() >= 3, "{}", page.text);
    for file in loaded {
        assert!(!file.contains("//"), "{file} comes from elsewhere");
        assert_eq!(api.get(&format!("/api/docs/{file}")).await.status, 200, "{file}");
    }
    let starts = api.get("/api/docs/swagger-initializer.js").await;
    assert!(starts.text.contains("/api/openapi.json"), "{}", starts.text);
    assert_eq!(api.get("/api/docs/no-such-file").await.status, 404);
    api.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn unknown_paths_methods_and_parameters_are_refused_in_one_shape() {
    let api = Api::start().await;
    let ours = |answer: &Answer| {
        let body = answer.json();
        let mut names: Vec<_> = body.as_object().expect("an object").keys().cloned().collect();
        names.sort();
        assert_eq!(names, ["code", "details", "error", "message", "requestId"]);
        assert_eq!(body["requestId"], answer.header("x-request-id"));
    };
    let unknown = api.get("/api/erp/no-such-thing").await;
    assert_eq!(unknown.status, 404);
    ours(&unknown);
    let method = Answer::of(api.client.request(Method::PATCH, api.url("/api/openapi.json"))).await;
    assert_eq!((method.status, method.header("allow")), (405, "GET"));
    ours(&method);
    for path in ["/api/erp/syncs/retry", "/api/erp/syncs/skip", "/api/erp/webhooks/replay"] {
        let no_id = api.get(path).await;
        assert_eq!((no_id.status, no_id.header("allow")), (405, "POST"), "{path} is no id");
        ours(&no_id);
    }
    let parameter = api.get("/api/openapi.json?a=1&b=2").await;
    assert_eq!((parameter.status, parameter.wrong_fields()), (400, vec!["a".to_owned(), "b".to_owned()]));
    ours(&parameter);
    assert!(!api.log().contains(" request failed"), "{}", api.log());
    api.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_stops_and_starts_again_on_the_same_database_and_broker() {
    let (database, broker) = Api::start().await.stop().await;
    let again = Api::start_on(database, broker, |options| options).await;
    assert_eq!(again.get("/api/openapi.json").await.status, 200);
    again.stop().await;
}

#[test]
fn the_description_in_proto_schemas_is_what_the_handlers_say() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../proto-schemas");
    assert!(config_api::openapi::is_current(&folder).expect("readable"), "run `./justw schemas`");
}
