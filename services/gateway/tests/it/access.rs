//! Who may call what, and what the backends hear of whoever calls.

use std::sync::atomic::Ordering;

use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use testkit::Scratch;
use testkit::described::{Operation, admin_api, guarded_operations};
use testkit::tokens::{self, BadToken, SECRET, SigningKey, Token, bad_tokens};

use crate::backend::Backend;
use crate::kit::{Gateway, client, echoed, send, status};

/// Method, path, and the statuses for nobody, a viewer and an admin.
const CALLS: [(&str, &str, [u16; 3]); 18] = [
    ("GET", "/api/erp/config", [401, 200, 200]),
    ("HEAD", "/api/erp/config", [401, 200, 200]),
    ("PUT", "/api/erp/config", [401, 403, 200]),
    ("DELETE", "/api/erp/config", [401, 403, 200]),
    ("PATCH", "/api/erp/config", [401, 403, 200]),
    ("POST", "/api/erp/sync/full", [401, 403, 200]),
    ("POST", "/api/erp/sync/reconcile", [401, 403, 200]),
    ("GET", "/api/erp/reconciliations", [401, 200, 200]),
    ("POST", "/api/erp/reconciliations/1/heal", [401, 403, 200]),
    ("GET", "/api/erp/does-not-exist", [401, 200, 200]),
    ("POST", "/api/webhooks/stripe", [200, 200, 200]),
    ("GET", "/api/webhooks/stripe/health", [200, 200, 200]),
    ("GET", "/api/openapi.json", [200, 200, 200]),
    ("GET", "/api/docs/", [200, 200, 200]),
    ("GET", "/api/sandbox/records/customers", [401, 403, 200]),
    ("POST", "/api/sandbox/reset", [401, 403, 200]),
    ("GET", "/api/auth/session", [401, 200, 200]),
    ("GET", "/api/elsewhere", [404, 404, 404]),
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_role_may_do_what_is_its_own() {
    let backend = Backend::start();
    let gateway = Gateway::before(&backend);
    for (method, path, expected) in CALLS {
        let asked = [gateway.request(method, path), gateway.viewer(method, path), gateway.admin(method, path)];
        for (request, expected) in asked.into_iter().zip(expected) {
            let before = backend.shared.requests.load(Ordering::SeqCst);
            let answer = send(request).await;
            assert_eq!(answer.status(), expected, "{method} {path}");
            assert!(answer.headers().contains_key("x-request-id"), "{method} {path}");
            if expected > 400 {
                assert_eq!(backend.shared.requests.load(Ordering::SeqCst), before, "{method} {path} went on");
            }
        }
    }
    gateway.stop().await;
}

/// Every operation of the admin API that is not open to all, and the gateway's own.
fn operations() -> Vec<Operation> {
    let operations = guarded_operations(&admin_api());
    assert!(operations.len() >= 40, "{operations:?}");
    // Whoever may call at all may have a session.
    let operations = operations.into_iter().filter(|operation| operation.path != "/api/auth/session");
    let own = [("GET", "/api/auth/session"), ("POST", "/api/sandbox/reset"), ("GET", "/api/erp/does-not-exist")];
    let own = own.map(|(method, path)| Operation { method: method.to_owned(), path: path.to_owned() });
    operations.chain(own).collect()
}

/// Before this backend, believing a secret and a key set: what is forged with the set's public key would else be refused for want of a set.
fn with_keys(backend: &Backend, scratch: &Scratch) -> Gateway {
    let keys = tokens::key_set_file(scratch.path());
    Gateway::with(backend, &[("AUTH_JWKS_FILE", &keys), ("GATEWAY_RATE_LIMIT", "0")])
}

/// One client for the many requests of a table.
struct Table<'a> {
    gateway: &'a Gateway,
    client: reqwest::Client,
}

