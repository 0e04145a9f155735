//! Crooked requests go nowhere, other sites' pages nowhere that they are not named for, and every answer has this origin's headers.

use std::sync::atomic::Ordering;

use reqwest::header::HeaderMap;
use serde_json::{Value, json};
use testkit::tokens;

use crate::backend::Backend;
use crate::kit::{Gateway, send, status};
use crate::raw::{exchange, status_of};

fn get(path: &str, more: &str) -> Vec<u8> {
    let token = tokens::admin();
    let head =
        format!("GET {path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\nConnection: close\r\n{more}\r\n");
    head.into_bytes()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_path_with_more_than_one_reading_reaches_nobody() {
    let backend = Backend::start();
    let gateway = Gateway::before(&backend);
    for path in [
        "//api/erp/config",
        "/api//erp/config",
        "/api/erp/../sandbox/reset",
        "/api/erp/./config",
        "/api/webhooks/../erp/config",
        "/api/webhooks/%2e%2e/erp/config",
        "/api/webhooks%2f..%2ferp%2fconfig",
        "/api/webhooks/..%2ferp/config",
        "/api/webhooks/%252e%252e/erp/config",
        "/api/webhooks\\..\\erp\\config",
        "/api/%65rp/config",
        "/api/erp/config%00",
        "/api/erp/%0d%0aX-Role:admin",
        "/%2e%2e/%2e%2e/etc/passwd",
        "/../../etc/passwd",
    ] {
        let answer = exchange(gateway.address, &get(path, "")).await;
        assert_eq!(status_of(&answer), 400, "{path}: {answer}");
    }
    assert_eq!(backend.shared.requests.load(Ordering::SeqCst), 0);
    let absolute = exchange(gateway.address, &get("http://elsewhere/api/erp/config", "")).await;
    assert_eq!(status_of(&absolute), 200, "by its path, whatever host it names: {absolute}");
    gateway.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_head_that_is_too_large_or_crooked_is_refused() {
    let backend = Backend::start();
    let gateway = Gateway::before(&backend);
    let large = [
        format!("X-A: {}\r\n", "a".repeat(17 << 10)),
        (0..90).map(|n| format!("X-{n}: {}\r\n", "a".repeat(200))).collect(),
    ];
    for more in large {
        let answer = exchange(gateway.address, &get("/api/erp/config", &more)).await;
        assert_eq!(status_of(&answer), 431, "{answer}");
    }
    let query = format!("/api/erp/config?{}", "a".repeat(17 << 10));
    assert_eq!(status_of(&exchange(gateway.address, &get(&query, "")).await), 431);
    // What the server itself refuses, by an answer or by closing.
    for more in [
        format!("X-A: {}\r\n", "a".repeat(1 << 20)),
        (0..1000).map(|n| format!("X-{n}: a\r\n")).collect(),
        "Content-Length: 1\r\nContent-Length: 2\r\n".to_owned(),
        "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n".to_owned(),
        "Transfer-Encoding: chunked, identity\r\n".to_owned(),
        "X A: b\r\n".to_owned(),
    ] {
        let answer = exchange(gateway.address, &get("/api/erp/config", &more)).await;
        assert!(matches!(status_of(&answer), 0 | 400..=499), "{}: {answer}", &more[..more.len().min(60)]);
    }
    assert_eq!(backend.shared.requests.load(Ordering::SeqCst), 0);
    gateway.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn methods_that_are_not_taken_are_405_in_the_one_body() {
    let backend = Backend::start();
    let gateway = Gateway::before(&backend);
    let all = Some("GET, HEAD, POST, PUT, DELETE");
    for (method, path, allowed) in [
        ("TRACE", "/api/erp/config", all),
        ("CONNECT-X", "/api/erp/config", all),
        // Only the service behind could say, and it is not asked.
        ("OPTIONS", "/api/erp/config", None),
        ("PUT", "/api/auth/session", Some("GET, POST, DELETE")),
        ("POST", "/", Some("GET, HEAD")),
        ("POST", "/sign-in", Some("GET")),
    ] {
        let answer = send(gateway.admin(method, path)).await;
        assert_eq!(answer.status(), 405, "{method} {path}");
        let told = answer.headers().get("allow").map(|value| value.to_str().expect("text"));
        assert_eq!(told, allowed, "{method} {path}");
        assert_eq!(answer.json::<Value>().await.expect("JSON")["code"], json!("INVALID_REQUEST"));
    }
    assert_eq!(backend.shared.requests.load(Ordering::SeqCst), 0);
    gateway.stop().await;
}

fn cors(headers: &HeaderMap) -> Vec<&str> {
    headers.keys().map(|name| name.as_str()).filter(|name| name.starts_with("access-control-")).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_named_origins_no_other_page_may_call() {
    let backend = Backend::start();
    let gateway = Gateway::before(&backend);
    let page = "https://app.example.com";
    let preflight = gateway.request("OPTIONS", "/api/erp/config").header("Access-Control-Request-Method", "GET");
    let preflight = send(preflight.header("Origin", page)).await;
    assert_eq!((preflight.status().as_u16(), cors(preflight.headers())), (405, vec![]));
    let call = send(gateway.admin("GET", "/api/erp/answer/200").header("Origin", page)).await;
    assert_eq!(cors(call.headers()), Vec::<&str>::new());
    gateway.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_named_origins_page_may_call_with_a_token_and_never_with_the_cookie() {
    let backend = Backend::start();
    let named = "https://app.example.com";
    let gateway =
        Gateway::with(&backend, &[("GATEWAY_CORS_ORIGINS", "https://app.example.com, http://localhost:5173")]);
    for (page, may) in
        [(named, true), ("http://localhost:5173", true), ("https://app.example.com.evil.net", false), ("null", false)]
    {
        let preflight = gateway.request("OPTIONS", "/api/erp/config").header("Access-Control-Request-Method", "PUT");
        let preflight = send(preflight.header("Origin", page)).await;
        assert_eq!(preflight.status().as_u16(), if may { 204 } else { 405 }, "{page}");
        for answer in [preflight, send(gateway.admin("GET", "/api/erp/config").header("Origin", page)).await] {
            let allowed =
                answer.headers().get("access-control-allow-origin").map(|value| value.to_str().expect("text"));
            assert_eq!(allowed, may.then_some(page));
            assert_eq!(answer.headers().get("access-control-allow-credentials"), None);
            assert!(answer.headers().get_all("vary").iter().any(|value| value == "Origin"));
        }
    }
    let refused = send(gateway.request("GET", "/api/erp/config").header("Origin", named)).await;
    assert_eq!(
        (refused.status().as_u16(), &refused.headers()["access-control-allow-origin"]),
        (401, &named.parse().expect("a value"))
    );
    let cookie = format!("erp_session={}", tokens::admin());
    assert_eq!(
        status(gateway.request("PUT", "/api/erp/config").header("Cookie", cookie).header("Origin", named)).await,
        403
    );
    gateway.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_answer_has_the_security_headers() {
    let backend = Backend::start();
    let everywhere = [
        ("x-content-type-options", "nosniff"),
        ("referrer-policy", "no-referrer"),
        ("x-frame-options", "DENY"),
        ("cross-origin-opener-policy", "same-origin"),
        ("cross-origin-resource-policy", "same-origin"),
        ("permissions-policy", "camera=(), geolocation=(), microphone=(), payment=(), usb=()"),
    ];
    for public in ["", "https://erp.example.com"] {
        let gateway = Gateway::with(&backend, &[("GATEWAY_PUBLIC_URL", public)]);
        for path in [
            "/",
            "/sign-in",
            "/sign-in.js",
            "/nowhere.js",
            "/api/erp/config",
            "/api/erp/answer/500",
            "/api/nowhere",
            "//",
            "/api/auth/session",
        ] {
            for request in [gateway.request("GET", path), gateway.admin("GET", path)] {
                let answer = send(request).await;
                let said = |name: &str| answer.headers().get(name).map(|value| value.to_str().expect("text"));
                for (name, value) in everywhere {
                    assert_eq!(said(name), Some(value), "{path}: {name}");
                }
                let policy = said("content-security-policy").expect("a policy");
                assert!(policy.contains("default-src 'none'") && policy.contains("frame-ancestors 'none'"), "{policy}");
                let scripts = policy.split(';').find(|part| part.trim().starts_with("script-src")).unwrap_or_default();
                assert!(!scripts.contains("unsafe"), "{path}: {policy}");
                assert_eq!(said("strict-transport-security").is_some(), !public.is_empty());
                assert_eq!(answer.headers().get("server"), None);
            }
        }
        gateway.stop().await;
    }
}
