//! Credentials and health.

use serde_json::json;
use testkit::sandbox::Outage;

use crate::support::{Erp, answer};

#[tokio::test]
async fn a_wrong_or_missing_key_is_told_apart_from_a_wrong_secret() {
    let erp = Erp::start().await;
    let url = format!("{}/health", erp.control.api_url());
    let no_key = erp.http.get(&url).header("x-api-secret", erp.secret);
    answer(no_key).await.unwrap().is_error(401, "INVALID_API_KEY");
    let wrong_key = erp.http.get(&url).bearer_auth("key-2").header("x-api-secret", erp.secret);
    answer(wrong_key).await.unwrap().is_error(401, "INVALID_API_KEY");
    let basic = erp.http.get(&url).basic_auth("key-1", Some("")).header("x-api-secret", erp.secret);
    answer(basic).await.unwrap().is_error(401, "INVALID_API_KEY");
    let no_secret = erp.http.get(&url).bearer_auth(erp.key);
    answer(no_secret).await.unwrap().is_error(401, "INVALID_API_SECRET");
    let wrong_secret = erp.http.get(&url).bearer_auth(erp.key).header("x-api-secret", "secret-10");
    answer(wrong_secret).await.unwrap().is_error(401, "INVALID_API_SECRET");
}

#[tokio::test]
async fn without_credentials_nothing_is_written_and_nothing_is_told() {
    let erp = Erp::start().await;
    for path in ["/customers", "/nowhere", "/customers/fcu_0000000000000001"] {
        let call = erp.http.get(format!("{}{path}", erp.control.api_url()));
        answer(call).await.unwrap().is_error(401, "INVALID_API_KEY");
    }
    let write = erp.http.post(format!("{}/customers", erp.control.api_url())).json(&crate::support::customer("u-1"));
    answer(write).await.unwrap().is_error(401, "INVALID_API_KEY");
    assert_eq!(erp.records_of("customers").await, 0);
}

#[tokio::test]
async fn health_lists_the_capabilities_that_are_on() {
    let erp = Erp::start().await;
    let health = erp.get("/health").await;
    assert_eq!(
        health.json(),
        json!({ "status": "ok", "version": "1", "capabilities": ["idempotency-key", "updated-since"] })
    );
    erp.control.set_capabilities(&["count"]).await;
    assert_eq!(erp.get("/health").await.json()["capabilities"], json!(["count"]));
    erp.control.set_outage(Outage::Degraded).await;
    let health = erp.get("/health").await;
    assert_eq!((health.status, &health.json()["status"]), (200, &json!("degraded")));
}

#[tokio::test]
async fn unknown_paths_and_methods_are_not_found() {
    let erp = Erp::start().await;
    erp.get("/nowhere").await.is_error(404, "RESOURCE_NOT_FOUND");
    erp.delete("/customers/fcu_0000000000000001").await.is_error(404, "RESOURCE_NOT_FOUND");
    erp.get("/metrics").await.is_error(404, "RESOURCE_NOT_FOUND");
    erp.delete("/transactions").await.is_error(404, "RESOURCE_NOT_FOUND");
}
