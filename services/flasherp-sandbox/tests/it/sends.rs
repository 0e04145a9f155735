//! Stripe's deliveries to an endpoint that checks what it gets, over real HTTP.

use std::{collections::HashMap, time::Duration};

use actix_web::http::header::HeaderMap;
use testkit::sandbox::{StripeProgress, StripeSend};

use crate::{
    endpoint::{Endpoint, Take, header, signature},
    support::{Erp, PATIENCE, SECRET},
};

/// What an endpoint saw.
#[derive(Default)]
struct Seen {
    tries: HashMap<String, u32>,
    order: Vec<String>,
    signatures: Vec<String>,
    refused: u32,
}

/// An endpoint that verifies signatures as Stripe documents it, and answers what `decide` says of an event's n-th try.
fn answering(decide: impl Fn(&str, u32) -> u16 + Send + Sync + 'static) -> Endpoint<Seen> {
    Endpoint::start(verified(decide))
}

fn verified(decide: impl Fn(&str, u32) -> u16 + Send + Sync + 'static) -> impl Take<Seen> {
    move |seen: &mut Seen, headers: &HeaderMap, body: &[u8]| {
        let header = header(headers, "stripe-signature");
        if !verifies(&header, body) {
            seen.refused += 1;
            return 401;
        }
        let event: serde_json::Value = serde_json::from_slice(body).unwrap();
        let id = event["id"].as_str().unwrap().to_owned();
        let tries = seen.tries.entry(id.clone()).or_default();
        *tries += 1;
        let status = decide(&id, *tries);
        if status == 200 {
            seen.order.push(id);
        }
        seen.signatures.push(header);
        status
    }
}

impl Endpoint<Seen> {
    fn order(&self, count: u32) -> StripeSend {
        StripeSend { count, target: Some(self.url()), ..StripeSend::default() }
    }
}

fn verifies(header: &str, body: &[u8]) -> bool {
    let Some((timestamp, given)) = header.strip_prefix("t=").and_then(|rest| rest.split_once(",v1=")) else {
        return false;
    };
    let age = time::OffsetDateTime::now_utc().unix_timestamp() - timestamp.parse::<i64>().unwrap();
    age.abs() <= 300 && given == signature(SECRET, timestamp, body)
}

async fn sent(erp: &Erp, order: StripeSend) -> StripeProgress {
    let begun = erp.control.send_stripe(&order).await;
    assert!(!begun.done || begun.events == 0);
    erp.control.wait_send_done(begun.id, PATIENCE).await
}

#[tokio::test]
async fn every_event_arrives_once_with_a_signature_that_verifies() {
    let erp = Erp::start().await;
    let endpoint = answering(|_, _| 200);
    let order = StripeSend { payments_per_customer: Some(2), concurrency: Some(16), ..endpoint.order(40) };
    let progress = sent(&erp, order).await;
    assert_eq!((progress.stories, progress.payments, progress.events), (40, 80, 40 + 10 + 160));
    assert_eq!((progress.accepted, progress.retried, progress.failed, progress.state.as_str()), (210, 0, 0, "ended"));
    assert!(progress.latency_micros.p50 > 0 && progress.latency_micros.p50 <= progress.latency_micros.max);
    let seen = endpoint.seen();
    assert_eq!((seen.tries.len(), seen.refused), (210, 0));
    assert!(seen.tries.values().all(|tries| *tries == 1));
}

#[tokio::test]
async fn an_event_is_sent_again_until_it_is_accepted() {
    let erp = Erp::start().await;
    let endpoint = answering(|_, tries| match tries {
        1 => 503,
        2 => 400,
        _ => 200,
    });
    let progress = sent(&erp, endpoint.order(5)).await;
    assert_eq!((progress.accepted, progress.failed), (progress.events, 0));
    assert_eq!((progress.retried, progress.sent), (progress.events * 2, progress.events * 3));
    assert_eq!((progress.statuses[&503], progress.statuses[&400], progress.statuses[&200]), (16, 16, 16));
    let seen = endpoint.seen();
    assert!(seen.tries.values().all(|tries| *tries == 3));
}

