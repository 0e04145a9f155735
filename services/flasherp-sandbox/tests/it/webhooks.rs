//! FlashERP's webhooks, to an endpoint that checks what it gets, over real HTTP.

use actix_web::http::header::HeaderMap;
use serde_json::{Value, json};
use testkit::sandbox::{ReleaseOrder, WebhookSend, WebhookSettings, WebhookTells};

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpListener,
};

use crate::{
    endpoint::{Endpoint, header, signature},
    support::{Erp, PATIENCE, SECRET, invoice, transaction},
};

/// What arrived, in its order; refused tries among them.
#[derive(Default)]
struct Seen {
    events: Vec<Value>,
    texts: Vec<String>,
    signatures: Vec<String>,
    timestamps: Vec<String>,
}

/// Answers what `decide` says of the n-th try of all.
fn answering(decide: impl Fn(usize) -> u16 + Send + Sync + 'static) -> Endpoint<Seen> {
    Endpoint::start(move |seen: &mut Seen, headers: &HeaderMap, body: &[u8]| {
        seen.signatures.push(header(headers, "x-flasherp-signature"));
        seen.timestamps.push(header(headers, "x-flasherp-timestamp"));
        seen.texts.push(String::from_utf8(body.to_vec()).unwrap());
        seen.events.push(serde_json::from_slice(body).unwrap());
        decide(seen.events.len())
    })
}

impl Endpoint<Seen> {
    fn settings(&self, tells: WebhookTells) -> WebhookSettings {
        WebhookSettings { tells, target: Some(self.url()), concurrency: Some(1), ..WebhookSettings::default() }
    }

    fn types(&self) -> Vec<String> {
        self.seen().events.iter().map(|event| event["type"].as_str().unwrap().to_owned()).collect()
    }

    fn ids(&self) -> Vec<String> {
        self.seen().events.iter().map(|event| event["id"].as_str().unwrap().to_owned()).collect()
    }
}

