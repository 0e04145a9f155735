//! What is stored of an event, which events are quarantined, and what the broker is told.

use futures::StreamExt as _;
use sqlx::Row as _;

use crate::harness::{Answer, Bench, LIMIT, event, start};

#[derive(Debug, PartialEq, Eq)]
struct Quarantined {
    event_id: String,
    error: String,
}

async fn quarantined(bench: &Bench) -> Vec<Quarantined> {
    sqlx::query("SELECT event_id, error, due_at IS NULL AS out_of_the_way FROM ingress.webhook_events WHERE status = 'quarantined' ORDER BY event_id")
        .fetch_all(&bench.pool().await)
        .await
        .expect("rows")
        .iter()
        .map(|row| {
            assert!(row.get::<bool, _>("out_of_the_way"));
            Quarantined { event_id: row.get("event_id"), error: row.get("error") }
        })
        .collect()
}

#[tokio::test]
async fn an_event_is_stored_as_it_came_with_what_is_known_of_it() {
    let bench = Bench::new().await;
    let ingress = bench.start_with(&[("TRUSTED_PROXIES", "127.0.0.1")]).await;
    // Spaces, escapes and order of keys are the sender's; the signature is over them.
    let body = include_bytes!("../../../../crates/webhooks/fixtures/stripe/legacy/customer_updated.json");
    let traceparent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    let answer = Answer::of(
        ingress
            .signed(body.as_slice())
            .header("user-agent", "Stripe/1.0")
            .header("x-forwarded-for", "203.0.113.7")
            .header("x-request-id", "0190a0a0-0000-7000-8000-000000000001")
            .header("traceparent", traceparent),
    )
    .await;
    assert_eq!(answer.status, 200);

    let row = sqlx::query(
        "SELECT event_id, event_type, body, status::text, extract(epoch FROM occurred_at)::bigint AS occurred, host(remote_addr) AS remote_addr, user_agent, \
         request_id::text, traceparent, due_at IS NOT NULL AS due, error, id::text FROM ingress.webhook_events",
    )
    .fetch_one(&bench.pool().await)
    .await
    .expect("one row");
    let text = |column: &str| row.get::<Option<String>, _>(column);
    assert_eq!(row.get::<Vec<u8>, _>("body"), body, "byte for byte");
    assert_eq!(text("event_id").as_deref(), Some("evt_1IlZRsJDPojXS6LN2AbFmnR4"));
    assert_eq!(text("event_type").as_deref(), Some("customer.updated"));
    assert_eq!(text("status").as_deref(), Some("received"));
    assert_eq!(row.get::<i64, _>("occurred"), 1_619_701_111);
    assert_eq!(text("remote_addr").as_deref(), Some("203.0.113.7"));
    assert_eq!(text("user_agent").as_deref(), Some("Stripe/1.0"));
    assert_eq!(text("request_id").as_deref(), Some("0190a0a0-0000-7000-8000-000000000001"));
    assert_eq!(text("traceparent").as_deref(), Some(traceparent));
    assert_eq!(text("error"), None);
    assert!(row.get::<bool, _>("due"), "it waits to be applied");
    assert_eq!(text("id").and_then(|id| uuid::Uuid::try_parse(&id).ok()).map(|id| id.get_version_num()), Some(7));
}

#[tokio::test]
async fn without_a_senders_trace_none_is_stored() {
    let bench = Bench::new().await;
    let ingress = bench.start().await;
    ingress.deliver(event("evt_1")).await;
    let traceparent: Option<String> = sqlx::query_scalar("SELECT traceparent FROM ingress.webhook_events")
        .fetch_one(&bench.pool().await)
        .await
        .expect("one row");
    assert_eq!(traceparent, None);
}

