//! Received webhooks: listed, shown, replayed.

use serde_json::{Value, json};
use testkit::sandbox::StripeSend;
use testkit::{Scratch, Service};
use uuid::Uuid;

use crate::api::{Api, DEADLINE};
use crate::rows::{self, superuser};
use crate::world::World;

const STRIPE_SECRET: &str = "whsec_of_the_test";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_filter_of_webhooks_gives_just_its_events_newest_first() {
    let api = Api::start().await;
    let pool = superuser(&api.database).await;
    rows::webhooks(&pool, 200).await;
    let from_to = "from=2026-11-01T00:00:50Z&to=2026-11-01T00:01:40Z";
    for (query, condition) in [
        ("", "true"),
        ("source=flasherp", "source = 'flasherp'"),
        ("status=parked", "status = 'parked'"),
        ("status=applied&source=stripe", "status = 'applied' AND source = 'stripe'"),
        ("eventType=type.3", "event_type = 'type.3'"),
        ("eventId=evt_17", "event_id = 'evt_17'"),
        (from_to, "received_at >= '2026-11-01T00:00:50Z' AND received_at < '2026-11-01T00:01:40Z'"),
        ("eventId=%27%3B%20DROP%20TABLE%20x", "false"),
    ] {
        let statement = format!("SELECT id FROM ingress.webhook_events WHERE {condition} ORDER BY id DESC");
        let expected: Vec<Uuid> =
            sqlx::query_scalar(sqlx::AssertSqlSafe(statement)).fetch_all(&pool).await.expect("rows");
        let path = format!("/api/erp/webhooks?{query}");
        assert_eq!(crate::lists::all(&api, &path, false).await, expected, "{query} by page");
        assert_eq!(crate::lists::all(&api, &path, true).await, expected, "{query} by cursor");
    }
    api.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_payload_is_shown_as_it_was_received() {
    let api = Api::start().await;
    let pool = superuser(&api.database).await;
    rows::webhooks(&pool, 3).await;
    let ids = rows::ids(&pool, "SELECT id FROM ingress.webhook_events ORDER BY id").await;
    for (id, body) in ids.iter().zip([Some(&b"{\"amount\": 10.990000000000000000001}"[..]), Some(b"no \xffJSON"), None])
    {
        sqlx::query("UPDATE ingress.webhook_events SET body = $2 WHERE id = $1")
            .bind(id)
            .bind(body)
            .execute(&pool)
            .await
            .expect("another body");
    }
    let exact = api.get(&format!("/api/erp/webhooks/{}", ids[0])).await;
    assert!(exact.text.contains("\"payload\":{\"amount\": 10.990000000000000000001}"), "{}", exact.text);
    let text = api.get(&format!("/api/erp/webhooks/{}", ids[1])).await.json();
    assert_eq!((&text["payload"], &text["payloadText"]), (&json!(null), &json!("no \u{fffd}JSON")));
    let erased = api.get(&format!("/api/erp/webhooks/{}", ids[2])).await.json();
    assert_eq!((&erased["payload"], &erased["payloadText"]), (&json!(null), &json!(null)));
    let replay = format!("/api/erp/webhooks/{}/replay", ids[2]);
    assert_eq!(api.post(&replay, &json!({})).await.status, 409, "there is nothing to replay");
    let unknown = format!("/api/erp/webhooks/{}", Uuid::new_v4());
    assert_eq!(
        (api.get(&unknown).await.status, api.post(&format!("{unknown}/replay"), &json!({})).await.status),
        (404, 404)
    );
    api.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn all_events_of_a_filter_since_a_time_are_replayed_once_each() {
    let api = Api::start().await;
    let pool = superuser(&api.database).await;
    // More than are replayed in one transaction.
    rows::webhooks(&pool, 4_000).await;
    let body = json!({"since": "2026-11-01T00:00:00Z", "status": "failed", "dryRun": true});
    let expected: i64 = sqlx::query_scalar("SELECT count(*) FROM ingress.webhook_events WHERE status = 'failed'")
        .fetch_one(&pool)
        .await
        .expect("a count");
    let counted = api.post("/api/erp/webhooks/replay", &body).await.json();
    assert_eq!(counted, json!({"matched": expected, "replayed": 0}));
    let body = json!({"since": "2026-11-01T00:00:00Z"});
    let all: i64 = sqlx::query_scalar("SELECT count(*) FROM ingress.webhook_events WHERE status <> 'received'")
        .fetch_one(&pool)
        .await
        .expect("a count");
    assert_eq!(api.post("/api/erp/webhooks/replay", &body).await.json(), json!({"matched": all, "replayed": all}));
    let (waiting, audited): (i64, Value) = sqlx::query_as(
        "SELECT (SELECT count(*) FROM ingress.webhook_events WHERE status = 'received' AND attempts = 0),
            (SELECT to_jsonb(sum((response_payload ->> 'replayed')::bigint)) FROM audit.erp_audit_logs
                WHERE metadata ->> 'operation' = 'webhooks.replayed')",
    )
    .fetch_one(&pool)
    .await
    .expect("counts");
    assert_eq!((waiting, audited), (4_000, json!(all)));
    let without_since = api.post("/api/erp/webhooks/replay", &json!({"status": "failed"})).await;
    assert_eq!((without_since.status, without_since.wrong_fields()), (400, vec!["since".to_owned()]));
    api.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn from_any_id_the_timeline_tells_the_whole_story_in_order() {
    let mut world = World::new().await;
    let scratch = Scratch::new().expect("a folder");
    let options = testkit::service("ingress", scratch.path())
        .env("DATABASE_URL", world.api.database.url_for("erp_ingress"))
        .env("NATS_URL", world.api.broker.url())
        .env("NATS_SUBJECT_PREFIX", world.api.broker.prefix())
        .env("ERP_ENCRYPTION_KEYS", testkit::ENCRYPTION_KEYS)
        .env("STRIPE_WEBHOOK_SECRET", STRIPE_SECRET)
        .env("WEBHOOK_RATE_LIMIT_STRIPE", "0");
    let mut ingress = Service::start(options).await.expect("ingress starts");
    ingress.until_ready(DEADLINE).await.expect("ingress gets ready");
    world.start_worker().await;
    let send = StripeSend {
        count: 1,
        seed: Some(7),
        stories: Some(vec!["all".to_owned()]),
        target: Some(ingress.url("/api/webhooks/stripe")),
        secret: Some(STRIPE_SECRET.to_owned()),
        ..StripeSend::default()
    };
    let sent = world.sandbox.send_stripe(&send).await;
    assert_eq!(world.sandbox.wait_send_done(sent.id, DEADLINE).await.failed, 0);
    testkit::eventually(DEADLINE, "a payment is in FlashERP", || async {
        world.value::<bool>(
            "SELECT EXISTS (SELECT FROM sync.erp_syncs WHERE source_type = 'transaction' AND sync_status = 'synced' AND $1::uuid IS NOT NULL)",
            Uuid::nil(),
        )
        .await
    })
    .await;
    let (payment, stripe, sync, target): (Uuid, String, Uuid, String) = sqlx::query_as(
        "SELECT t.id, t.stripe_transaction_id, s.id, s.target_id FROM upcoach.transactions t
         JOIN sync.erp_syncs s ON s.source_id = t.id AND s.sync_status = 'synced'
         WHERE t.stripe_transaction_id LIKE 'pi\\_%' ORDER BY t.created_at LIMIT 1",
    )
    .fetch_one(&world.pool)
    .await
    .expect("a payment");
    let (event, request): (String, Option<Uuid>) = sqlx::query_as(
        "SELECT e.event_id, e.request_id FROM audit.erp_audit_logs l JOIN ingress.webhook_events e ON e.id::text = l.entity_id
         WHERE l.metadata -> 'records' ? ('transaction:' || $1::text) ORDER BY e.id LIMIT 1",
    )
    .bind(payment)
    .fetch_one(&world.pool)
    .await
    .expect("the event that told of it");
    let mut ids = vec![payment.to_string(), stripe, sync.to_string(), target.clone(), event.clone()];
    ids.extend(request.map(|request| request.to_string()));
    for id in ids {
        let story = world.api.get(&format!("/api/erp/timeline?q={id}")).await.json();
        let records = story["records"].as_array().expect("a list");
        let of_payment = records.iter().find(|record| record["sourceId"] == json!(payment));
        assert_eq!(of_payment.map(|record| &record["targetId"]), Some(&json!(target)), "{id}: {story}");
        let entries = story["entries"].as_array().expect("a list");
        let times: Vec<&str> = entries.iter().filter_map(|entry| entry["at"].as_str()).collect();
        assert!(times.is_sorted(), "{id}: {times:?}");
        let kinds: Vec<&str> = entries.iter().filter_map(|entry| entry["kind"].as_str()).collect();
        for kind in ["webhook", "webhook_applied", "record", "sync", "attempt", "flasherp_record"] {
            assert!(kinds.contains(&kind), "{id} tells no {kind}: {kinds:?}");
        }
        assert!(
            entries.iter().any(|entry| entry["kind"] == "webhook" && entry["entityId"] == json!(event)),
            "{id}: {story}"
        );
    }
    for nobody in [Uuid::new_v4().to_string(), "pi_nobody".to_owned(), "'%20OR%201=1--".to_owned()] {
        let story = world.api.get(&format!("/api/erp/timeline?q={nobody}")).await;
        assert_eq!((story.status, &story.json()["entries"]), (200, &json!([])), "{story:?}");
    }
    assert_eq!(ingress.stop().await.expect("it stops"), "exit status: 0");
    world.stop().await;
}