#[tokio::test]
async fn an_endpoint_that_is_not_there_yet_gets_everything_when_it_comes() {
    let erp = Erp::start().await;
    let socket = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let address = socket.local_addr().unwrap();
    drop(socket);
    let order = StripeSend { count: 3, target: Some(format!("http://{address}/hook")), ..StripeSend::default() };
    let begun = erp.control.send_stripe(&order).await;
    testkit::eventually(PATIENCE, "the first tries go nowhere", || async {
        erp.control.stripe_progress(begun.id).await.statuses.get(&0).is_some_and(|tries| *tries >= 3)
    })
    .await;
    let _endpoint = Endpoint::<Seen>::start_at(address, verified(|_, _| 200));
    let progress = erp.control.wait_send_done(begun.id, PATIENCE).await;
    assert_eq!((progress.accepted, progress.failed), (progress.events, 0));
    assert!(progress.last_error.unwrap().contains("was not answered"));
}

#[tokio::test]
async fn repeats_and_shuffling_send_the_same_events() {
    let erp = Erp::start().await;
    let endpoint = answering(|_, _| 200);
    let order = StripeSend {
        seed: Some(5),
        shuffle: true,
        duplicate_rate: Some(0.5),
        concurrency: Some(1),
        ..endpoint.order(30)
    };
    let progress = sent(&erp, order).await;
    assert!(progress.repeats > 10, "{} repeats", progress.repeats);
    assert_eq!(progress.accepted, progress.events);
    let seen = endpoint.seen();
    assert_eq!(seen.tries.len() as u64, progress.events - progress.repeats);
    assert_eq!(seen.tries.values().filter(|tries| **tries == 2).count() as u64, progress.repeats);
    let mut told = Vec::new();
    for index in 0..30 {
        told.extend(flasherp_sandbox::stripe::story(
            5,
            index,
            &flasherp_sandbox::stripe::StoryOptions::beginning_at(0),
        ));
    }
    let mut arrived: Vec<&String> = Vec::new();
    for id in &seen.order {
        if !arrived.contains(&id) {
            arrived.push(id);
        }
    }
    assert_ne!(arrived, told.iter().map(|event| &event.id).collect::<Vec<_>>());
    arrived.sort();
    let mut ids: Vec<&String> = told.iter().map(|event| &event.id).collect();
    ids.sort();
    assert_eq!(arrived, ids);
}

#[tokio::test]
async fn what_is_never_accepted_is_given_up_at_the_deadline() {
    let erp = Erp::start().await;
    let endpoint = answering(|_, _| 500);
    let progress = sent(&erp, StripeSend { deadline_secs: Some(1), ..endpoint.order(2) }).await;
    assert_eq!((progress.accepted, progress.failed, progress.state.as_str()), (0, progress.events, "ended"));
    assert!(progress.last_error.unwrap().contains("500"));
}

#[tokio::test]
async fn a_cancelled_send_ends() {
    let erp = Erp::start().await;
    let endpoint = answering(|_, _| 200);
    let begun = erp.control.send_stripe(&StripeSend { rate_per_second: Some(1), ..endpoint.order(10_000) }).await;
    erp.control.cancel_stripe(begun.id).await;
    let progress = erp.control.wait_send_done(begun.id, PATIENCE).await;
    assert_eq!(progress.state, "cancelled");
    assert!(progress.accepted < progress.events);
}

#[tokio::test]
async fn a_rate_spreads_the_events_over_time() {
    let erp = Erp::start().await;
    let endpoint = answering(|_, _| 200);
    let order =
        StripeSend { rate_per_second: Some(100), concurrency: Some(64), update_every: Some(0), ..endpoint.order(10) };
    let progress = sent(&erp, order).await;
    // The last of 30 events has its turn 290 ms after the first: not a limit on speed, a lower bound on the pace.
    assert_eq!(progress.events, 30);
    assert!(Duration::from_millis(progress.elapsed_ms) >= Duration::from_millis(290), "{} ms", progress.elapsed_ms);
}

#[tokio::test]
async fn a_send_that_makes_no_sense_is_refused() {
    let erp = Erp::start().await;
    for (order, status) in [
        (serde_json::json!({ "count": 1, "currencies": ["xyz"] }), 400),
        (serde_json::json!({ "count": 1, "duplicateRate": 2 }), 400),
        (serde_json::json!({ "count": 1, "concurrency": 0 }), 400),
        (serde_json::json!({ "count": 1, "target": "ftp://example.com" }), 400),
        (serde_json::json!({ "count": 1, "colour": "red" }), 400),
        (serde_json::json!({ "count": 4_000_000_000_u32 }), 400),
    ] {
        let call = erp.http.post(format!("{}/control/stripe/send", erp.control.base)).json(&order);
        let refused = crate::support::answer(call).await.unwrap();
        assert_eq!(refused.status, status, "{order}: {}", refused.text);
    }
}