#[tokio::test]
async fn what_can_not_be_used_is_answered_200_and_quarantined() {
    let bench = Bench::new().await;
    let ingress = bench.start().await;
    let deep = format!("{}1{}", "[".repeat(70), "]".repeat(70));
    for (id, value) in [
        ("evt_depth", deep.as_str()),
        ("evt_duplicate_key", r#"{"a":1,"a":2}"#),
        ("evt_nul", r#""a\u0000b""#),
        ("evt_number", "1e400"),
        ("evt_surrogate", r#""\ud800""#),
    ] {
        let body = format!(
            r#"{{"id":"{id}","type":"customer.created","created":1764000000,"data":{{"object":{{"id":"cus_1","x":{value}}}}}}}"#
        );
        assert!(!ingress.deliver(body.clone()).await);
        assert!(ingress.deliver(body).await, "seen before, also when it can't be used");
    }
    let long = "x".repeat(256);
    let body = format!(r#"{{"id":"{long}","type":"customer.created"}}"#);
    assert!(!ingress.deliver(body.clone()).await);
    assert!(ingress.deliver(body).await);
    ingress.deliver(event("evt_usable")).await;
    insta::assert_debug_snapshot!(quarantined(&bench).await, @r#"
        [
            Quarantined {
                event_id: "evt_depth",
                error: "it is nested deeper than 64 levels",
            },
            Quarantined {
                event_id: "evt_duplicate_key",
                error: "an object in it has the same key twice",
            },
            Quarantined {
                event_id: "evt_nul",
                error: "a string in it contains a NUL character",
            },
            Quarantined {
                event_id: "evt_number",
                error: "a number in it is out of range",
            },
            Quarantined {
                event_id: "evt_surrogate",
                error: "a string in it contains half of a surrogate pair",
            },
            Quarantined {
                event_id: "sha256:85e62acd750c4eb56b7b6a1d66dca5bfaac5f062608a1a893410d0288936c09a",
                error: "an id in it is longer than 255 characters",
            },
        ]
        "#);
}

#[tokio::test]
async fn the_broker_is_told_of_new_usable_events_alone() {
    let bench = Bench::new().await;
    let ingress = bench.start().await;
    let (_, rest) = bench.broker.url().split_once("://").expect("a URL");
    let (user, address) = rest.split_once('@').expect("user and host");
    let (user, password) = user.split_once(':').expect("a password");
    let client = async_nats::ConnectOptions::with_user_and_password(user.to_owned(), password.to_owned())
        .connect(address)
        .await
        .expect("the broker");
    let mut hints =
        client.subscribe(format!("{}webhook.received.stripe", bench.broker.prefix())).await.expect("a subscription");
    client.flush().await.expect("subscribed");
    testkit::eventually(LIMIT, "ingress is connected to the broker", async || {
        ingress.health.readiness().await.checks.iter().any(|check| check.name == "broker" && check.ok)
    })
    .await;

    ingress.deliver(event("evt_1")).await;
    ingress.deliver(event("evt_1")).await;
    ingress.deliver(r#"{"id":"evt_2","type":"t","a":1,"a":2}"#).await;
    ingress.deliver(event("evt_3")).await;
    let mut told = Vec::new();
    for _ in 0..2 {
        let message =
            tokio::time::timeout(LIMIT, hints.next()).await.expect("a hint in time").expect("the subscription lives");
        let event: serde_json::Value = serde_json::from_slice(&message.payload).expect("JSON");
        assert_eq!(event["data"]["source"], "stripe");
        let ids = event["data"]["ids"].as_array().expect("ids");
        told.extend(ids.iter().map(|id| id.as_str().expect("an id").to_owned()));
    }
    let rows: Vec<String> = sqlx::query_scalar(
        "SELECT id::text FROM ingress.webhook_events WHERE event_id IN ('evt_1', 'evt_3') ORDER BY id",
    )
    .fetch_all(&bench.pool().await)
    .await
    .expect("rows");
    assert_eq!(told, rows);
}

#[tokio::test]
async fn a_broker_that_is_away_keeps_nobody_waiting() {
    let bench = Bench::new().await;
    let ingress = start(&bench.database.url_for("erp_ingress"), &[]).await;
    assert!(!ingress.deliver(event("evt_1")).await);
}
