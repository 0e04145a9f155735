//! The process dies in what an admin asked for by hand: it is done whole, with its audit row, or not at all; and a hint that was never sent is
//! made up for by the worker's timer.

use reqwest::Method;
use rstest::rstest;
use serde_json::json;
use uuid::Uuid;

use crate::api::{Answer, DEADLINE};
use crate::world::World;

/// All that these requests could change.
async fn standing(world: &World) -> String {
    world
        .value(
            "SELECT concat_ws(' | ',
                (SELECT count(*) FROM audit.erp_audit_logs),
                (SELECT count(*) FROM sync.requests WHERE origin = 'manual'),
                (SELECT string_agg(concat(id, sync_status, due_at), ',' ORDER BY id) FROM sync.erp_syncs),
                (SELECT string_agg(concat(id, status, due_at), ',' ORDER BY id) FROM ingress.webhook_events),
                (SELECT paused_at FROM sync.outbound_gate),
                (SELECT string_agg(concat(id, decision, decided_at), ',' ORDER BY id) FROM reconciliation.findings),
                (SELECT count(*) FROM reconciliation.runs),
                $1::uuid)",
            Uuid::nil(),
        )
        .await
}

async fn path_of(world: &World, asked: &str) -> String {
    match asked {
        "sync" => format!("/api/erp/sync/customer/{}", world.user().await),
        "retry" | "skip" => format!("/api/erp/{asked}/{}", world.sync("transaction", "failed", Some("TIMEOUT")).await),
        "replay" => {
            let id = Uuid::now_v7();
            sqlx::query(
                "INSERT INTO ingress.webhook_events (id, source, event_id, event_type, status, body, due_at)
                 VALUES ($1, 'stripe', 'evt_1', 'price.updated', 'ignored', '{}', NULL)",
            )
            .bind(id)
            .execute(&world.pool)
            .await
            .expect("an event");
            format!("/api/erp/webhooks/{id}/replay")
        }
        "heal" | "heal-all" | "accept" => {
            let (run, finding) = finding(world).await;
            match asked {
                "heal-all" => format!("/api/erp/reconciliations/{run}/heal"),
                _ => format!("/api/erp/reconciliations/{run}/findings/{finding}/{asked}"),
            }
        }
        "reconcile" => "/api/erp/sync/reconcile?wait=0".to_owned(),
        _ => "/api/erp/pause".to_owned(),
    }
}

/// A difference that a run has found of a payment, which FlashERP does not hold.
async fn finding(world: &World) -> (Uuid, Uuid) {
    let payment = world.payment(world.user().await, 1099, "usd").await;
    sqlx::query_as(
        "WITH run AS (
            INSERT INTO reconciliation.runs (status, window_from, window_to, entity_types, started_at, finished_at, proven)
            VALUES ('completed', now() - interval '1 day', now(), '{transaction}', now(), now(), true) RETURNING id)
         INSERT INTO reconciliation.findings (run_id, class, entity_type, source_id) SELECT id, 'missing_in_flasherp', 'transaction', $1 FROM run
         RETURNING run_id, id",
    )
    .bind(payment)
    .fetch_one(&world.pool)
    .await
    .expect("a finding")
}

fn body_for(path: &str) -> serde_json::Value {
    match path {
        _ if path.ends_with("/pause") => json!({"reason": "month end"}),
        _ if path.ends_with("/accept") => json!({"note": "booked by hand"}),
        _ if path.contains("/sync/reconcile") => json!({"entityTypes": ["transaction"], "cutoffSeconds": 0}),
        _ => json!({}),
    }
}

fn asked_for(world: &World, path: &str) -> reqwest::RequestBuilder {
    let request = world.api.request(Method::POST, path).json(&body_for(path));
    if path.contains("/sync/reconcile") { request.header("idempotency-key", "tonight") } else { request }
}

/// Asks, and sees the process die of it.
async fn dies_of(world: &mut World, path: &str) {
    let sent = asked_for(world, path).send().await;
    assert!(sent.is_err(), "{sent:?}");
    let end = world.api.service.until_ended(DEADLINE).await.expect("it died");
    assert!(end.contains("signal: 6"), "{end}");
}

