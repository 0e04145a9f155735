//! A reconciler that is frozen in the middle of a run, with transactions open: its successor goes on as soon as the lease is over, and the one that
//! wakes up writes nothing.

use std::time::Duration;

use serde_json::json;
use sqlx::{Postgres, Transaction};
use uuid::Uuid;

use crate::kit::{SOON, World};

/// The lease of [`World::reconciler_options`], and what a successor may take beyond it.
const SUCCEEDED_WITHIN: Duration = Duration::from_secs(4 + 12);

/// All that a run has written, as one text.
async fn written(world: &World, run: Uuid) -> String {
    let all = "SELECT concat(
        (SELECT to_jsonb(r) FROM reconciliation.runs r WHERE id = $1), (SELECT jsonb_agg(f ORDER BY f.id) FROM reconciliation.findings f),
        (SELECT jsonb_agg(s) FROM reconciliation.suspects s), (SELECT jsonb_agg(s) FROM reconciliation.slices s),
        (SELECT count(*) FROM pg_class WHERE relname LIKE 'staging\\__%'))";
    sqlx::query_scalar(all).bind(run).fetch_one(&world.pool).await.expect("what was written")
}

/// The sessions that wait for a lock.
async fn waiting(world: &World) -> Vec<i32> {
    let waiting = "SELECT DISTINCT pid FROM pg_locks
        WHERE NOT granted AND database = (SELECT oid FROM pg_database WHERE datname = current_database())";
    sqlx::query_scalar(waiting).fetch_all(&world.pool).await.expect("locks")
}

/// Freezes the one that waits, lets another one end the run, and wakes the first. PostgreSQL has ended the session of the frozen one by then, which would have
/// held back vacuum.
async fn is_succeeded(world: &World, run: Uuid, frozen: testkit::Service, held: Transaction<'static, Postgres>) {
    frozen.pause();
    let sessions = waiting(world).await;
    assert!(!sessions.is_empty(), "it waits");
    held.rollback().await.expect("given back");
    let _next = world.start(world.reconciler_options("next")).await;
    let ended = world.ended_within(run, SUCCEEDED_WITHIN).await;
    assert_eq!((ended.status.as_str(), ended.proven), ("completed", Some(true)), "{ended:?}");
    assert_eq!(world.open(run).await.into_iter().collect::<Vec<_>>(), [("mismatch".to_owned(), 1)]);
    let before = written(world, run).await;
    testkit::eventually(SOON, "the sessions of the frozen one are ended", || async {
        let open: i64 = sqlx::query_scalar("SELECT count(*) FROM pg_stat_activity WHERE pid = ANY ($1)")
            .bind(&sessions)
            .fetch_one(&world.pool)
            .await
            .expect("sessions");
        open == 0
    })
    .await;
    frozen.resume();
    testkit::eventually(SOON, "it has noticed", || async {
        let log = std::fs::read_to_string(frozen.log()).unwrap_or_default();
        log.contains("the lease of a reconciliation is over") || log.contains("a reconciliation can't go on now")
    })
    .await;
    // It takes part again, and what it was about to write is not there.
    let again = world.reconcile().await;
    assert_eq!(again.status, "completed", "{again:?}");
    sqlx::query("DELETE FROM reconciliation.findings WHERE run_id = $1")
        .bind(again.id)
        .execute(&world.pool)
        .await
        .expect("deleted");
    let left = "SELECT count(*) FROM pg_class WHERE relname LIKE 'staging\\__%'";
    assert_eq!(world.count(left).await, 0, "what nobody holds any more is swept");
    let after = written(world, run).await;
    assert_eq!(before.trim_end_matches(char::is_numeric), after.trim_end_matches(char::is_numeric));
}

#[tokio::test]
async fn one_frozen_in_the_comparison_keeps_its_successor_from_nothing_and_writes_nothing_afterwards() {
    let world = World::new(3_000).await;
    world.long_ago().await;
    world.edit(&world.ledger.entry(100), json!({"amount": 1})).await;
    world.now().await;
    // Only the comparison reads these.
    let held = world.lock("upcoach.transactions", "ACCESS EXCLUSIVE").await;
    let frozen = world.start(world.reconciler_options("frozen")).await;
    let run = world.ask(&["transaction"], false, 0).await;
    world.somebody_waits().await;
    is_succeeded(&world, run, frozen, held).await;
}

#[tokio::test]
async fn one_frozen_while_it_stores_a_page_keeps_its_successor_from_nothing_and_writes_nothing_afterwards() {
    let world = World::new(3_000).await;
    world.long_ago().await;
    world.edit(&world.ledger.entry(100), json!({"amount": 1})).await;
    world.now().await;
    world.sandbox.set_latency(Duration::from_millis(500), Duration::from_millis(500)).await;
    let frozen = world.start(world.reconciler_options("frozen").env("RECONCILIATION_SLICES", "1")).await;
    let run = world.ask(&["transaction"], false, 0).await;
    let table: String = testkit::eventually_some(SOON, "its window is cut", || async {
        let table = "SELECT relname::text FROM pg_class WHERE relname LIKE 'staging\\__%'";
        sqlx::query_scalar(table).fetch_optional(&world.pool).await.expect("tables")
    })
    .await;
    let held = world.lock(&format!("reconciliation.{table}"), "SHARE").await;
    world.somebody_waits().await;
    world.sandbox.set_latency(Duration::ZERO, Duration::ZERO).await;
    is_succeeded(&world, run, frozen, held).await;
}
