//! Lost answers: looked up before anything is written again.

use crate::kit::{World, transaction_sync};
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