#[rstest]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_dies_before_the_commit_has_changed_nothing(
    #[values("sync", "retry", "skip", "replay", "pause", "heal", "heal-all", "accept", "reconcile")] asked: &str,
) {
    let mut world = World::with_api(|options| options.env("ERP_FAILPOINT", "admin.before_commit")).await;
    let path = path_of(&world, asked).await;
    let before = standing(&world).await;
    dies_of(&mut world, &path).await;
    assert_eq!(standing(&world).await, before);
}

#[rstest]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_dies_before_the_hint_has_done_it_all_the_same(#[values("sync", "retry", "replay")] asked: &str) {
    let mut world = World::with_api(|options| options.env("ERP_FAILPOINT", "admin.before_hint")).await;
    let path = path_of(&world, asked).await;
    dies_of(&mut world, &path).await;
    let by_hand = "SELECT count(*) FROM audit.erp_audit_logs WHERE action = 'manual_sync' AND $1::uuid IS NOT NULL";
    assert_eq!(world.value::<i64>(by_hand, Uuid::nil()).await, 1);
    let waiting = "SELECT (SELECT count(*) FROM sync.requests WHERE origin = 'manual')
            + (SELECT count(*) FROM sync.erp_syncs WHERE due_at <= now())
            + (SELECT count(*) FROM ingress.webhook_events WHERE due_at <= now()) + 0 * length($1::uuid::text)";
    assert_eq!(world.value::<i64>(waiting, Uuid::nil()).await, 1);
    world.start_worker().await;
    testkit::eventually(DEADLINE, "the worker finds it by its timer", || async {
        world.value::<i64>(waiting, Uuid::nil()).await == 0
    })
    .await;
}

/// Asked, dead of it, started again, asked again: it comes about, once, with one audit row.
#[rstest]
#[case::heal_before_its_commit("heal", "admin.before_commit")]
#[case::heal_before_its_hint("heal", "admin.before_hint")]
#[case::heal_of_all_before_its_commit("heal-all", "admin.before_commit")]
#[case::heal_of_all_before_its_hint("heal-all", "admin.before_hint")]
#[case::accept_before_its_commit("accept", "admin.before_commit")]
#[case::reconcile_before_its_commit("reconcile", "admin.before_commit")]
#[case::reconcile_before_its_hint("reconcile", "admin.before_hint")]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_asked_again_after_a_death_comes_about_once(#[case] asked: &str, #[case] point: &'static str) {
    let mut world = World::with_api(|options| options.env("ERP_FAILPOINT", point)).await;
    let path = path_of(&world, asked).await;
    dies_of(&mut world, &path).await;
    world.api.service.set_env("ERP_FAILPOINT", "nobody.dies");
    world.api.service.restart().await.expect("it starts again");
    world.api.service.until_ready(DEADLINE).await.expect("it gets ready");
    let again = Answer::of(asked_for(&world, &path)).await;
    let expected = match (asked, point) {
        ("reconcile", _) => 202,
        // It is being healed by then.
        ("heal", "admin.before_hint") => 409,
        _ => 200,
    };
    assert_eq!(again.status, expected, "{again:?}");
    world.start_worker().await;
    world.start_reconciler().await;
    let (done, what) = match asked {
        "reconcile" => {
            ("SELECT string_agg(status::text, ',') FROM reconciliation.runs WHERE $1::uuid IS NOT NULL", "completed")
        }
        "accept" => (
            "SELECT string_agg(decision::text, ',') FROM reconciliation.findings WHERE $1::uuid IS NOT NULL",
            "accepted",
        ),
        _ => {
            ("SELECT string_agg(decision::text, ',') FROM reconciliation.findings WHERE $1::uuid IS NOT NULL", "healed")
        }
    };
    testkit::eventually(DEADLINE, what, || async {
        world.value::<Option<String>>(done, Uuid::nil()).await.as_deref() == Some(what)
    })
    .await;
    let audited = "SELECT count(*) FROM audit.erp_audit_logs WHERE metadata ->> 'operation' IN
        ('finding.healed', 'reconciliation.healed', 'finding.accepted', 'reconciliation.requested') AND $1::uuid IS NOT NULL";
    assert_eq!(world.value::<i64>(audited, Uuid::nil()).await, 1);
    if asked.starts_with("heal") {
        assert_eq!(world.sandbox.counters().await.records_of("transactions"), 1, "it was made once");
    }
}
