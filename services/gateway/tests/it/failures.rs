//! Backends that are away, clients that dawdle, bodies that are too large.

use std::sync::atomic::Ordering;

use serde_json::{Value, json};
use testkit::{eventually, tokens};
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;

use crate::backend::Backend;
use crate::kit::{DEADLINE, Gateway, echoed, send, status};
use crate::raw::{read_to_end, status_of};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_backend_that_is_killed_is_a_503_until_it_is_back() {
    let backend = Backend::start();
    let gateway = Gateway::before(&backend);
    assert_eq!(status(gateway.admin("GET", "/api/erp/config")).await, 200);
    let address = backend.kill().await;
    for (method, path) in [("GET", "/api/erp/config"), ("POST", "/api/erp/import"), ("POST", "/api/webhooks/stripe")] {
        let answer = send(gateway.admin(method, path).body("{}")).await;
        assert_eq!((answer.status().as_u16(), &answer.headers()["retry-after"]), (503, &"2".parse().expect("a value")));
        let body: Value = answer.json().await.expect("JSON");
        assert_eq!((&body["error"], &body["code"]), (&json!("Service Unavailable"), &json!("SERVICE_UNAVAILABLE")));
        assert!(!body.to_string().contains("127.0.0.1"), "where the backends are is nobody's business: {body}");
    }
    let readiness = gateway.context.health.readiness().await;
    assert!(readiness.checks.iter().all(|check| !check.ok), "{readiness:?}");
    gateway.context.started();
    assert!(gateway.context.health.readiness().await.is_ready(), "it can say 503 as well as any other replica");
    let _back = Backend::at(address);
    let is_back = || async { status(gateway.admin("GET", "/api/erp/config")).await == 200 };
    eventually(DEADLINE, "the backend to be called again", is_back).await;
    gateway.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_backend_that_dies_before_it_answers_is_a_503() {
    let backend = Backend::start();
    let gateway = Gateway::before(&backend);
    let asking = tokio::spawn(send(gateway.admin("POST", "/api/erp/hangs").body("{}")));
    // A second call goes through the same way, so the first is under way when it has been answered.
    assert_eq!(status(gateway.admin("GET", "/api/erp/config")).await, 200);
    backend.kill().await;
    assert_eq!(asking.await.expect("no panic").status(), 503);
    gateway.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_backends_own_answer_comes_back_as_it_is() {
    let backend = Backend::start();
    let gateway = Gateway::before(&backend);
    for expected in [200, 201, 202, 302, 400, 404, 409, 412, 422, 429, 500, 502, 503] {
        let answer = send(gateway.admin("GET", &format!("/api/erp/answer/{expected}"))).await;
        assert_eq!(answer.status(), expected, "no redirect is followed");
        let headers = answer.headers();
        assert_eq!(
            (&headers["etag"], &headers["location"]),
            (&"\"7\"".parse().expect("a value"), &"http://127.0.0.1:1/elsewhere".parse().expect("a value"))
        );
        for name in ["access-control-allow-origin", "set-cookie"] {
            assert_eq!(headers.get(name), None);
        }
        assert_eq!(answer.json::<Value>().await.expect("JSON"), json!({"status": expected}));
    }
    let head = send(gateway.admin("HEAD", "/api/erp/answer/200")).await;
    assert_eq!(head.headers()["content-length"], r#"{"status":200}"#.len().to_string());
    for bodyless in [204, 304] {
        assert_eq!(send(gateway.admin("GET", &format!("/api/erp/answer/{bodyless}"))).await.status(), bodyless);
    }
    gateway.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_body_over_a_mebibyte_is_refused_before_a_backend_hears_of_it() {
    let backend = Backend::start();
    let gateway = Gateway::before(&backend);
    let at_most = "x".repeat(1 << 20);
    let heard = echoed(gateway.admin("PUT", "/api/erp/config").body(at_most.clone())).await;
    assert_eq!(heard["body"].as_str().map(str::len), Some(1 << 20));
    let before = backend.shared.requests.load(Ordering::SeqCst);
    for path in ["/api/erp/config", "/api/webhooks/stripe"] {
        let declared = gateway.admin("POST", path).body(format!("{at_most}x"));
        let pieces = futures::stream::iter([at_most.clone(), "x".to_owned()].map(Ok::<_, std::io::Error>));
        let in_pieces = gateway.admin("POST", path).body(reqwest::Body::wrap_stream(pieces));
        for request in [declared, in_pieces] {
            let answer = send(request).await;
            assert_eq!(answer.status(), 413);
            assert_eq!(answer.json::<Value>().await.expect("JSON")["code"], json!("INVALID_REQUEST"));
        }
    }
    assert_eq!(backend.shared.requests.load(Ordering::SeqCst), before);
    gateway.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_body_that_does_not_come_is_a_408_and_holds_up_no_backend() {
    let backend = Backend::start();
    let gateway = Gateway::before(&backend);
    let mut client = TcpStream::connect(gateway.address).await.expect("connects");
    let head = format!(
        "POST /api/erp/sync/full HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {}\r\nContent-Length: 10\r\nConnection: close\r\n\r\n{{",
        tokens::admin()
    );
    client.write_all(head.as_bytes()).await.expect("sent");
    let answer = read_to_end(client).await;
    assert_eq!(status_of(&answer), 408, "{answer}");
    assert!(answer.contains("\"TIMEOUT\""), "{answer}");
    assert_eq!(backend.shared.requests.load(Ordering::SeqCst), 0);
    gateway.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_import_whose_client_goes_away_breaks_off_for_the_backend_too() {
    let backend = Backend::start();
    let gateway = Gateway::before(&backend);
    let mut client = TcpStream::connect(gateway.address).await.expect("connects");
    let head = format!(
        "POST /api/erp/import HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {}\r\nContent-Length: 1000\r\n\r\nfirst line",
        tokens::admin()
    );
    client.write_all(head.as_bytes()).await.expect("sent");
    let imported = || backend.shared.imported.load(Ordering::SeqCst);
    eventually(DEADLINE, "the first line", || std::future::ready(imported() == 10)).await;
    drop(client);
    backend.shared.read_on.notify_one();
    // The same backend goes on to answer: it has not taken the part for the whole.
    assert_eq!(status(gateway.admin("GET", "/api/erp/config")).await, 200);
    assert_eq!(imported(), 10);
    gateway.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_backend_that_never_answers_is_a_504_that_sends_nobody_to_try_again_blindly() {
    let backend = Backend::start();
    let gateway = Gateway::impatient(&backend);
    // The import stands still at the backend, which has read its first piece and waits to be told.
    for (method, path) in [("GET", "/api/erp/hangs"), ("POST", "/api/erp/hangs"), ("POST", "/api/erp/import")] {
        let late = send(gateway.admin(method, path).body("{}")).await;
        assert_eq!((late.status().as_u16(), late.headers().get("retry-after")), (504, None), "{method} {path}");
        let body: Value = late.json().await.expect("JSON");
        assert_eq!((&body["error"], &body["code"]), (&json!("Gateway Timeout"), &json!("TIMEOUT")), "{method} {path}");
        let message = body["message"].as_str().expect("a message");
        assert!(message.contains("see what became of the request"), "{message}");
    }
    assert_eq!(status(gateway.admin("GET", "/api/erp/config")).await, 200, "the others are served");
    gateway.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_backend_that_falls_silent_within_its_answer_breaks_off_what_has_an_end_and_ends_what_has_none() {
    let backend = Backend::start();
    let gateway = Gateway::impatient(&backend);
    let say = backend.stream().await;
    let mut export = send(gateway.viewer("GET", "/api/erp/export")).await;
    say.send(Ok("a;b\n".into())).expect("listened to");
    assert_eq!(export.chunk().await.expect("unbroken").as_deref(), Some(&b"a;b\n"[..]));
    let broken = tokio::time::timeout(DEADLINE, export.chunk()).await.expect("an end");
    assert!(broken.is_err(), "a part was taken for the whole: {broken:?}");
    let say_nothing_more = backend.stream().await;
    let mut events = send(gateway.viewer("GET", "/api/erp/events")).await;
    say_nothing_more.send(Ok("data: 1\n\n".into())).expect("listened to");
    assert!(events.chunk().await.expect("unbroken").is_some());
    let ended = tokio::time::timeout(DEADLINE, events.chunk()).await.expect("an end");
    assert_eq!(ended.expect("ended, and not broken off"), None);
    gateway.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_head_that_does_not_come_is_given_up_and_no_backend_hears_of_it() {
    let backend = Backend::start();
    let gateway = Gateway::before(&backend);
    let mut client = TcpStream::connect(gateway.address).await.expect("connects");
    let head = format!("GET /api/erp/config HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {}\r\nX-", tokens::admin());
    client.write_all(head.as_bytes()).await.expect("sent");
    let answer = read_to_end(client).await;
    assert_eq!(status_of(&answer), 408, "{answer}");
    assert_eq!(backend.shared.requests.load(Ordering::SeqCst), 0);
    gateway.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_import_that_stands_still_is_a_408_and_breaks_off_for_the_backend_too() {
    let backend = Backend::start();
    let gateway = Gateway::impatient(&backend);
    let mut client = TcpStream::connect(gateway.address).await.expect("connects");
    let head = format!(
        "POST /api/erp/import HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {}\r\nContent-Length: 1000\r\nConnection: close\r\n\r\nfirst line",
        tokens::admin()
    );
    backend.shared.read_on.notify_one();
    client.write_all(head.as_bytes()).await.expect("sent");
    let answer = read_to_end(client).await;
    assert_eq!(status_of(&answer), 408, "{answer}");
    assert!(answer.contains("\"TIMEOUT\"") && answer.contains("send it again"), "{answer}");
    let broken_off = || std::future::ready(backend.shared.broken_off.load(Ordering::SeqCst) == 1);
    eventually(DEADLINE, "the backend to see that it is a part", broken_off).await;
    gateway.stop().await;
}
