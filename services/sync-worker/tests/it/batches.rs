//! Batches carried on by workers: counted right whoever dies.

use std::time::Duration;

use crate::kit::{SOON, World, transaction_sync};
use domain::{BatchId, BatchStatus, EntityType};
use syncs::batch::{self, Asked, Created, NewBatch, Progress, What};
use testkit::{Service, eventually, eventually_some};

async fn full_sync(world: &World, types: &[EntityType], force: bool) -> BatchId {
    let what = What::FullSync { entity_types: types.to_vec(), since: None, force };
    let new = NewBatch { what, asked: Asked { by: "ada".to_owned(), ..Asked::default() }, idempotency_key: None };
    match batch::create(&world.pool, &new).await.expect("a batch") {
        Created::New(id) => id,
        other => panic!("{other:?}"),
    }
}

async fn over(world: &World, id: BatchId) -> Progress {
    eventually_some(SOON, "the batch is over", || async {
        let progress = batch::progress(&world.pool, id).await.expect("readable").expect("there");
        (progress.status == BatchStatus::Completed).then_some(progress)
    })
    .await
}

async fn payments(world: &World, users: u32, each: i64) {
    for user in 0..users {
        let user = world.insert_user(Some(&format!("u{user}@example.com"))).await;
        for cents in 1..=each {
            world.insert_payment(user, cents).await;
        }
    }
}

#[tokio::test]
async fn a_forced_full_sync_mends_what_somebody_changed_and_leaves_the_hopeless_alone() {
    let world = World::new().await;
    let _worker = world.worker().await;
    payments(&world, 1, 20).await;
    world.all_synced().await;
    let records = world.sandbox.records("transactions").await;
    for record in records.iter().take(3) {
        world.sandbox.edit_record("transactions", &record.id(), serde_json::json!({"description": "by hand"})).await;
        world.sandbox.edit_record("transactions", &record.id(), serde_json::json!({"status": "pending"})).await;
    }
    let (failed, skipped): (uuid::Uuid, uuid::Uuid) =
        (records[10].reference().parse().expect("ours"), records[11].reference().parse().expect("ours"));
    sqlx::query("UPDATE sync.erp_syncs SET sync_status = 'failed', retry_count = 5 WHERE source_id = $1")
        .bind(failed)
        .execute(&world.pool)
        .await
        .expect("exhausted");
    sqlx::query("UPDATE sync.erp_syncs SET sync_status = 'skipped', skipped_by_hand = true WHERE source_id = $1")
        .bind(skipped)
        .execute(&world.pool)
        .await
        .expect("skipped");

    let progress = over(&world, full_sync(&world, &[EntityType::Transaction], true).await).await;
    assert_eq!((progress.total, progress.asked), (Some(20), 20));
    assert_eq!((progress.done, progress.failed, progress.skipped), (18, 1, 1));
    assert_eq!(world.sync(transaction_sync(failed)).await.expect("a row").retry_count, 5);
    let wrong = world.sandbox.records("transactions").await;
    assert!(wrong.iter().all(|record| record.text("status").as_deref() == Some("completed")));
    assert_eq!(
        world.count("SELECT count(*) FROM config.erp_configurations WHERE last_sync_status = 'partial'").await,
        1
    );
    assert_eq!(world.count("SELECT count(*) FROM sync.erp_syncs WHERE batch_id IS NOT NULL").await, 0);
}

#[tokio::test]
async fn a_batch_goes_on_after_its_workers_were_killed_and_counts_each_record_once() {
    let world = World::new().await;
    world.run("UPDATE config.erp_configurations SET enable_auto_sync = false").await;
    payments(&world, 10, 30).await;
    let first = full_sync(&world, &[], false).await;
    let second = full_sync(&world, &[EntityType::Transaction], true).await;
    world.sandbox.set_latency(Duration::from_millis(30), Duration::from_millis(60)).await;
    let mut worker = world.worker().await;
    world.run("UPDATE config.erp_configurations SET enable_auto_sync = true").await;
    for round in 0..3 {
        let before = world.count("SELECT count(*) FROM sync.batch_items WHERE result IS NOT NULL").await;
        eventually(SOON, "it is in the middle", || async {
            world.count("SELECT count(*) FROM sync.batch_items WHERE result IS NOT NULL").await > before + 10
        })
        .await;
        worker.kill().await.expect("killed");
        worker = Service::start(world.worker_options(&format!("next{round}"))).await.expect("the next worker");
    }
    let (first, second) = (over(&world, first).await, over(&world, second).await);
    assert_eq!((first.total, first.done, first.failed, first.skipped), (Some(310), 310, 0, 0));
    assert_eq!((second.total, second.done, second.failed, second.skipped), (Some(300), 300, 0, 0));
    world.all_synced().await;
    world.flasherp_has_each_once(300).await;
}

#[tokio::test]
async fn batches_whose_wishes_are_folded_together_both_get_their_answer() {
    let world = World::new().await;
    payments(&world, 1, 3).await;
    world.run("DELETE FROM sync.requests").await;
    let types = [EntityType::Transaction];
    let (first, second) = (full_sync(&world, &types, false).await, full_sync(&world, &types, false).await);
    for batch in [first, second] {
        assert_eq!(batch::ask(&world.pool, batch, 100).await.expect("it asks"), Some(3));
    }
    // Six requests for three records wait for the worker's first fold.
    let _worker = world.worker().await;
    for batch in [first, second] {
        let progress = over(&world, batch).await;
        assert_eq!((progress.total, progress.done, progress.failed, progress.skipped), (Some(3), 3, 0, 0));
    }
}

#[tokio::test]
async fn an_unknown_record_that_waits_for_its_customer_has_not_failed_yet() {
    let world = World::new().await;
    payments(&world, 1, 1).await;
    world.run("DELETE FROM sync.requests").await;
    let batch = full_sync(&world, &[EntityType::Transaction], false).await;
    while batch::ask(&world.pool, batch, 100).await.expect("it asks").is_some_and(|asked| asked > 0) {}
    // As a fold leaves it, and then a worker that died in its first write before its customer had arrived.
    world
        .run(
            "INSERT INTO sync.erp_syncs (id, source_type, source_id, sync_status, outcome, unknown_since, settle_until, waits_for)
             SELECT gen_random_uuid(), 'transaction', source_id, 'failed', 'unknown', now(), now(), gen_random_uuid() FROM sync.requests",
        )
        .await;
    world
        .run("INSERT INTO sync.batch_items (batch_id, sync_id) SELECT b.id, s.id FROM sync.batches b, sync.erp_syncs s")
        .await;
    let settle = || async {
        sqlx::query_scalar::<_, Option<i64>>("SELECT sync.batch_settle($1)")
            .bind(batch.as_uuid())
            .fetch_one(&world.pool)
            .await
            .expect("it settles")
    };
    assert_eq!(settle().await, Some(1), "it is still open");
    world.run("UPDATE sync.erp_syncs SET outcome = 'known', unknown_since = NULL, settle_until = NULL").await;
    assert_eq!(settle().await, None, "the batch is over");
    let progress = batch::progress(&world.pool, batch).await.expect("readable").expect("there");
    assert_eq!((progress.done, progress.failed), (0, 1));
}
