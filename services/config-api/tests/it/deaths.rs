//! The process dies in what an admin asked for by hand: it is done whole, with its audit row, or not at all; and a hint that was never sent is
//! made up for by the worker's timer.

use reqwest::Method;
use rstest::rstest;
use serde_json::json;
use uuid::Uuid;

use crate::api::DEADLINE;
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
        _ => "/api/erp/pause".to_owned(),
    }
}

/// Asks, and sees the process die of it.
async fn dies_of(world: &mut World, path: &str) {
    let body = if path.ends_with("/pause") { json!({"reason": "month end"}) } else { json!({}) };
    let sent = world.api.request(Method::POST, path).json(&body).send().await;
    assert!(sent.is_err(), "{sent:?}");
    let end = world.api.service.until_ended(DEADLINE).await.expect("it died");
    assert!(end.contains("signal: 6"), "{end}");
}

#[rstest]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_dies_before_the_commit_has_changed_nothing(
    #[values("sync", "retry", "skip", "replay", "pause")] asked: &str,
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
