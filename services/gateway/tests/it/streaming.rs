//! What is streamed goes through as it comes, in both directions, and ends when it should.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use futures::StreamExt as _;
use reqwest::Response;
use serde_json::{Value, json};
use testkit::eventually;
use testkit::tokens::{SECRET, Token, in_seconds};

use crate::backend::Backend;
use crate::kit::{DEADLINE, Gateway, send};

async fn next(answer: &mut Response) -> Option<Bytes> {
    tokio::time::timeout(DEADLINE, answer.chunk()).await.expect("a piece or the end").expect("unbroken")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_event_is_there_before_the_next_one_is_sent() {
    let backend = Backend::start();
    let gateway = Gateway::before(&backend);
    let say = backend.stream().await;
    let mut answer = send(gateway.viewer("GET", "/api/erp/events")).await;
    assert_eq!(answer.headers()["content-type"], "text/event-stream");
    for n in 0..20 {
        let event = format!("event: sync\ndata: {n}\n\n");
        say.send(Ok(event.clone().into())).expect("listened to");
        assert_eq!(next(&mut answer).await.as_deref(), Some(event.as_bytes()));
    }
    drop(say);
    assert_eq!(next(&mut answer).await, None);
    gateway.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_that_goes_away_ends_the_backends_stream() {
    let backend = Backend::start();
    let gateway = Gateway::before(&backend);
    let say = backend.stream().await;
    let mut answer = send(gateway.viewer("GET", "/api/erp/events")).await;
    say.send(Ok("data: 1\n\n".into())).expect("listened to");
    assert!(next(&mut answer).await.is_some());
    drop(answer);
    let gone = || {
        let _heartbeat = say.send(Ok(": \n\n".into()));
        std::future::ready(say.is_closed())
    };
    eventually(DEADLINE, "the backend to see that nobody listens", gone).await;
    gateway.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stream_of_events_ends_with_its_callers_token() {
    let backend = Backend::start();
    let gateway = Gateway::with(&backend, &[("AUTH_CLOCK_LEEWAY_SECS", "0")]);
    let _say = backend.stream().await;
    let token = Token::of("viewer").claim("exp", in_seconds(3)).hs256(SECRET);
    let mut answer = send(gateway.request("GET", "/api/erp/events").bearer_auth(token)).await;
    assert_eq!(next(&mut answer).await, None, "ended, and not broken off");
    gateway.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stream_of_events_does_not_hold_up_the_end() {
    let backend = Backend::start();
    let gateway = Gateway::before(&backend);
    let say = backend.stream().await;
    let mut answer = send(gateway.viewer("GET", "/api/erp/events")).await;
    say.send(Ok("data: 1\n\n".into())).expect("listened to");
    assert!(next(&mut answer).await.is_some());
    gateway.context.shutdown.cancel();
    assert_eq!(next(&mut answer).await, None);
    gateway.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_export_that_breaks_off_is_never_taken_for_whole() {
    let backend = Backend::start();
    let gateway = Gateway::before(&backend);
    let say = backend.stream().await;
    let mut answer = send(gateway.viewer("GET", "/api/erp/export")).await;
    say.send(Ok("a;b\n".into())).expect("listened to");
    assert_eq!(next(&mut answer).await.as_deref(), Some(&b"a;b\n"[..]));
    say.send(Err(std::io::Error::other("gone"))).expect("listened to");
    let broken = tokio::time::timeout(DEADLINE, answer.chunk()).await.expect("an end");
    assert!(broken.is_err(), "{broken:?}");
    gateway.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_import_is_read_no_faster_than_the_backend_takes_it_and_arrives_whole() {
    const PIECE: usize = 64 << 10;
    const PIECES: u64 = 1024;
    let backend = Backend::start();
    let gateway = Gateway::before(&backend);
    let produced = Arc::new(AtomicU64::new(0));
    let counted = Arc::clone(&produced);
    let pieces = futures::stream::iter(0..PIECES).map(move |_| {
        counted.fetch_add(1, Ordering::SeqCst);
        Ok::<_, std::io::Error>(Bytes::from(vec![b'x'; PIECE]))
    });
    let request = gateway.admin("POST", "/api/erp/import").body(reqwest::Body::wrap_stream(pieces));
    let sending = tokio::spawn(send(request));
    let imported = || backend.shared.imported.load(Ordering::SeqCst);
    eventually(DEADLINE, "the backend to have the first piece", || std::future::ready(imported() > 0)).await;
    // What fits into sockets and the few pieces in between is taken from the client, and then no more.
    let mut last = 0;
    let stands_still = || {
        let now = produced.load(Ordering::SeqCst);
        std::future::ready(std::mem::replace(&mut last, now) == now)
    };
    eventually(DEADLINE, "the client to be held back", stands_still).await;
    assert!(produced.load(Ordering::SeqCst) < PIECES / 2, "{produced:?} pieces were taken in");
    backend.shared.read_on.notify_one();
    let answer = sending.await.expect("no panic");
    assert_eq!(answer.status(), 200);
    assert_eq!(answer.json::<Value>().await.expect("JSON"), json!({"bytes": PIECES * PIECE as u64}));
    gateway.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_answer_of_many_mebibytes_comes_whole() {
    let backend = Backend::start();
    let gateway = Gateway::before(&backend);
    let say = backend.stream().await;
    let piece = Bytes::from(vec![b'y'; 1 << 20]);
    for _ in 0..32 {
        say.send(Ok(piece.clone())).expect("listened to");
    }
    drop(say);
    let answer = send(gateway.viewer("GET", "/api/erp/export")).await;
    assert_eq!(answer.bytes().await.expect("whole").len(), 32 << 20);
    gateway.stop().await;
}
