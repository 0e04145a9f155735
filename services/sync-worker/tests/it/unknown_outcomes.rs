//! Lost answers: looked up before anything is written again.

use crate::kit::{World, customer_sync, transaction_sync};
use testkit::sandbox::{Fault, FaultAction, FaultBody};

async fn one_payment_under(fault: Fault, capabilities: &[&str]) -> World {
    let world = World::new().await;
    world.sandbox.set_capabilities(capabilities).await;
    world.sandbox.add_fault(&fault.on("POST", "/transactions")).await;
    let user = world.insert_user(Some("ada@example.com")).await;
    let payment = world.insert_payment(user, 1099).await;
    let _worker = world.worker().await;
    let row = world.sync_becomes(transaction_sync(payment), "synced").await;
    assert_eq!(row.outcome, "known");
    world.flasherp_has_each_once(1).await;
    world
}

#[tokio::test]
async fn a_lost_response_does_not_make_a_second_transaction() {
    one_payment_under(Fault::new(FaultAction::CutAfterWrite).times(1), &[]).await;
}

#[tokio::test]
async fn a_lost_response_is_repeated_at_once_where_keys_are_honoured() {
    let world = one_payment_under(Fault::new(FaultAction::CutAfterWrite).times(1), &["idempotency-key"]).await;
    let counters = world.sandbox.counters().await;
    assert!(counters.idempotent_replays + counters.calls_of("GET /v1/transactions") >= 1);
}

#[tokio::test]
async fn a_write_that_takes_effect_after_its_caller_gave_up_is_adopted() {
    one_payment_under(Fault::new(FaultAction::LateWrite { delay_ms: 1500 }).times(1), &[]).await;
}

#[tokio::test]
async fn a_write_that_never_took_effect_is_made_after_the_look_up() {
    let world = one_payment_under(Fault::new(FaultAction::CutBeforeWrite).times(1), &[]).await;
    assert_eq!(world.sandbox.counters().await.calls_of("POST /v1/transactions"), 2);
}

#[tokio::test]
async fn a_proxys_error_page_after_the_write_is_an_unknown_outcome() {
    let action = FaultAction::Status { status: 502, body: FaultBody::Html, retry_after: None, after_write: true };
    one_payment_under(Fault::new(action).times(1), &[]).await;
}

#[tokio::test]
async fn a_lost_answer_to_an_update_is_looked_up_and_brought_to_the_newest_state() {
    let world = World::new().await;
    let _worker = world.worker().await;
    let user = world.insert_user(Some("ada@example.com")).await;
    let payment = world.insert_payment(user, 1000).await;
    world.sync_becomes(transaction_sync(payment), "synced").await;
    world.sandbox.add_fault(&Fault::new(FaultAction::CutAfterWrite).on("PUT", "/transactions/{id}").times(1)).await;
    world.run("UPDATE upcoach.transactions SET amount = 2000").await;
    testkit::eventually(crate::kit::SOON, "the update is unknown", || async {
        world.sync(transaction_sync(payment)).await.is_some_and(|row| row.outcome == "unknown")
    })
    .await;
    world.run("UPDATE upcoach.transactions SET amount = 3000").await;
    testkit::eventually(crate::kit::SOON, "the newest amount is there", || async {
        world.sandbox.records("transactions").await[0].json("amount") == Some("30.00")
    })
    .await;
    world.all_synced().await;
    world.flasherp_has_each_once(1).await;
}

#[tokio::test]
async fn what_retrying_cannot_mend_fails_at_once_and_says_why() {
    let world = World::new().await;
    let _worker = world.worker().await;
    let user = world.insert_user(Some("ada@example.com")).await;
    let payment = world.insert_payment(user, 1000).await;
    world.run("UPDATE upcoach.transactions SET currency = 'xxx'").await;
    let row = world.sync_becomes(transaction_sync(payment), "failed").await;
    assert_eq!(row.error_code.as_deref(), Some("VALIDATION_ERROR"));
    assert_eq!((row.retry_count, row.due_at), (0, None));
    world.run("UPDATE upcoach.transactions SET currency = 'eur'").await;
    world.sync_becomes(transaction_sync(payment), "synced").await;
}

#[tokio::test]
async fn a_lost_answer_gives_the_lease_back_at_once_and_is_looked_up_after_the_settle_time() {
    let world = World::new().await;
    world.sandbox.set_capabilities(&[]).await;
    world.sandbox.add_fault(&Fault::new(FaultAction::CutAfterWrite).on("POST", "/transactions").times(1)).await;
    let user = world.insert_user(Some("ada@example.com")).await;
    let payment = world.insert_payment(user, 1099).await;
    let options = world.worker_options("worker").env("FLASHERP_SETTLE_SECS", "30").env("SYNC_LEASE_SECS", "3600");
    let _worker = testkit::Service::start(options).await.expect("the worker starts");
    let row = world.sync_becomes(transaction_sync(payment), "failed").await;
    assert_eq!((row.outcome.as_str(), row.error_code.as_deref()), ("unknown", Some("NETWORK_ERROR")));
    assert_eq!(row.retry_count, 0);
    assert!(row.due_at.is_some());
    assert_eq!(world.sandbox.counters().await.calls_of("POST /v1/transactions"), 1);
}

