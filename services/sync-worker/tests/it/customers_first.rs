//! Dependents and their customer.

use domain::upcoach::UpcoachMode;
use rstest::rstest;

use crate::kit::{SOON, World, customer_sync, transaction_sync};
use testkit::eventually;
use testkit::sandbox::Fault;

#[rstest]
#[case::tables(UpcoachMode::Tables)]
#[case::views(UpcoachMode::Views)]
#[tokio::test]
async fn many_payments_of_a_new_customer_make_one_customer(#[case] mode: UpcoachMode) {
    let world = World::in_mode(mode).await;
    let user = world.insert_user(Some("ada@example.com")).await;
    for cents in 1..=40 {
        world.insert_payment(user, cents).await;
    }
    let _worker = world.worker().await;
    world.all_synced().await;
    eventually(SOON, "all are in FlashERP", || async {
        world.sandbox.counters().await.records_of("transactions") == 40
    })
    .await;
    world.flasherp_has_each_once(40).await;
    assert_eq!(world.sandbox.counters().await.calls_of("POST /v1/customers"), 1);
}

#[rstest]
#[case::tables(UpcoachMode::Tables)]
#[case::views(UpcoachMode::Views)]
#[tokio::test]
async fn a_customer_that_fails_for_good_fails_its_dependents_by_name_and_its_success_brings_them_along(
    #[case] mode: UpcoachMode,
) {
    let world = World::in_mode(mode).await;
    let user = world.insert_user(None).await;
    let payment = world.insert_payment(user, 1000).await;
    let _worker = world.worker().await;
    let customer = world.sync_becomes(customer_sync(user), "failed").await;
    assert_eq!(customer.error_code.as_deref(), Some("MISSING_REQUIRED_FIELD"));
    let failed = world.sync_becomes(transaction_sync(payment), "failed").await;
    assert_eq!(failed.error_code.as_deref(), Some("SYNC_FAILED"));
    assert!(failed.error_message.expect("a message").contains(&user.to_string()));
    assert_eq!((failed.retry_count, failed.due_at), (0, None));
    assert_eq!(failed.waits_for, Some(customer_sync(user).as_uuid()));

    world.platform.set_email(user, "ada@example.com").await;
    world.sync_becomes(transaction_sync(payment), "synced").await;
    world.flasherp_has_each_once(1).await;
}

#[rstest]
#[case::tables(UpcoachMode::Tables)]
#[case::views(UpcoachMode::Views)]
#[tokio::test]
async fn dependents_wait_for_a_customer_that_is_being_retried_without_spending_retries(#[case] mode: UpcoachMode) {
    let world = World::in_mode(mode).await;
    world.sandbox.add_fault(&Fault::status(429).on("POST", "/customers").times(8)).await;
    let user = world.insert_user(Some("ada@example.com")).await;
    let payment = world.insert_payment(user, 1000).await;
    let _worker = world.worker().await;
    eventually(SOON, "the payment waits", || async {
        world.sync(transaction_sync(payment)).await.is_some_and(|row| row.waits_for.is_some())
    })
    .await;
    let row = world.sync_becomes(transaction_sync(payment), "synced").await;
    assert_eq!(row.retry_count, 0);
    world.flasherp_has_each_once(1).await;
}

#[tokio::test]
async fn a_customer_out_of_scope_is_retried_like_any_other_while_somebody_waits_for_it() {
    let world = World::new().await;
    world
        .run("UPDATE config.erp_configurations SET sync_scope = '{\"transactions\": true, \"customers\": false}'")
        .await;
    world.sandbox.add_fault(&Fault::status(429).on("POST", "/customers").times(5)).await;
    let user = world.insert_user(Some("ada@example.com")).await;
    let payment = world.insert_payment(user, 1000).await;
    let _worker = world.worker().await;
    world.sync_becomes(transaction_sync(payment), "synced").await;
    world.flasherp_has_each_once(1).await;
    assert_eq!(world.sandbox.counters().await.calls_of("POST /v1/customers"), 6);
}

#[tokio::test]
async fn a_customer_that_was_deleted_in_flasherp_is_made_anew_when_a_dependent_is_refused_for_it() {
    let world = World::new().await;
    let _worker = world.worker().await;
    let user = world.insert_user(Some("ada@example.com")).await;
    let before = world.sync_becomes(customer_sync(user), "synced").await.target_id.expect("a target");
    world.sandbox.remove_record("customers", &before).await;
    let mut payments = Vec::new();
    for cents in 1..=30 {
        payments.push(world.insert_payment(user, cents).await);
    }
    for payment in payments {
        world.sync_becomes(transaction_sync(payment), "synced").await;
    }
    world.flasherp_has_each_once(30).await;
    let customers = world.sandbox.records("customers").await;
    assert_eq!(customers.len(), 1);
    assert_ne!(customers[0].id(), before);
    let of = world.sandbox.records("transactions").await;
    assert!(of.iter().all(|record| record.text("customerId") == Some(customers[0].id())));
}

#[tokio::test]
async fn a_deleted_customer_that_cannot_be_made_anew_fails_its_dependents_by_name_until_it_can() {
    let world = World::new().await;
    let _worker = world.worker().await;
    let user = world.insert_user(Some("ada@example.com")).await;
    let before = world.sync_becomes(customer_sync(user), "synced").await.target_id.expect("a target");
    world.sandbox.remove_record("customers", &before).await;
    world.sandbox.add_fault(&Fault::status(400).on("POST", "/customers")).await;
    let payment = world.insert_payment(user, 100).await;
    let row = testkit::eventually_some(SOON, "it has failed", || async {
        world.sync(transaction_sync(payment)).await.filter(|row| row.sync_status == "failed" && row.due_at.is_none())
    })
    .await;
    assert_eq!(row.error_code.as_deref(), Some("SYNC_FAILED"));
    assert_eq!(row.waits_for, Some(customer_sync(user).as_uuid()));

    world.sandbox.clear_faults().await;
    sqlx::query("SELECT sync.retry(ARRAY[$1])")
        .bind(customer_sync(user).as_uuid())
        .execute(&world.pool)
        .await
        .expect("retried by hand");
    world.sync_becomes(transaction_sync(payment), "synced").await;
    world.flasherp_has_each_once(1).await;
}
