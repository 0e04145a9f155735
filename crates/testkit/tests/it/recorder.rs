//! The recorder passes on what comes and writes down what was answered.

use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

use testkit::history::{History, What};
use testkit::recorder::{Recorder, Sender};
use testkit::{Scratch, eventually};

const BODY: &str = r#"{"id":"evt_1","type":"payment_intent.succeeded","created":1700000000,"data":{"object":{"id":"pi_1","amount":1099,"currency":"usd","customer":"cus_1"}}}"#;

/// Reads one request to its end and answers with these bytes, or hangs up.
async fn receiver(answers: Vec<&'static str>) -> (String, tokio::task::JoinHandle<Vec<String>>) {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("a port");
    let address = listener.local_addr().expect("its address");
    let requests = tokio::spawn(async move {
        let mut requests = Vec::new();
        for answer in answers {
            let (mut stream, _) = listener.accept().await.expect("a client");
            let mut request = Vec::new();
            while !request.ends_with(BODY.as_bytes()) {
                assert!(stream.read_buf(&mut request).await.expect("bytes") > 0, "the request broke off");
            }
            stream.write_all(answer.as_bytes()).await.expect("answered");
            requests.push(String::from_utf8(request).expect("text"));
        }
        requests
    });
    (format!("http://{address}/api/webhooks/stripe"), requests)
}

#[tokio::test]
async fn what_was_answered_is_written_down_and_passed_back() {
    let scratch = Scratch::new().expect("a folder");
    let history = Arc::new(History::create(&scratch.join("history.jsonl")));
    let (target, requests) = receiver(vec![
        "HTTP/1.1 503 Service Unavailable\r\ncontent-length: 0\r\nconnection: close\r\n\r\n",
        "",
        "HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\nok",
        "HTTP/1.1 200 OK\r\ncontent-length: 18\r\nconnection: close\r\n\r\n{\"duplicate\":true}",
    ])
    .await;
    let recorder = Recorder::start(Sender::Stripe, target, Arc::clone(&history));
    let client = reqwest::Client::builder().no_proxy().build().expect("a client");
    let mut statuses = Vec::new();
    for _ in 0..4 {
        let answer = client.post(recorder.url()).header("stripe-signature", "t=1,v1=2").body(BODY).send().await;
        statuses.push(answer.expect("answered").status().as_u16());
    }
    assert_eq!(statuses, [503, 502, 200, 200]);
    let requests = requests.await.expect("the receiver");
    assert!(requests.iter().all(|request| request.contains("stripe-signature: t=1,v1=2")), "{requests:?}");
    let entries: Vec<What> = history.entries().into_iter().map(|entry| entry.what).collect();
    let [first, answered, _, lost, _, garbled, second, repeated] = entries.as_slice() else { panic!("{entries:?}") };
    let What::Sent { attempt: 1, event } = first else { panic!("{first:?}") };
    assert_eq!((event.object.as_str(), event.value.as_str(), event.created), ("pi_1", "1099 usd cus_1", 1_700_000_000));
    assert_eq!((history.accepted(), history.refused()), (2, 2));
    assert_eq!(*answered, What::Answered { attempt: 1, status: 503, duplicate: None });
    assert!(matches!(lost, What::Unanswered { attempt: 2, .. }));
    assert_eq!(*garbled, What::Answered { attempt: 3, status: 200, duplicate: None });
    assert!(matches!(second, What::Sent { attempt: 4, .. }));
    assert_eq!(*repeated, What::Answered { attempt: 4, status: 200, duplicate: Some(true) });
}

#[tokio::test]
async fn a_sender_that_hangs_up_does_not_keep_the_answer_from_being_known() {
    let scratch = Scratch::new().expect("a folder");
    let history = Arc::new(History::create(&scratch.join("history.jsonl")));
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("a port");
    let address = listener.local_addr().expect("its address");
    let recorder = Recorder::start(Sender::Stripe, format!("http://{address}/"), Arc::clone(&history));
    let client = reqwest::Client::builder().no_proxy().build().expect("a client");
    let sending = tokio::spawn(client.post(recorder.url()).body(BODY).send());
    let (mut stream, _) = listener.accept().await.expect("the recorder");
    let mut request = Vec::new();
    while !request.ends_with(BODY.as_bytes()) {
        assert!(stream.read_buf(&mut request).await.expect("bytes") > 0);
    }
    sending.abort();
    assert!(sending.await.expect_err("it was aborted").is_cancelled());
    stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").await.expect("answered");
    eventually(Duration::from_secs(30), "the answer is known", || async { history.accepted() == 1 }).await;
}

#[test]
fn of_a_customer_name_and_email_are_kept() {
    let body = br#"{"id":"evt_2","type":"customer.updated","created":7,"data":{"object":{"id":"cus_1","name":"Ada","email":"a@example.com"}}}"#;
    let event = testkit::recorder::stripe_event(body).expect("an event");
    assert_eq!((event.object.as_str(), event.value.as_str()), ("cus_1", "Ada <a@example.com>"));
}
