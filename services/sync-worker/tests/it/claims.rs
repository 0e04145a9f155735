//! What is claimed and when: counters, conditions, coalescing, UpCoach's own open transactions.

use domain::upcoach::UpcoachMode;
use rstest::rstest;

use crate::kit::{SOON, World, customer_sync, transaction_sync};
use testkit::eventually;

#[rstest]
#[case::tables(UpcoachMode::Tables)]
#[case::views(UpcoachMode::Views)]
#[tokio::test]
async fn a_change_that_upcoach_commits_after_the_claim_is_not_lost(#[case] mode: UpcoachMode) {
    let world = World::in_mode(mode).await;
    let _worker = world.worker().await;
    let user = world.insert_user(Some("ada@example.com")).await;
    let payment = world.insert_payment(user, 1000).await;
    world.sync_becomes(transaction_sync(payment), "synced").await;

    // UpCoach's transaction has asked and is still open, while another change is claimed and sent.
    let mut open = world.pool.begin().await.expect("a transaction");
    world.platform.set_amount(&mut *open, payment, 3000).await;
    let other = world.insert_payment(user, 1).await;
    world.sync_becomes(transaction_sync(other), "synced").await;
    assert_eq!(world.count("SELECT count(*) FROM sync.requests").await, 0, "the open request is not visible yet");
    open.commit().await.expect("commit");

    eventually(SOON, "the late commit arrives", || async {
        let records = world.sandbox.records("transactions").await;
        records.iter().any(|record| record.reference() == payment.to_string() && record.json("amount") == Some("30.00"))
    })
    .await;
    world.flasherp_has_each_once(2).await;
}

#[rstest]
#[case::tables(UpcoachMode::Tables)]
#[case::views(UpcoachMode::Views)]
#[tokio::test]
async fn a_change_during_the_call_goes_round_once_more_and_many_changes_are_one_call(#[case] mode: UpcoachMode) {
    let world = World::in_mode(mode).await;
    world.sandbox.set_latency(std::time::Duration::from_millis(400), std::time::Duration::from_millis(400)).await;
    let user = world.insert_user(Some("ada@example.com")).await;
    let payment = world.insert_payment(user, 1000).await;
    let _worker = world.worker().await;
    eventually(SOON, "the transaction is in hand", || async {
        world.sync(transaction_sync(payment)).await.is_some_and(|row| row.sync_status == "syncing")
    })
    .await;
    for amount in 1..=20_i64 {
        world.platform.set_amount(&world.pool, payment, 2000 + amount).await;
    }
    eventually(SOON, "the newest amount is in FlashERP", || async {
        world.sandbox.records("transactions").await.iter().any(|record| record.json("amount") == Some("20.20"))
    })
    .await;
    world.all_synced().await;
    let counters = world.sandbox.counters().await;
    let updates = counters.calls_of("PUT /v1/transactions/{id}");
    assert!(updates < 10, "20 changes made {updates} updates");
    world.flasherp_has_each_once(1).await;
}

#[rstest]
#[case::tables(UpcoachMode::Tables)]
#[case::views(UpcoachMode::Views)]
#[tokio::test]
async fn an_equal_record_is_synced_without_a_call(#[case] mode: UpcoachMode) {
    let world = World::in_mode(mode).await;
    let _worker = world.worker().await;
    let user = world.insert_user(Some("ada@example.com")).await;
    let payment = world.insert_payment(user, 1000).await;
    world.sync_becomes(transaction_sync(payment), "synced").await;
    let before = world.sandbox.counters().await.calls;
    world.run("SELECT sync.request('transaction', array_agg(id), 'job', false, NULL) FROM upcoach.transactions").await;
    eventually(SOON, "the request is answered", || async {
        world.count("SELECT count(*) FROM sync.requests").await == 0
            && world.count("SELECT count(*) FROM sync.erp_syncs WHERE requested = 2 AND sync_status = 'synced'").await
                == 1
    })
    .await;
    let after = world.sandbox.counters().await.calls;
    let writes = |calls: &std::collections::BTreeMap<String, u64>| {
        calls.iter().filter(|(operation, _)| operation.contains("/transactions")).map(|(_, count)| *count).sum::<u64>()
    };
    assert_eq!(writes(&before), writes(&after));
}

#[rstest]
#[case::tables(UpcoachMode::Tables)]
#[case::views(UpcoachMode::Views)]
#[tokio::test]
async fn what_is_switched_off_or_paused_waits_and_only_a_hand_passes_auto_sync_off(#[case] mode: UpcoachMode) {
    let world = World::in_mode(mode).await;
    world.run("UPDATE config.erp_configurations SET enable_auto_sync = false").await;
    let _worker = world.worker().await;
    let user = world.insert_user(Some("ada@example.com")).await;
    let payment = world.insert_payment(user, 1000).await;
    let waiting = world.insert_payment(user, 2000).await;
    let pending = world.sync_becomes(transaction_sync(payment), "pending").await;
    assert!(pending.target_id.is_none() && pending.due_at.is_some());

    world.run("SELECT sync.gate_pause('admin', 'month end')").await;
    sqlx::query("SELECT sync.request('transaction', ARRAY[$1], 'manual', false, NULL)")
        .bind(payment)
        .execute(&world.pool)
        .await
        .expect("asked");
    eventually(SOON, "the manual request is folded", || async {
        world.count("SELECT count(*) FROM sync.requests").await == 0
    })
    .await;
    assert_eq!(world.sync(transaction_sync(payment)).await.expect("a row").sync_status, "pending");
    assert_eq!(world.sandbox.counters().await.records_of("transactions"), 0);

    world.run("SELECT sync.gate_resume()").await;
    world.sync_becomes(transaction_sync(payment), "synced").await;
    // its customer came along, although nobody asked for it by hand
    assert_eq!(world.sync(customer_sync(user)).await.expect("a row").sync_status, "synced");
    assert_eq!(world.sync(transaction_sync(waiting)).await.expect("a row").sync_status, "pending");

    world.run("UPDATE config.erp_configurations SET enable_auto_sync = true").await;
    world.sync_becomes(transaction_sync(waiting), "synced").await;
    world.flasherp_has_each_once(2).await;
}

#[rstest]
#[case::tables(UpcoachMode::Tables)]
#[case::views(UpcoachMode::Views)]
#[tokio::test]
async fn a_type_out_of_scope_is_skipped_with_the_reason_but_goes_along_as_somebodys_customer(
    #[case] mode: UpcoachMode,
) {
    let world = World::in_mode(mode).await;
    world
        .run("UPDATE config.erp_configurations SET sync_scope = '{\"transactions\": true, \"customers\": false}'")
        .await;
    let _worker = world.worker().await;
    let user = world.insert_user(Some("ada@example.com")).await;
    let skipped = world.sync_becomes(customer_sync(user), "skipped").await;
    assert!(skipped.target_id.is_none());
    let payment = world.insert_payment(user, 1000).await;
    world.sync_becomes(transaction_sync(payment), "synced").await;
    assert!(world.sync(customer_sync(user)).await.expect("a row").target_id.is_some());
}