#[tokio::test]
async fn changes_are_told_as_the_contract_has_it() {
    let erp = Erp::start().await;
    let endpoint = answering(|_| 200);
    erp.control.set_webhooks(&endpoint.settings(WebhookTells::All)).await;
    let customer = erp.customer("u-1").await;
    let bill = erp.post("/invoices", &invoice(&customer, "i-1")).await;
    erp.put(&format!("/invoices/{}", bill.id()), &json!({ "status": "open" })).await;
    let paid = erp.put(&format!("/invoices/{}", bill.id()), &json!({ "status": "paid" })).await;
    erp.put(&format!("/customers/{customer}"), &json!({ "name": "Ada Lovelace" })).await;
    let payment = erp.post("/transactions", &transaction(&customer, "t-1")).await;
    erp.put(&format!("/transactions/{}", payment.id()), &json!({ "description": "x" })).await;
    erp.put(&format!("/transactions/{}", payment.id()), &json!({ "status": "failed" })).await;
    erp.control.wait_webhooks_idle(PATIENCE).await;
    assert_eq!(
        endpoint.types(),
        ["invoice.created", "invoice.updated", "invoice.updated", "invoice.paid", "customer.updated", "payment.failed"]
    );
    let seen = endpoint.seen();
    // Byte for byte what the API answers.
    assert!(seen.texts[0].ends_with(&format!(r#","data":{}}}"#, bill.text)), "{}", seen.texts[0]);
    assert!(seen.texts[3].contains(&paid.text));
    let failed = &seen.events[5]["data"];
    assert_eq!((&failed["transactionId"], &failed["upcoachReference"]), (&payment.id().into(), &"t-1".into()));
    for field in ["id", "failureReason", "failedAt"] {
        assert!(failed[field].is_string(), "{field}");
    }
    for (nth, text) in seen.texts.iter().enumerate() {
        assert_eq!(seen.signatures[nth], signature(SECRET, &seen.timestamps[nth], text.as_bytes()));
        let age = time::OffsetDateTime::now_utc().unix_timestamp() - seen.timestamps[nth].parse::<i64>().unwrap();
        assert!(age.abs() < 60);
        assert!(seen.events[nth]["timestamp"].as_str().unwrap().ends_with('Z'));
    }
}

#[tokio::test]
async fn only_edits_are_told_where_only_they_are_asked_for() {
    let erp = Erp::start().await;
    let endpoint = answering(|_| 200);
    let customer = erp.customer("u-1").await;
    erp.put(&format!("/customers/{customer}"), &json!({ "name": "untold" })).await;
    erp.control.set_webhooks(&endpoint.settings(WebhookTells::Edits)).await;
    erp.put(&format!("/customers/{customer}"), &json!({ "name": "untold too" })).await;
    erp.control.edit_record("customers", &customer, json!({ "name": "told" })).await;
    erp.control.wait_webhooks_idle(PATIENCE).await;
    assert_eq!(endpoint.types(), ["customer.updated"]);
    assert_eq!(endpoint.seen().events[0]["data"]["name"], "told");
    erp.post("/invoices", &invoice(&customer, "untold")).await;
    let born = erp.control.create_record("invoices", invoice(&customer, "born-inside")).await;
    erp.control.wait_webhooks_idle(PATIENCE).await;
    assert_eq!(endpoint.types(), ["customer.updated", "invoice.created"]);
    assert_eq!(endpoint.seen().events[1]["data"]["id"], born.id());
}

#[tokio::test]
async fn what_is_not_answered_2xx_is_sent_again_with_the_same_id_until_it_is_given_up() {
    let erp = Erp::start().await;
    let endpoint = answering(|nth| if nth == 3 { 200 } else { 500 });
    let settings = WebhookSettings {
        retry_delays_ms: Some(vec![1, 2]),
        give_up_after_ms: Some(60_000),
        ..endpoint.settings(WebhookTells::Nothing)
    };
    erp.control.set_webhooks(&settings).await;
    let customer = erp.customer("u-1").await;
    let send = WebhookSend { event_type: "customer.updated".into(), record: Some(customer), ..WebhookSend::default() };
    let id = erp.control.send_webhook(&send).await;
    let done = erp.control.wait_webhooks_idle(PATIENCE).await;
    assert_eq!(endpoint.ids(), [id.clone(), id.clone(), id]);
    assert_eq!((done.told, done.tries, done.retried, done.delivered, done.given_up), (1, 3, 2, 1, 0));
    assert!(done.last_error.unwrap().contains("500"));

    let refusing = answering(|_| 503);
    let settings = WebhookSettings {
        retry_delays_ms: Some(vec![1]),
        give_up_after_ms: Some(0),
        ..refusing.settings(WebhookTells::Nothing)
    };
    erp.control.set_webhooks(&settings).await;
    erp.control.send_webhook(&send).await;
    let done = erp.control.wait_webhooks_idle(PATIENCE).await;
    assert_eq!((done.given_up, done.statuses[&503]), (1, 1));
}

#[tokio::test]
async fn retries_come_by_the_sandboxs_clock() {
    let erp = Erp::start().await;
    let endpoint = answering(|nth| if nth == 4 { 200 } else { 500 });
    erp.control.set_webhooks(&endpoint.settings(WebhookTells::Nothing)).await;
    let send = WebhookSend {
        event_type: "sync.completed".into(),
        data: Some(json!({ "id": "fsy_1", "status": "partial" })),
        ..WebhookSend::default()
    };
    erp.control.send_webhook(&send).await;
    let mut ahead_ms = 0;
    for (tries, wait_ms) in [(1, 5_000), (2, 30_000), (3, 300_000)] {
        let tried = || async { erp.control.webhooks().await.retried == tries };
        testkit::eventually(PATIENCE, "a try has failed", tried).await;
        ahead_ms += wait_ms;
        erp.control.set_clock_ahead(ahead_ms).await;
    }
    assert_eq!(erp.control.wait_webhooks_idle(PATIENCE).await.delivered, 1);
    assert_eq!(endpoint.seen().events[3]["data"], json!({ "id": "fsy_1", "status": "partial" }));
}

fn unix_seconds() -> i64 {
    time::OffsetDateTime::now_utc().unix_timestamp()
}

#[tokio::test]
async fn an_event_that_nobody_takes_is_signed_anew_for_each_try_of_three_days_and_then_given_up() {
    const HOUR: i64 = 3_600;
    let erp = Erp::start().await;
    let endpoint = answering(|_| 503);
    erp.control.set_webhooks(&endpoint.settings(WebhookTells::Nothing)).await;
    let told = WebhookSend {
        event_type: "sync.completed".into(),
        data: Some(json!({ "id": "fsy_1" })),
        ..WebhookSend::default()
    };
    let id = erp.control.send_webhook(&told).await;
    let waits = [5, 30, 300, HOUR].into_iter().chain(std::iter::repeat_n(6 * HOUR, 11));
    let (mut ahead_ms, mut tries) = (0, 0);
    for wait in waits {
        tries += 1;
        let failed = || async { erp.control.webhooks().await.retried == tries };
        testkit::eventually(PATIENCE, "a try has failed", failed).await;
        if tries == 1 {
            // Of what is signed anew another second tells.
            let first: i64 = endpoint.seen().timestamps[0].parse().unwrap();
            testkit::eventually(PATIENCE, "another second", || async { unix_seconds() > first }).await;
        }
        ahead_ms += wait * 1_000;
        erp.control.set_clock_ahead(ahead_ms).await;
    }
    let done = erp.control.wait_webhooks_idle(PATIENCE).await;
    assert_eq!((done.tries, done.retried, done.delivered, done.given_up), (16, 15, 0, 1));
    erp.control.set_clock_ahead(ahead_ms + 72 * HOUR * 1_000).await;
    assert!(erp.control.webhooks().await.is_idle());
    assert_eq!(endpoint.ids(), vec![id; 16]);
    let seen = endpoint.seen();
    assert!(seen.texts.iter().all(|text| *text == seen.texts[0]), "the same event");
    for (nth, text) in seen.texts.iter().enumerate() {
        assert_eq!(seen.signatures[nth], signature(SECRET, &seen.timestamps[nth], text.as_bytes()));
        let timestamp: i64 = seen.timestamps[nth].parse().unwrap();
        assert!((unix_seconds() - 60..=unix_seconds()).contains(&timestamp), "by the receiver's clock: {timestamp}");
    }
    assert!(seen.timestamps.is_sorted());
    assert_ne!(seen.signatures[0], seen.signatures[1], "signed anew");
}

/// Takes a connection and what is sent on it, answers `beginning`, and then nothing; says how much it was sent once the other side has hung up.
async fn never_done(beginning: &'static [u8]) -> (String, tokio::task::JoinHandle<usize>) {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let url = format!("http://{}/hook", listener.local_addr().unwrap());
    let sent = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut sent = vec![0; 16];
        stream.read_exact(&mut sent).await.unwrap();
        stream.write_all(beginning).await.unwrap();
        // A reset is an end as well.
        let _ended = stream.read_to_end(&mut sent).await;
        sent.len()
    });
    (url, sent)
}

#[tokio::test]
async fn a_receiver_that_does_not_come_to_an_end_is_cut_off_after_its_time_and_tried_again() {
    let erp = Erp::start().await;
    let view = erp.http.get(format!("{}/control/webhooks", erp.control.base));
    let at_start = crate::support::answer(view).await.unwrap().json();
    assert_eq!(at_start["settings"]["timeoutMs"], 10_000, "the contract's");
    for (nth, beginning) in
        [b"".as_slice(), b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhalf"].into_iter().enumerate()
    {
        let (url, sent) = never_done(beginning).await;
        let settings = WebhookSettings {
            target: Some(url),
            timeout_ms: Some(100),
            retry_delays_ms: Some(vec![60_000]),
            ..WebhookSettings::default()
        };
        erp.control.set_webhooks(&settings).await;
        let told = WebhookSend {
            event_type: "sync.completed".into(),
            data: Some(json!({ "nth": nth })),
            ..WebhookSend::default()
        };
        let id = erp.control.send_webhook(&told).await;
        assert!(sent.await.unwrap() > 0, "it was sent, and hung up on");
        let cut_off = || async { erp.control.webhooks().await.statuses.get(&0).copied() == Some(nth as u64 + 1) };
        testkit::eventually(PATIENCE, "the try counts as not answered", cut_off).await;
        let webhooks = erp.control.webhooks().await;
        assert_eq!((webhooks.waiting, webhooks.delivered), (1, nth as u64));
        assert!(webhooks.last_error.unwrap().contains("timed out"));

        let endpoint = answering(|_| 200);
        erp.control.set_webhooks(&endpoint.settings(WebhookTells::Nothing)).await;
        erp.control.set_clock_ahead(60_000 * (nth as i64 + 1)).await;
        erp.control.wait_webhooks_idle(PATIENCE).await;
        assert_eq!(endpoint.ids(), [id]);
    }
}

#[tokio::test]
async fn events_come_doubled_and_out_of_order_on_demand() {
    let erp = Erp::start().await;
    let endpoint = answering(|_| 200);
    let customer = erp.customer("u-1").await;
    let settings = WebhookSettings { hold: true, ..endpoint.settings(WebhookTells::All) };
    erp.control.set_webhooks(&settings).await;
    for name in ["a", "b", "c"] {
        erp.put(&format!("/customers/{customer}"), &json!({ "name": name })).await;
    }
    assert_eq!(erp.control.webhooks().await.held, 3);
    erp.control.release_webhooks(ReleaseOrder::Reversed).await;
    erp.control.wait_webhooks_idle(PATIENCE).await;
    let names: Vec<Value> = endpoint.seen().events.iter().map(|event| event["data"]["name"].clone()).collect();
    assert_eq!(names, ["c", "b", "a"]);

    let doubling = WebhookSettings { duplicate_rate: 1.0, ..endpoint.settings(WebhookTells::All) };
    erp.control.set_webhooks(&doubling).await;
    erp.put(&format!("/customers/{customer}"), &json!({ "name": "d" })).await;
    erp.control.set_clock_ahead(10_000).await;
    let done = erp.control.wait_webhooks_idle(PATIENCE).await;
    let ids = endpoint.ids();
    assert_eq!((ids.len(), &ids[3], done.repeats), (5, &ids[4], 1));

    let send = WebhookSend {
        event_type: "customer.updated".into(),
        record: Some(customer),
        copies: Some(3),
        ..WebhookSend::default()
    };
    erp.control.set_webhooks(&endpoint.settings(WebhookTells::Nothing)).await;
    let id = erp.control.send_webhook(&send).await;
    erp.control.wait_webhooks_idle(PATIENCE).await;
    assert_eq!(endpoint.ids()[5..], [id.clone(), id.clone(), id]);
}

#[tokio::test]
async fn an_event_comes_late_on_demand_and_a_reset_forgets_it() {
    let erp = Erp::start().await;
    let endpoint = answering(|_| 200);
    let late = WebhookSettings { delay_ms: (60_000, 60_000), ..endpoint.settings(WebhookTells::All) };
    erp.control.set_webhooks(&late).await;
    let customer = erp.customer("u-1").await;
    erp.post("/invoices", &invoice(&customer, "i-1")).await;
    assert_eq!((erp.control.webhooks().await.waiting, endpoint.types().len()), (1, 0));
    erp.control.set_clock_ahead(60_001).await;
    erp.control.wait_webhooks_idle(PATIENCE).await;
    assert_eq!(endpoint.types(), ["invoice.created"]);
    erp.post("/invoices", &invoice(&customer, "i-2")).await;
    erp.control.reset().await;
    assert!(erp.control.webhooks().await.is_idle());
    erp.control.set_clock_ahead(600_000).await;
    assert_eq!((erp.control.webhooks().await.told, endpoint.types().len()), (0, 1));
}

#[tokio::test]
async fn while_secrets_rotate_both_sign() {
    let erp = Erp::start().await;
    let endpoint = answering(|_| 200);
    let rotating =
        WebhookSettings { secrets: Some(vec!["new".into(), "old".into()]), ..endpoint.settings(WebhookTells::Nothing) };
    erp.control.set_webhooks(&rotating).await;
    erp.control
        .send_webhook(&WebhookSend {
            event_type: "sync.completed".into(),
            data: Some(json!({})),
            ..WebhookSend::default()
        })
        .await;
    erp.control.wait_webhooks_idle(PATIENCE).await;
    let seen = endpoint.seen();
    let sign = |secret| signature(secret, &seen.timestamps[0], seen.texts[0].as_bytes());
    assert_eq!(seen.signatures[0], format!("{},{}", sign("new"), sign("old")));
}

#[tokio::test]
async fn what_makes_no_sense_is_refused() {
    let erp = Erp::start().await;
    for (method, path, body, status) in [
        ("PUT", "/webhooks", json!({ "tells": "lies" }), 400),
        ("PUT", "/webhooks", json!({ "duplicateRate": 2 }), 400),
        ("PUT", "/webhooks", json!({ "delayMs": [2, 1] }), 400),
        ("PUT", "/webhooks", json!({ "retryDelaysMs": [] }), 400),
        ("PUT", "/webhooks", json!({ "target": "ftp://example.com" }), 400),
        ("POST", "/webhooks/send", json!({ "type": "invoice.lost", "data": {} }), 400),
        ("POST", "/webhooks/send", json!({ "type": "invoice.paid" }), 400),
        ("POST", "/webhooks/send", json!({ "type": "invoice.paid", "data": {}, "copies": 0 }), 400),
        ("POST", "/webhooks/send", json!({ "type": "invoice.paid", "record": "fin_0000000000000000" }), 404),
    ] {
        let call = erp.http.request(method.parse().unwrap(), format!("{}/control{path}", erp.control.base)).json(&body);
        assert_eq!(crate::support::answer(call).await.unwrap().status, status, "{path} {body}");
    }
}
