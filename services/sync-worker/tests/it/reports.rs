//! Financial reports: rows of the scheduler's, upserts in FlashERP.

use domain::{EntityType, SourceSystem, SyncId};
use testkit::eventually;
use testkit::sandbox::{Fault, FaultAction};
use uuid::Uuid;

use crate::kit::{SOON, World};

async fn report(world: &World) -> SyncId {
    let id: Uuid = sqlx::query_scalar(
        "INSERT INTO scheduling.reports (period, period_start, period_end, currency, revenue, costs, profit, mrr, arr, fees_incomplete)
         VALUES ('daily', '2026-11-23', '2026-11-24', 'EUR', 123456, 23456, 100000, 4900, 58800, true) RETURNING id",
    )
    .fetch_one(&world.pool)
    .await
    .expect("a report");
    SyncId::of(SourceSystem::Upcoach, EntityType::FinancialReport, id)
}

const IN_SCOPE: &str = "UPDATE config.erp_configurations SET sync_scope = sync_scope || '{\"financialReports\": true}'";

#[tokio::test]
async fn a_report_in_scope_is_posted_and_a_later_one_replaces_it() {
    let world = World::new().await;
    world.run(IN_SCOPE).await;
    let _worker = world.worker().await;
    let sync = report(&world).await;
    world.sync_becomes(sync, "synced").await;
    let held = world.sandbox.records("metrics").await;
    assert_eq!((held.len(), held[0].json("revenue"), held[0].json("profit")), (1, Some("1234.56"), Some("1000.00")));
    assert_eq!(held[0].json("metadata"), Some(r#"{"incomplete":"fees incomplete"}"#));

    world.run("UPDATE scheduling.reports SET revenue = 200000, profit = 176544, fees_incomplete = false").await;
    eventually(SOON, "it is replaced", || async {
        world.sandbox.records("metrics").await[0].json("revenue") == Some("2000.00")
    })
    .await;
    world.all_synced().await;
    assert_eq!(world.sandbox.records("metrics").await.len(), 1);

    let posts = world.sandbox.counters().await.calls_of("POST /v1/metrics");
    world
        .run("SELECT sync.request('financial_report', array_agg(id), 'job', false, NULL) FROM scheduling.reports")
        .await;
    eventually(SOON, "the request is answered", || async {
        world.count("SELECT count(*) FROM sync.requests").await == 0
            && world.count("SELECT count(*) FROM sync.erp_syncs WHERE requested = 3 AND sync_status = 'synced'").await
                == 1
    })
    .await;
    assert_eq!(world.sandbox.counters().await.calls_of("POST /v1/metrics"), posts, "an equal report makes no call");
}

#[tokio::test]
async fn a_report_of_unknown_outcome_waits_and_is_posted_again_without_a_look_up() {
    let world = World::new().await;
    world.run(IN_SCOPE).await;
    world.sandbox.set_capabilities(&[]).await;
    world.sandbox.add_fault(&Fault::new(FaultAction::CutBeforeWrite).on("POST", "/metrics").times(1)).await;
    let sync = report(&world).await;
    let _worker = world.worker().await;
    eventually(SOON, "it is unknown", || async {
        world.sync(sync).await.is_some_and(|row| row.outcome == "unknown" && row.due_at.is_some())
    })
    .await;
    world.sync_becomes(sync, "synced").await;
    let calls = world.sandbox.counters().await.calls;
    assert_eq!(calls.get("POST /v1/metrics"), Some(&2));
    assert!(calls.keys().all(|operation| !operation.starts_with("GET") || operation.ends_with("/health")), "{calls:?}");
    assert_eq!(world.sandbox.records("metrics").await.len(), 1);
}

#[tokio::test]
async fn a_report_out_of_scope_is_skipped() {
    let world = World::new().await;
    let _worker = world.worker().await;
    let sync = report(&world).await;
    world.sync_becomes(sync, "skipped").await;
    assert_eq!(world.sandbox.counters().await.calls_of("POST /v1/metrics"), 0);
}
