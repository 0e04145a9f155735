//! What callers of the API do wrong, with secrets where they belong and where they don't.

use reqwest::Method;
use serde_json::{Value, json};
use testkit::tokens::Token;

use super::stage::Stage;

const CONFIG: &str = "/api/erp/config";

/// Bodies that can't be saved or tried, then one that can.
pub(super) async fn configuration(stage: &mut Stage) {
    let (key, secret, webhook) = (
        stage.of("a key that was saved"),
        stage.of("a secret that was saved"),
        stage.of("a webhook secret that was saved"),
    );
    let candidate = stage.of("a candidate");
    let password = stage.of("a password");
    let long = candidate.repeat(400);
    let bad = [
        json!({"apiKey": candidate, "syncInterval": 1}),
        json!({"apiKey": [candidate]}),
        json!({"apiKey": {"value": candidate}}),
        json!({"api_key": candidate, "password": password}),
        json!({"apiSecret": format!("{candidate}\u{0}")}),
        json!({"apiSecret": format!("{candidate}\n{candidate}")}),
        json!({"webhookSecret": long}),
        json!({"webhookSecret": null, "apiKey": candidate}),
        json!({"baseURL": format!("https://user:{password}@example.com"), "apiKey": candidate}),
        json!({"baseURL": format!("https://example.com/?token={password}#{password}")}),
        json!({"baseURL": format!("ftp://user:{password}@example.com")}),
        json!({"baseURL": "https://does-not-exist.invalid", "apiKey": candidate, "apiSecret": candidate}),
        json!({"syncScope": {"transactions": candidate}}),
    ];
    for body in &bad {
        for (method, path) in [(Method::PUT, CONFIG), (Method::POST, "/api/erp/config/test")] {
            let request = stage.admin(method, path).json(body);
            stage.send(request).await;
        }
    }
    for raw in [
        format!("{{\"apiKey\": \"{candidate}\", "),
        format!("{{\"apiKey\":\"{candidate}\",\"apiKey\":\"{candidate}\"}}"),
        format!("apiKey={candidate}"),
    ] {
        for kind in ["application/json", "text/plain", "application/x-www-form-urlencoded"] {
            let request = stage.admin(Method::PUT, CONFIG).header("content-type", kind).body(raw.clone());
            stage.send(request).await;
        }
    }
    for (name, value) in [("If-Match", format!("\"{candidate}\"")), ("Idempotency-Key", format!("{candidate}\u{e9}"))] {
        let request = stage.admin(Method::POST, "/api/erp/sync/full").header(name, value).json(&json!({"nope": 1}));
        stage.send(request).await;
    }
    for body in
        [json!({"webhookSecret": webhook}), json!({"apiKey": key, "apiSecret": secret}), json!({"isEnabled": true})]
    {
        let request = stage.admin(Method::PUT, CONFIG).json(&body);
        let (status, shown) = stage.send(request).await;
        assert_eq!(status, 200, "{shown}");
    }
}

/// Nobody's, and everybody's in the wrong place.
pub(super) async fn tokens(stage: &mut Stage) {
    let (secret, password) = (stage.of("AUTH_JWT_SECRET"), stage.of("a password"));
    let expired = Token::of("admin").claim("exp", 1).hs256(&secret);
    let stranger = Token::of("auditor").hs256(&secret);
    for token in [
        expired,
        stranger,
        Token::of("admin").unsigned(),
        password.clone(),
        format!("{password}.{password}.{password}"),
    ] {
        for path in ["/api/erp/status", "/api/auth/session", CONFIG] {
            for request in [
                stage.request(Method::GET, path).bearer_auth(&token),
                stage.request(Method::POST, path).header("cookie", format!("erp_session={token}")),
                stage.request(Method::GET, path).header("authorization", format!("Basic {password}")),
            ] {
                let (status, _) = stage.send(request).await;
                assert!((400..500).contains(&status), "{status}");
            }
        }
    }
    let request = stage.admin(Method::POST, "/api/auth/session");
    assert_eq!(stage.client_only(request).await, 200, "its cookie is the token, for the browser alone");
}

/// Everything that can be read, once it holds what went wrong.
pub(super) async fn everything_read(stage: &mut Stage) {
    for path in [
        CONFIG,
        "/api/erp/status",
        "/api/erp/metrics",
        "/api/erp/exposure",
        "/api/erp/error-groups",
        "/api/erp/jobs",
        "/api/erp/batches",
        "/api/erp/sync-history?limit=100",
        "/api/erp/audit-logs?limit=100",
        "/api/erp/webhooks?limit=100",
        "/api/erp/reconciliations?limit=100",
        "/api/openapi.json",
    ] {
        let request = stage.admin(Method::GET, path);
        let (status, _) = stage.send(request).await;
        assert_eq!(status, 200, "{path}");
    }
    for path in ["/api/erp/sync-history", "/api/erp/audit-logs"] {
        let request = stage.admin(Method::GET, path).header("accept", "text/csv");
        assert_eq!(stage.send(request).await.0, 200);
    }
    for (list, one) in
        [("/api/erp/webhooks?limit=100", "/api/erp/webhooks/"), ("/api/erp/sync-history?limit=100", "/api/erp/syncs/")]
    {
        let request = stage.admin(Method::GET, list);
        let (_, page) = stage.send(request).await;
        let ids: Vec<String> = page["data"]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(|row| row["id"].as_str())
            .map(str::to_owned)
            .collect();
        assert!(!ids.is_empty(), "{list}");
        for id in ids {
            for path in [format!("{one}{id}"), format!("/api/erp/timeline?q={id}")] {
                let request = stage.admin(Method::GET, &path);
                let (status, body): (u16, Value) = stage.send(request).await;
                assert_eq!(status, 200, "{path} {body}");
            }
        }
    }
}
