//! Trying a connection, against the sandbox and against servers that are none.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::{Value, json};
use testkit::sandbox::{Fault, FaultAction};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

use crate::api::{Answer, Api};
use crate::kit::{SandboxProcess, count};

const TEST: &str = "/api/erp/config/test";

fn steps(answer: &Answer) -> Vec<(String, String)> {
    let text = |step: &Value, name: &str| step[name].as_str().expect("text").to_owned();
    let steps = answer.json()["steps"].as_array().expect("steps").clone();
    steps.iter().map(|step| (text(step, "name"), text(step, "status"))).collect()
}

fn failed_at(answer: &Answer) -> String {
    let failed: Vec<_> = steps(answer).into_iter().filter(|(_, status)| status == "failed").collect();
    assert_eq!(failed.len(), 1, "{answer:?}");
    failed[0].0.clone()
}

/// Answers every connection with these bytes, and counts them.
async fn server(bytes: String) -> (SocketAddr, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let (address, seen) = (listener.local_addr().expect("an address"), Arc::new(AtomicUsize::new(0)));
    let counted = Arc::clone(&seen);
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            counted.fetch_add(1, Ordering::Relaxed);
            let mut head = [0; 4096];
            let _read = stream.read(&mut head).await;
            let _written = stream.write_all(bytes.as_bytes()).await;
        }
    });
    (address, seen)
}

