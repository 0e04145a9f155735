//! Replay, quarantine, unknown types, erased bodies.

use serde_json::json;
use uuid::Uuid;

use sync_worker::inbound::Rules;

use crate::bench::Bench;
use crate::stories::{Shape, Story};

async fn replay(bench: &Bench, ids: &[Uuid]) -> Vec<Uuid> {
    let config_api = bench.database.pool("erp_config_api").await;
    sqlx::query_scalar("SELECT ingress.replay($1, NULL, NULL, NULL, 100)")
        .bind(ids)
        .fetch_all(&config_api)
        .await
        .expect("replayed")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replay_of_one_or_of_all_applies_again_and_changes_nothing() {
    let bench = Bench::new(50).await;
    let ids = bench.store(&Story::new(1, Shape::Current).payment()).await;
    bench.apply().await;
    let rows = "SELECT row(t.*)::text FROM (SELECT id, status, amount, stripe_facts, refunded_amount FROM upcoach.transactions) AS t";
    let before: Vec<String> = bench.all(rows).await;
    assert_eq!(replay(&bench, &ids[3..4]).await, &ids[3..4]);
    bench.apply().await;
    bench.replay_all().await;
    assert_eq!(bench.all::<String>(rows).await, before);
    assert_eq!(bench.one::<i64>("SELECT count(*) FROM ingress.webhook_events WHERE status = 'applied'").await, 7);
    let applied: i64 =
        bench.one("SELECT count(*) FROM audit.erp_audit_logs WHERE metadata ->> 'status' = 'applied'").await;
    assert_eq!(applied, 7 + 1 + 7, "each application is audited");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_price_without_a_plan_is_quarantined_by_name_and_applied_when_the_settings_know_it() {
    let mut event = Story::new(1, Shape::Current).subscription("created", 1, "active", "pro", None);
    event["data"]["object"]["items"]["data"][0]["price"]["lookup_key"] = json!(null);
    let customer = Story::new(1, Shape::Current).customer("created", 0, "a@example.com", None);
    let bench = Bench::new(50).await;
    let ids = bench.store(&[customer, event]).await;
    bench.apply().await;
    let error: String = bench.one("SELECT error FROM ingress.webhook_events WHERE status = 'quarantined'").await;
    assert!(error.starts_with("price price_pro names no plan"), "{error}");

    let knowing = bench.with_rules(Rules {
        plans: [("price_pro".to_owned(), domain::upcoach::Plan::Team)].into(),
        ..Rules::default()
    });
    replay(&bench, &ids[1..]).await;
    knowing.due().await.expect("applied");
    assert_eq!(bench.one::<String>("SELECT plan FROM upcoach.subscriptions").await, "team");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_poison_event_stops_none_and_what_has_been_erased_says_so() {
    let bench = Bench::new(50).await;
    let good = Story::new(1, Shape::Current).customer("created", 0, "a@example.com", None);
    let mut poison = Story::new(2, Shape::Current).customer("created", 0, "b@example.com", None);
    poison["data"]["object"]["email"] = json!(format!("{}@example.com", "x".repeat(400)));
    let other = Story::new(3, Shape::Current).customer("created", 0, "c@example.com", None);
    let ids = bench.store(&[good, poison, other]).await;
    bench.applier().due().await.expect("applied");
    assert_eq!(bench.one::<i64>("SELECT count(*) FROM upcoach.users").await, 2);
    assert_eq!(
        bench
            .one::<i64>(
                "SELECT count(*) FROM ingress.webhook_events WHERE attempts = 1 AND error_code = 'INTERNAL_ERROR'"
            )
            .await,
        1
    );

    bench.run("UPDATE ingress.webhook_events SET received_at = now() - interval '40 days'").await;
    let scheduler = bench.database.pool("erp_scheduler").await;
    let erased: i32 = sqlx::query_scalar("SELECT ingress.erase_bodies(now() - interval '35 days', 100)")
        .fetch_one(&scheduler)
        .await
        .expect("erased");
    assert_eq!(erased, 2, "what still has to be applied keeps its body");
    assert_eq!(replay(&bench, &ids[..1]).await, Vec::<Uuid>::new(), "there is nothing to apply again");
    // sent again it is still known
    let again = Story::new(1, Shape::Current).customer("created", 0, "a@example.com", None);
    bench.store(&[again]).await;
    assert_eq!(bench.one::<i64>("SELECT count(*) FROM ingress.webhook_events").await, 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn in_production_events_of_test_mode_are_kept_and_not_applied() {
    let bench = Bench::new(50).await;
    let live = Story::new(1, Shape::Current).payment();
    let test: Vec<_> = Story::new(2, Shape::Current)
        .payment()
        .into_iter()
        .map(|mut event| {
            event["livemode"] = json!(false);
            event
        })
        .collect();
    let kept = bench.store(&test).await;
    bench.store(&live).await;
    let rules = Rules { production: true, ..Rules::default() };
    let production = bench.with_rules(rules);
    while production.due().await.expect("applied").events > 0 {}
    let statuses: Vec<String> =
        bench.all("SELECT status || ' ' || count(*) FROM ingress.webhook_events GROUP BY status ORDER BY status").await;
    assert_eq!(statuses, ["applied 7", "ignored 7"]);
    assert_eq!(
        bench.one::<String>("SELECT string_agg(stripe_transaction_id, ' ') FROM upcoach.transactions").await,
        "pi_1"
    );
    // Their bodies are there: where it is no production, a replay applies them.
    replay(&bench, &kept).await;
    bench.apply().await;
    let ids: Vec<String> = bench.all("SELECT stripe_transaction_id FROM upcoach.transactions ORDER BY 1").await;
    assert_eq!(ids, ["pi_1", "pi_2"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replay_since_a_time_takes_what_came_since_of_the_source_and_status_asked_for() {
    let bench = Bench::new(50).await;
    let event = |n: u32| Story::new(n, Shape::Current).customer("created", 0, &format!("u{n}@example.com"), None);
    let mut unusable = event(4);
    unusable["data"]["object"]["email"] = json!(7);
    let stripe = bench.store(&[event(1), event(2), event(3), unusable]).await;
    let flasherp = bench.store_of("flasherp", &[json!({"id": "e1", "type": "warehouse.moved", "data": {}})]).await;
    bench.apply().await;
    sqlx::query("UPDATE ingress.webhook_events SET received_at = now() - interval '3 days' WHERE id = $1")
        .bind(stripe[0])
        .execute(&bench.pool)
        .await
        .expect("an old one");
    sqlx::query("UPDATE ingress.webhook_events SET body = NULL, body_erased_at = now() WHERE id = $1")
        .bind(stripe[1])
        .execute(&bench.pool)
        .await
        .expect("an erased one");
    let config_api = bench.database.pool("erp_config_api").await;
    let since = async |source: Option<&str>, status: Option<&str>| -> Vec<Uuid> {
        let mut replayed: Vec<Uuid> = sqlx::query_scalar(
            "SELECT ingress.replay(NULL, $1::ingress.source, $2::ingress.event_status, now() - interval '1 day', 100)",
        )
        .bind(source)
        .bind(status)
        .fetch_all(&config_api)
        .await
        .expect("replayed");
        bench.apply().await;
        replayed.sort_unstable();
        replayed
    };
    assert_eq!(since(Some("stripe"), Some("quarantined")).await, [stripe[3]]);
    assert_eq!(since(Some("stripe"), None).await, [stripe[2], stripe[3]]);
    assert_eq!(since(Some("flasherp"), None).await, flasherp);
    assert_eq!(since(None, Some("applied")).await, [stripe[2]]);
    assert_eq!(bench.one::<i64>("SELECT count(*) FROM upcoach.users").await, 3);
}
