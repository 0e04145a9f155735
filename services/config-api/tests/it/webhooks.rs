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

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_event_is_replayed_and_not_again_while_it_waits() {
    let api = Api::start().await;
    let pool = superuser(&api.database).await;
    rows::webhooks(&pool, 100).await;
    let failed = rows::ids(&pool, "SELECT id FROM ingress.webhook_events WHERE status = 'failed' LIMIT 1").await[0];
    let path = format!("/api/erp/webhooks/{failed}");
    let replayed = api.post(&format!("{path}/replay"), &json!({})).await;
    assert_eq!((replayed.status, replayed.json()), (200, json!({"message": "it is applied again"})));
    let webhook = api.get(&path).await.json()["webhook"].clone();
    assert_eq!((&webhook["status"], &webhook["attempts"]), (&json!("received"), &json!(0)), "{webhook}");
    assert_eq!(api.post(&format!("{path}/replay"), &json!({})).await.status, 409, "it waits anyway");
    let audited: i64 = sqlx::query_scalar(
        "SELECT count(*) FROM audit.erp_audit_logs WHERE metadata ->> 'operation' = 'webhook.replayed' AND entity_id = $1",
    )
    .bind(failed.to_string())
    .fetch_one(&pool)
    .await
    .expect("a count");
    assert_eq!(audited, 1);
    api.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_timeline_knows_each_kind_of_stripes_ids() {
    let world = World::new().await;
    let user = world.user().await;
    let [payment, refund, subscription, invoice] = [(); 4].map(|()| Uuid::new_v4());
    for (statement, id) in [
        ("UPDATE upcoach.users SET stripe_customer_id = 'cus_1' WHERE id = $2 AND $1 <> $2", payment),
        (
            "INSERT INTO upcoach.transactions (id, user_id, type, status, amount, currency, stripe_transaction_id, stripe_charge_id, stripe_invoice_id)
             VALUES ($1, $2, 'payment', 'completed', 100, 'usd', 'pi_1', 'ch_1', 'in_1')",
            payment,
        ),
        (
            "INSERT INTO upcoach.transactions (id, user_id, type, status, amount, currency, stripe_refund_id)
             VALUES ($1, $2, 'refund', 'completed', -100, 'usd', 're_1')",
            refund,
        ),
        (
            "INSERT INTO upcoach.subscriptions (id, user_id, stripe_subscription_id, plan, status, billing_interval, amount, currency)
             VALUES ($1, $2, 'sub_1', 'pro', 'active', 'monthly', 100, 'usd')",
            subscription,
        ),
        (
            "INSERT INTO upcoach.invoices (id, user_id, stripe_invoice_id, flasherp_invoice_id, status, amount, currency)
             VALUES ($1, $2, 'in_1', 'finv_1', 'paid', 100, 'usd')",
            invoice,
        ),
        ("INSERT INTO upcoach.user_stripe_customers (stripe_customer_id, user_id) SELECT 'cus_older', $2 WHERE $1 <> $2", payment),
    ] {
        sqlx::query(statement).bind(id).bind(user).execute(&world.pool).await.expect(statement);
    }
    // What belongs together is one story: the payment and the invoice that tells of the same money.
    let both = [("invoice", invoice), ("transaction", payment)];
    for (id, expected) in [
        ("cus_1", &[("customer", user)][..]),
        ("cus_older", &[("customer", user)]),
        ("sub_1", &[("subscription", subscription)]),
        ("pi_1", &both),
        ("ch_1", &both),
        ("in_1", &both),
        ("finv_1", &both),
        ("re_1", &[("transaction", refund)]),
    ] {
        let story = world.api.get(&format!("/api/erp/timeline?q={id}")).await.json();
        let mut records: Vec<(String, Uuid)> = story["records"]
            .as_array()
            .expect("records")
            .iter()
            .map(|record| {
                let id = record["sourceId"].as_str().and_then(|id| id.parse().ok()).expect("an id");
                (record["entityType"].as_str().expect("a type").to_owned(), id)
            })
            .collect();
        records.sort();
        let expected: Vec<_> = expected.iter().map(|(kind, id)| ((*kind).to_owned(), *id)).collect();
        assert_eq!(records, expected, "{id}: {story}");
        let entries = story["entries"].as_array().expect("entries");
        assert!(entries.iter().any(|entry| entry["kind"] == "record"), "{id}: {story}");
    }
    world.stop().await;
}