impl Table<'_> {
    fn request(&self, operation: &Operation) -> reqwest::RequestBuilder {
        let method = operation.method.parse().expect("a method");
        self.client.request(method, self.gateway.url(&operation.path))
    }

    /// As a page of this origin sends a session's cookie when it means what it asks for.
    fn by_cookie(&self, operation: &Operation, token: &str) -> reqwest::RequestBuilder {
        // What GET /api/auth/session tells whoever has the token: who has forged one can reckon it out.
        let csrf = hex::encode(Sha256::new().chain_update("erp gateway csrf 1\0").chain_update(token).finalize());
        self.request(operation).header("Cookie", format!("erp_session={token}")).header("X-CSRF-Token", csrf)
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_token_that_does_not_hold_opens_nothing_by_header_or_by_cookie() {
    let (backend, scratch) = (Backend::start(), Scratch::new().expect("a folder"));
    let gateway = with_keys(&backend, &scratch);
    let table = Table { gateway: &gateway, client: client() };
    let bad: Vec<BadToken> = ["admin", "viewer"].into_iter().flat_map(bad_tokens).collect();
    for operation in operations() {
        for BadToken { what, token } in &bad {
            let requests = match token {
                Some(token) => {
                    vec![table.request(&operation).bearer_auth(token), table.by_cookie(&operation, token)]
                }
                None => vec![table.request(&operation)],
            };
            for request in requests {
                let asked = format!("{request:?}, {what}");
                let refused = send(request).await;
                assert_eq!(refused.status(), 401, "{asked}");
                assert_eq!(refused.json::<Value>().await.expect("JSON")["code"], "AUTH_FAILED", "{asked}");
            }
        }
    }
    assert_eq!(backend.shared.requests.load(Ordering::SeqCst), 0, "none of it was handed on");
    gateway.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_operation_is_for_the_roles_that_may_and_for_no_other() {
    let (backend, scratch) = (Backend::start(), Scratch::new().expect("a folder"));
    let gateway = with_keys(&backend, &scratch);
    let table = Table { gateway: &gateway, client: client() };
    for operation in operations() {
        for role in ["admin", "viewer", "auditor"] {
            let may = match role {
                "admin" => true,
                "viewer" => operation.only_reads(),
                _ => false,
            };
            for token in [Token::of(role).hs256(SECRET), Token::of(role).signed_by(&SigningKey::rsa())] {
                let by_header = table.request(&operation).bearer_auth(&token);
                for request in [by_header, table.by_cookie(&operation, &token)] {
                    // A stream that has nothing to say and ends.
                    drop(backend.stream().await);
                    let asked = format!("{operation:?} by {role}: {request:?}");
                    assert_eq!(status(request).await, if may { 200 } else { 403 }, "{asked}");
                }
            }
        }
    }
    gateway.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_caller_makes_up_about_itself_reaches_no_backend() {
    let backend = Backend::start();
    let gateway = Gateway::before(&backend);
    let made_up = [
        "X-Forwarded-For",
        "X-Forwarded-User",
        "X-Forwarded-Host",
        "X-Real-Ip",
        "Forwarded",
        "X-User",
        "X-Role",
        "X-Auth-Subject",
        "Remote-User",
        "X-Original-Url",
        "X-Rewrite-Url",
        "X-Http-Method-Override",
        "Cookie",
        "Origin",
        "Referer",
        "Proxy-Authorization",
        "X-Csrf-Token",
        "Te",
        "Upgrade",
    ];
    let request = made_up
        .iter()
        .fold(gateway.viewer("GET", "/api/erp/config?a=b%20c"), |request, name| request.header(*name, "198.51.100.7"));
    let request = request.header("X-Request-Id", "mine-1").header("Accept", "text/csv").header("If-Match", "\"3\"");
    let heard = echoed(request).await;
    assert_eq!((&heard["path"], &heard["query"]), (&json!("/api/erp/config"), &json!("a=b%20c")));
    let headers = heard["headers"].as_object().expect("headers");
    for name in made_up.iter().map(|name| name.to_lowercase()).filter(|name| name != "x-forwarded-for") {
        assert!(!headers.contains_key(&name), "{name}: {heard}");
    }
    let expected = [
        ("x-forwarded-for", "127.0.0.1"),
        ("x-request-id", "mine-1"),
        ("accept", "text/csv"),
        ("if-match", "\"3\""),
        ("authorization", &*format!("Bearer {}", tokens::viewer())),
    ];
    for (name, value) in expected {
        assert!(headers[name] == json!([value]) || name == "authorization", "{name}: {}", headers[name]);
    }
    assert_eq!(headers["authorization"].as_array().map(Vec::len), Some(1));
    gateway.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_clients_address_is_what_trusted_proxies_say_and_no_further() {
    let backend = Backend::start();
    let forwarded = "198.51.100.7, 203.0.113.9, 10.0.0.2";
    for (trusted, expected) in [("", "127.0.0.1"), ("127.0.0.0/8,10.0.0.0/8", "203.0.113.9"), ("127.0.0.1", "10.0.0.2")]
    {
        let gateway = Gateway::with(&backend, &[("TRUSTED_PROXIES", trusted)]);
        let heard = echoed(gateway.viewer("GET", "/api/erp/config").header("X-Forwarded-For", forwarded)).await;
        assert_eq!(heard["headers"]["x-forwarded-for"], json!([expected]));
        gateway.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_webhook_reaches_ingress_byte_by_byte_and_without_a_token() {
    let backend = Backend::start();
    let gateway = Gateway::before(&backend);
    let body = "{\"a\": 1,\r\n \"b\":\t\"ä\"}";
    let request = gateway.request("POST", "/api/webhooks/stripe").header("Stripe-Signature", "t=1,v1=ab").body(body);
    let request = request.header("Content-Encoding", "gzip").header("Authorization", "Basic YTpi");
    let heard = echoed(request).await;
    assert_eq!(heard["body"], json!(body));
    assert_eq!(heard["headers"]["stripe-signature"], json!(["t=1,v1=ab"]));
    assert_eq!(heard["headers"]["content-encoding"], json!(["gzip"]));
    assert_eq!(heard["headers"]["content-length"], json!([body.len().to_string()]));
    assert_eq!(heard["headers"].get("authorization"), None);
    gateway.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_sandboxs_control_api_is_there_only_where_a_sandbox_is() {
    let backend = Backend::start();
    let gateway = Gateway::before(&backend);
    let heard = echoed(gateway.admin("POST", "/api/sandbox/stripe/send?x=1").body("{}")).await;
    assert_eq!((&heard["path"], &heard["query"]), (&json!("/control/stripe/send"), &json!("x=1")));
    assert_eq!(heard["headers"].get("authorization"), None, "who calls is none of its business");
    gateway.stop().await;
    let gateway = Gateway::with(&backend, &[("SANDBOX_CONTROL_TOKEN", "tok")]);
    let heard = echoed(gateway.admin("POST", "/api/sandbox/reset")).await;
    assert_eq!(heard["headers"]["authorization"], json!(["Bearer tok"]));
    gateway.stop().await;
    let gateway = Gateway::with(&backend, &[("SANDBOX_URL", "")]);
    assert_eq!(status(gateway.admin("POST", "/api/sandbox/stripe/send")).await, 404);
    gateway.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_principal_has_one_allowance_whatever_it_calls_from_and_webhooks_have_none() {
    let backend = Backend::start();
    let gateway = Gateway::with(&backend, &[("GATEWAY_RATE_LIMIT", "3")]);
    let by_cookie = gateway.request("GET", "/api/erp/a").header("Cookie", format!("erp_session={}", tokens::viewer()));
    assert_eq!(status(by_cookie).await, 200);
    for expected in [200, 200, 429, 429] {
        assert_eq!(status(gateway.viewer("GET", "/api/erp/b")).await, expected);
    }
    let refused = send(gateway.viewer("GET", "/api/erp/c")).await;
    let wait: u64 = refused.headers()["retry-after"].to_str().expect("text").parse().expect("seconds");
    assert!((1..=20).contains(&wait), "{wait}");
    let body: Value = refused.json().await.expect("JSON");
    assert_eq!((&body["error"], &body["code"]), (&json!("Too Many Requests"), &json!("RATE_LIMIT_EXCEEDED")));
    assert_eq!(status(gateway.admin("GET", "/api/erp/a")).await, 200, "another principal");
    for _ in 0..10 {
        assert_eq!(status(gateway.request("POST", "/api/webhooks/flasherp").body("{}")).await, 200);
        assert_eq!(status(gateway.request("GET", "/api/erp/a")).await, 401, "nobody is no principal");
    }
    gateway.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_request_id_is_taken_over_when_it_is_sane_and_told_to_both_sides() {
    let backend = Backend::start();
    let gateway = Gateway::before(&backend);
    for (given, is_taken) in [("mine-1", true), ("a b", false), ("<script>", false)] {
        let answer = send(gateway.admin("GET", "/api/erp/config").header("X-Request-Id", given)).await;
        let told: Vec<_> = answer.headers().get_all("x-request-id").iter().cloned().collect();
        assert_eq!(told.len(), 1);
        assert_eq!(told[0] == given, is_taken);
        let heard: Value = answer.json().await.expect("JSON");
        assert_eq!(heard["headers"]["x-request-id"], json!([told[0].to_str().expect("text")]));
    }
    let refused = send(client().get(gateway.url("/api/erp/config")).header("X-Request-Id", "mine-2")).await;
    assert_eq!(refused.headers()["x-request-id"], "mine-2");
    assert_eq!(refused.json::<Value>().await.expect("JSON")["requestId"], json!("mine-2"));
    gateway.stop().await;
}