fn candidate(base_url: &str, key: &str, secret: &str) -> Value {
    json!({"baseURL": base_url, "apiKey": key, "apiSecret": secret})
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_good_connection_passes_every_step_before_and_after_it_is_saved() {
    let (api, sandbox) = (Api::start().await, SandboxProcess::start().await);
    let good = sandbox.candidate();
    let answer = api.post(TEST, &good).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    let body = answer.json();
    assert_eq!((&body["success"], &body["healthy"], &body["status"]), (&json!(true), &json!(true), &json!("healthy")));
    assert!(body["latency"].is_u64() && body["timestamp"].is_string() && body.get("errorCode").is_none(), "{body}");
    let names: Vec<_> = steps(&answer).into_iter().map(|(name, _)| name).collect();
    assert_eq!(names, ["address", "tls", "answer", "credentials", "capabilities", "latency"]);
    assert_eq!(api.get("/api/erp/config").await.status, 404, "nothing is saved by trying");

    assert_eq!(api.put("/api/erp/config", &good).await.status, 200);
    assert_eq!(api.post(TEST, &json!({})).await.json()["success"], true);
    // Without a body, too; and with a part of the values.
    let bare = Answer::of(api.request(reqwest::Method::POST, TEST)).await;
    assert_eq!(bare.json()["success"], true);
    let wrong = api.post(TEST, &json!({"apiSecret": "wrong_secret_canary"})).await;
    assert_eq!((&wrong.json()["success"], failed_at(&wrong).as_str()), (&json!(false), "credentials"));
    assert!(["AUTH_FAILED", "INVALID_API_SECRET"].contains(&wrong.json()["errorCode"].as_str().expect("a code")));

    sandbox.sandbox.set_capabilities(&[]).await;
    let without = api.post(TEST, &json!({})).await;
    assert!(steps(&without).contains(&("capabilities".to_owned(), "warning".to_owned())), "{without:?}");

    let pool = api.pool().await;
    let tests =
        "SELECT status::text FROM audit.erp_audit_logs WHERE metadata ->> 'operation' = 'config.tested' ORDER BY id";
    let tests: Vec<String> = sqlx::query_scalar(tests).fetch_all(&pool).await.expect("rows");
    assert_eq!(tests, ["success", "success", "success", "failed", "success"]);
    let kept = "SELECT count(*) FROM audit.erp_audit_logs l WHERE to_jsonb(l)::text LIKE '%canary%'";
    assert_eq!(sqlx::query_scalar::<_, i64>(kept).fetch_one(&pool).await.expect("a count"), 0);
    api.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_failure_is_told_at_its_step() {
    let (api, sandbox) = (Api::start().await, SandboxProcess::start().await);
    let nothing_listens = {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        listener.local_addr().expect("an address")
    };
    let (plain, _) = server("HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n".to_owned()).await;
    let (page, _) =
        server("HTTP/1.1 200 OK\r\ncontent-type: text/html\r\ncontent-length: 5\r\n\r\n<p>hi".to_owned()).await;
    for (url, step, code) in [
        (format!("http://{nothing_listens}/v1"), "address", "CONNECTION_FAILED"),
        ("http://no-such-host.invalid/v1".to_owned(), "address", "CONFIG_INVALID"),
        (format!("https://{plain}/v1"), "tls", "CONNECTION_FAILED"),
        (format!("http://{page}/v1"), "answer", "UNKNOWN_ERROR"),
    ] {
        let answer = api.post(TEST, &candidate(&url, "k", "s")).await;
        assert_eq!((answer.status, failed_at(&answer).as_str()), (200, step), "{url}: {answer:?}");
        let body = answer.json();
        assert_eq!((body["errorCode"].as_str(), &body["status"]), (Some(code), &json!("down")), "{url}");
    }
    sandbox.sandbox.add_fault(&Fault::status(500).on("GET", "/health")).await;
    let down = api.post(TEST, &sandbox.candidate()).await;
    assert_eq!((failed_at(&down).as_str(), down.json()["errorCode"].as_str()), ("answer", Some("SERVER_ERROR")));
    sandbox.sandbox.clear_faults().await;
    sandbox.sandbox.add_fault(&Fault::new(FaultAction::GarbageBody).on("GET", "/health")).await;
    assert_eq!(failed_at(&api.post(TEST, &sandbox.candidate()).await), "answer");

    let unknown = api.post(TEST, &json!({"url": "x", "apiKey": ""})).await;
    assert_eq!((unknown.status, unknown.wrong_fields()), (400, vec!["apiKey".to_owned(), "url".to_owned()]));
    let nothing = api.post(TEST, &json!({})).await;
    assert_eq!((nothing.status, nothing.json()["errorCode"].as_str()), (200, Some("CONFIG_NOT_FOUND")));
    api.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_redirect_is_not_followed() {
    let api = Api::start().await;
    let (inside, seen) = server("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n".to_owned()).await;
    let redirect =
        format!("HTTP/1.1 307 Temporary Redirect\r\nlocation: http://{inside}/latest\r\ncontent-length: 0\r\n\r\n");
    let (outside, _) = server(redirect).await;
    let answer = api.post(TEST, &candidate(&format!("http://{outside}/v1"), "k", "s")).await;
    assert_eq!(failed_at(&answer), "answer");
    assert!(answer.json()["message"].as_str().expect("a message").contains("redirects"), "{answer:?}");
    assert_eq!(seen.load(Ordering::Relaxed), 0);
    api.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_address_of_our_own_network_is_not_called_whether_saved_earlier_or_tried_now() {
    let (inside, seen) = server("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n".to_owned()).await;
    let port = inside.port();
    let api = Api::start().await;
    let by_name = format!("https://localhost:{port}/v1");
    assert_eq!(api.put("/api/erp/config", &candidate(&by_name, "k", "s")).await.status, 200);
    let (database, broker) = api.stop().await;

    let guarded = Api::start_on(database, broker, |options| options.env("ERP_ALLOW_PRIVATE_BASE_URL", "false")).await;
    for body in [
        json!({}),
        candidate(&format!("http://127.0.0.1:{port}/v1"), "k", "s"),
        candidate(&format!("https://127.0.0.1:{port}/v1"), "k", "s"),
        candidate(&format!("https://[::ffff:127.0.0.1]:{port}/v1"), "k", "s"),
        candidate(&by_name, "k", "s"),
    ] {
        let answer = guarded.post(TEST, &body).await;
        assert_eq!((answer.status, failed_at(&answer).as_str()), (200, "address"), "{body}");
        assert_eq!(answer.json()["errorCode"], "CONFIG_INVALID");
    }
    assert_eq!(seen.load(Ordering::Relaxed), 0, "nothing was sent");
    let pool = guarded.pool().await;
    assert_eq!(count(&pool, "audit.erp_audit_logs").await, 6);
    guarded.stop().await;
}