#[tokio::test]
async fn a_definite_failure_spends_its_retries_and_then_waits_for_a_hand() {
    let world = World::new().await;
    world.sandbox.add_fault(&Fault::status(429).on("POST", "/transactions")).await;
    let user = world.insert_user(Some("ada@example.com")).await;
    let payment = world.insert_payment(user, 1099).await;
    let options = world.worker_options("worker").env("SYNC_MAX_RETRIES", "1").env("SYNC_LEASE_SECS", "3600");
    let _worker = testkit::Service::start(options).await.expect("the worker starts");
    testkit::eventually(crate::kit::SOON, "the retries are spent", || async {
        world
            .sync(transaction_sync(payment))
            .await
            .is_some_and(|row| row.sync_status == "failed" && row.due_at.is_none())
    })
    .await;
    let row = world.sync(transaction_sync(payment)).await.expect("a row");
    assert_eq!((row.retry_count, row.error_code.as_deref()), (1, Some("RATE_LIMIT_EXCEEDED")));
    let written = "SELECT count(*) FROM audit.erp_audit_logs WHERE entity_type = 'transaction' AND status = 'failed'";
    assert_eq!(world.count(written).await, 2);

    world.sandbox.clear_faults().await;
    sqlx::query("SELECT sync.retry(ARRAY[$1])")
        .bind(transaction_sync(payment).as_uuid())
        .execute(&world.pool)
        .await
        .expect("retried by hand");
    world.sync_becomes(transaction_sync(payment), "synced").await;
    world.flasherp_has_each_once(1).await;
}

async fn unknown_row(world: &World, payment: uuid::Uuid) {
    sqlx::query(
        "INSERT INTO sync.erp_syncs (id, source_type, source_id, sync_status, outcome, unknown_since, settle_until, due_at)
         VALUES ($1, 'transaction', $2, 'failed', 'unknown', now() - interval '1 minute', now(), now())",
    )
    .bind(transaction_sync(payment).as_uuid())
    .bind(payment)
    .execute(&world.pool)
    .await
    .expect("an unknown row");
}

#[tokio::test]
async fn an_unknown_record_whose_customer_fails_is_looked_up_and_then_fails_by_name() {
    let world = World::new().await;
    let user = world.insert_user(None).await;
    let payment = world.insert_payment(user, 1000).await;
    unknown_row(&world, payment).await;
    let _worker = world.worker().await;
    testkit::eventually(crate::kit::SOON, "it has been looked up", || async {
        world.sync(transaction_sync(payment)).await.is_some_and(|row| row.outcome == "known" && row.waits_for.is_some())
    })
    .await;
    let row = world.sync(transaction_sync(payment)).await.expect("a row");
    assert_eq!((row.sync_status.as_str(), row.error_code.as_deref()), ("failed", Some("SYNC_FAILED")));
    assert_eq!(world.sandbox.counters().await.calls_of("GET /v1/transactions"), 1);
}

#[tokio::test]
async fn an_unknown_record_that_is_gone_from_upcoach_is_looked_up_once_and_ends() {
    let world = World::new().await;
    let gone = uuid::Uuid::new_v4();
    unknown_row(&world, gone).await;
    let _worker = world.worker().await;
    testkit::eventually(crate::kit::SOON, "it has come to an end", || async {
        world.sync(transaction_sync(gone)).await.is_some_and(|row| row.outcome == "known" && row.due_at.is_none())
    })
    .await;
    let row = world.sync(transaction_sync(gone)).await.expect("a row");
    assert_eq!((row.sync_status.as_str(), row.error_code.as_deref()), ("failed", Some("RESOURCE_NOT_FOUND")));
}

/// A customer in step whose worker has died with it in hand, nothing having been sent; finance has renamed it since.
async fn renamed_while_unknown(world: &World) -> domain::SyncId {
    let user = world.insert_user(Some("ada@example.com")).await;
    let sync = customer_sync(user);
    let worker = world.worker().await;
    let target = world.sync_becomes(sync, "synced").await.target_id.expect("a target");
    drop(worker);
    world
        .run(
            "UPDATE sync.erp_syncs SET sync_status = 'failed', outcome = 'unknown', unknown_since = clock_timestamp(),
                 settle_until = clock_timestamp(), due_at = clock_timestamp()",
        )
        .await;
    let renamed = serde_json::json!({"name": "Renamed by finance"});
    world.sandbox.edit_record("customers", &target, renamed).await;
    sync
}

async fn name_in_flasherp(world: &World) -> String {
    world.sandbox.records("customers").await[0].text("name").unwrap_or_default()
}

#[tokio::test]
async fn what_finance_changed_while_the_outcome_was_unknown_is_not_written_over() {
    let world = World::new().await;
    let sync = renamed_while_unknown(&world).await;
    let before = world.count("SELECT (extract(epoch FROM target_updated_at) * 1000)::bigint FROM sync.erp_syncs").await;
    let _worker = world.worker().await;
    world.sync_becomes(sync, "synced").await;
    assert_eq!(name_in_flasherp(&world).await, "Renamed by finance");
    assert_eq!(world.sandbox.counters().await.calls_of("PUT /v1/customers/{id}"), 0);
    // FlashERP's word of it, which is on its way, is news.
    let after = world.count("SELECT (extract(epoch FROM target_updated_at) * 1000)::bigint FROM sync.erp_syncs").await;
    assert_eq!(after, before);
}

#[tokio::test]
async fn what_upcoach_changed_while_the_outcome_was_unknown_is_written_whatever_is_there() {
    let world = World::new().await;
    let sync = renamed_while_unknown(&world).await;
    world.run("UPDATE upcoach.users SET name = 'Renamed by Stripe'").await;
    let _worker = world.worker().await;
    testkit::eventually(crate::kit::SOON, "UpCoach's name is there", || async {
        name_in_flasherp(&world).await == "Renamed by Stripe"
    })
    .await;
    world.sync_becomes(sync, "synced").await;
}
