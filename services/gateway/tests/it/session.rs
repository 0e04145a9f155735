//! A session lets its own page do what its token may, and no other page anything.

use reqwest::Response;
use serde_json::{Value, json};
use testkit::described::{admin_api, strays};
use testkit::tokens::{self, SECRET, Token};

use crate::backend::Backend;
use crate::kit::{Gateway, echoed, send, status};

const SESSION: &str = "/api/auth/session";

fn set_cookie(answer: &Response) -> String {
    answer.headers()["set-cookie"].to_str().expect("text").to_owned()
}

/// The cookie as a browser sends it back, and what the header has to say.
async fn begin(gateway: &Gateway, token: &str) -> (String, String) {
    let answer = send(gateway.request("POST", SESSION).bearer_auth(token)).await;
    assert_eq!(answer.status(), 200);
    let cookie = set_cookie(&answer).split(';').next().expect("a pair").to_owned();
    let body: Value = answer.json().await.expect("JSON");
    (cookie, body["csrfToken"].as_str().expect("text").to_owned())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_token_becomes_a_cookie_that_no_script_reads_and_no_other_site_sends() {
    let backend = Backend::start();
    let gateway = Gateway::before(&backend);
    let token = Token::of("admin").claim("exp", tokens::in_seconds(600)).hs256(SECRET);
    let answer = send(gateway.request("POST", SESSION).bearer_auth(&token)).await;
    let cookie = set_cookie(&answer);
    let mut parts = cookie.split("; ");
    assert_eq!(parts.next(), Some(&*format!("erp_session={token}")));
    let attributes: Vec<&str> = parts.collect();
    assert_eq!((attributes[0], &attributes[2..]), ("Path=/", &["HttpOnly", "SameSite=Strict"][..]));
    let age: i64 = attributes[1].strip_prefix("Max-Age=").expect("an age").parse().expect("seconds");
    assert!((570..=600).contains(&age), "{age}");
    assert_eq!(answer.headers()["cache-control"], "no-store");
    let body: Value = answer.json().await.expect("JSON");
    assert_eq!((&body["subject"], &body["role"]), (&json!("admin@test"), &json!("admin")));
    assert!(!body.to_string().contains(&token), "scripts can read the body");
    gateway.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn behind_tls_the_cookie_is_for_tls_alone() {
    let backend = Backend::start();
    let gateway = Gateway::with(&backend, &[("GATEWAY_PUBLIC_URL", "https://erp.example.com")]);
    let cookie = set_cookie(&send(gateway.request("POST", SESSION).bearer_auth(tokens::admin())).await);
    assert!(cookie.starts_with("__Host-erp_session=") && cookie.ends_with("; Secure"), "{cookie}");
    let plain = format!("erp_session={}", tokens::admin());
    assert_eq!(status(gateway.request("GET", SESSION).header("Cookie", plain)).await, 401);
    let secure = cookie.split(';').next().expect("a pair");
    assert_eq!(status(gateway.request("GET", SESSION).header("Cookie", secure)).await, 200);
    gateway.stop().await;

    let gateway = Gateway::before(&backend);
    let request = gateway.request("POST", SESSION).header("Host", "erp.internal").bearer_auth(tokens::admin());
    assert!(set_cookie(&send(request).await).ends_with("; Secure"));
    gateway.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_cookie_becomes_a_bearer_token_towards_the_backends() {
    let backend = Backend::start();
    let gateway = Gateway::before(&backend);
    let token = tokens::admin();
    let (cookie, csrf) = begin(&gateway, &token).await;
    let heard =
        echoed(gateway.request("GET", "/api/erp/config").header("Cookie", format!("theme=dark; {cookie}"))).await;
    assert_eq!(heard["headers"]["authorization"], json!([format!("Bearer {token}")]));
    assert_eq!(heard["headers"].get("cookie"), None);
    let shown = send(gateway.request("GET", SESSION).header("Cookie", &cookie)).await;
    assert_eq!(shown.json::<Value>().await.expect("JSON")["csrfToken"], json!(csrf));
    gateway.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn with_a_cookie_only_a_page_of_ours_that_means_it_changes_anything() {
    let backend = Backend::start();
    let gateway = Gateway::before(&backend);
    let (cookie, csrf) = begin(&gateway, &tokens::admin()).await;
    let own = format!("http://{}", gateway.address);
    let (_, of_another) = begin(&gateway, &Token::of("admin").claim("sub", "b").hs256(SECRET)).await;
    let cases: [(&[(&str, &str)], u16); 9] = [
        (&[], 403),
        (&[("X-CSRF-Token", "")], 403),
        (&[("X-CSRF-Token", &of_another)], 403),
        (&[("Origin", &own)], 403),
        (&[("X-CSRF-Token", &csrf), ("Origin", "https://evil.example")], 403),
        (&[("X-CSRF-Token", &csrf), ("Origin", "null")], 403),
        (&[("X-CSRF-Token", &csrf), ("Sec-Fetch-Site", "same-site")], 403),
        (&[("X-CSRF-Token", &csrf), ("Origin", &own)], 200),
        (&[("X-CSRF-Token", &csrf), ("Origin", &own), ("Sec-Fetch-Site", "same-origin")], 200),
    ];
    for (headers, expected) in cases {
        for (method, path) in
            [("POST", "/api/erp/sync/full"), ("PUT", "/api/erp/config"), ("DELETE", "/api/erp/config")]
        {
            let request = headers
                .iter()
                .fold(gateway.request(method, path), |request, (name, value)| request.header(*name, *value));
            let status = status(request.header("Cookie", &cookie)).await;
            assert_eq!(status, expected, "{method} {path} with {headers:?}");
        }
    }
    let reads =
        gateway.request("GET", "/api/erp/config").header("Cookie", &cookie).header("Origin", "https://evil.example");
    let answer = send(reads).await;
    assert_eq!(answer.headers().get("access-control-allow-origin"), None, "its answer is for nobody else's script");
    gateway.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_viewers_session_reads_and_nothing_else() {
    let backend = Backend::start();
    let gateway = Gateway::before(&backend);
    let (cookie, csrf) = begin(&gateway, &tokens::viewer()).await;
    let ask = |method: &str, path: &str| {
        gateway.request(method, path).header("Cookie", &cookie).header("X-CSRF-Token", &csrf)
    };
    assert_eq!(status(ask("GET", "/api/erp/config")).await, 200);
    assert_eq!(status(ask("PUT", "/api/erp/config")).await, 403);
    assert_eq!(status(ask("GET", "/api/sandbox/records/customers")).await, 403);
    gateway.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn only_a_token_that_holds_begins_a_session_and_only_from_our_own_page() {
    let backend = Backend::start();
    let gateway = Gateway::before(&backend);
    let (cookie, _) = begin(&gateway, &tokens::admin()).await;
    let refused = [
        (gateway.request("POST", SESSION), 401),
        (gateway.request("POST", SESSION).bearer_auth("x"), 401),
        (gateway.request("POST", SESSION).bearer_auth(Token::of("admin").claim("exp", 1).hs256(SECRET)), 401),
        (gateway.request("POST", SESSION).bearer_auth(Token::of("nobody").hs256(SECRET)), 403),
        (gateway.request("POST", SESSION).header("Cookie", &cookie), 401),
        (gateway.admin("POST", SESSION).header("Origin", "https://evil.example"), 403),
        (gateway.request("DELETE", SESSION).header("Origin", "https://evil.example"), 403),
        (
            gateway.request("POST", SESSION).bearer_auth(Token::of("admin").claim("x", "y".repeat(4000)).hs256(SECRET)),
            400,
        ),
    ];
    for (request, expected) in refused {
        let what = format!("{request:?}");
        let answer = send(request).await;
        assert_eq!((answer.status().as_u16(), answer.headers().get("set-cookie")), (expected, None), "{what}");
    }
    gateway.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn signing_out_takes_the_cookie_away() {
    let backend = Backend::start();
    let gateway = Gateway::before(&backend);
    let (cookie, _) = begin(&gateway, &tokens::admin()).await;
    for cookie in [cookie.as_str(), "erp_session=expired", ""] {
        let answer = send(gateway.request("DELETE", SESSION).header("Cookie", cookie)).await;
        assert_eq!(answer.status(), 204);
        assert_eq!(set_cookie(&answer), "erp_session=; Path=/; Max-Age=0; HttpOnly; SameSite=Strict");
    }
    gateway.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sessions_are_what_the_description_says_of_them() {
    let backend = Backend::start();
    let gateway = Gateway::with(&backend, &[("GATEWAY_RATE_LIMIT", "5")]);
    let document = admin_api();
    let other = [("Origin", "https://elsewhere.example")];
    let tokens = [tokens::admin(), tokens::viewer(), Token::of("auditor").hs256(SECRET)];
    let mut seen = Vec::new();
    for method in ["GET", "POST", "DELETE"] {
        let mut requests = vec![gateway.request(method, SESSION)];
        for token in &tokens {
            let request = || gateway.request(method, SESSION).bearer_auth(token);
            requests.extend([
                request(),
                other.iter().fold(request(), |request, (name, value)| request.header(*name, *value)),
            ]);
        }
        requests.extend((0..6).map(|_| gateway.viewer(method, SESSION)));
        for request in requests {
            let answer = send(request).await;
            let status = answer.status().as_u16();
            let described = &document["paths"][SESSION][method.to_lowercase()]["responses"][status.to_string()];
            assert!(described.is_object(), "{method} answers {status}, which is not described");
            if status == 429 {
                assert!(
                    answer.headers().contains_key("retry-after") && described["headers"]["Retry-After"].is_object()
                );
            }
            if status == 200 {
                let body: Value = answer.json().await.expect("JSON");
                assert_eq!(strays(&document, "Session", &body), Vec::<String>::new(), "{body}");
            }
            seen.push((method, status));
        }
    }
    for expected in [
        ("GET", 200),
        ("GET", 401),
        ("GET", 403),
        ("GET", 429),
        ("POST", 401),
        ("POST", 403),
        ("DELETE", 204),
        ("DELETE", 403),
    ] {
        assert!(seen.contains(&expected), "{expected:?} was not seen: {seen:?}");
    }
    let patched = send(gateway.admin("PATCH", SESSION)).await;
    assert_eq!(
        (patched.status().as_u16(), &patched.headers()["allow"]),
        (405, &"GET, POST, DELETE".parse().expect("a value"))
    );
    gateway.stop().await;
}
