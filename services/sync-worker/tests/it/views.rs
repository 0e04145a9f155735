//! `UPCOACH_MODE=views`, what is its own: UpCoach's amounts, and a database of the other mode.

use domain::upcoach::UpcoachMode;
use testkit::{Service, eventually};

use crate::kit::{SOON, World, transaction_sync};

#[tokio::test]
async fn what_upcoach_divided_by_100_arrives_in_flasherp_as_stripe_said_it() {
    let world = World::in_mode(UpcoachMode::Views).await;
    let _worker = world.worker().await;
    let user = world.insert_user(Some("ada@example.com")).await;
    // in Stripe's units; UpCoach holds 10.99, 5.00, 12.30 and 9.00
    for (units, currency, told) in
        [(1099, "usd", "10.99"), (500, "jpy", "500"), (1230, "kwd", "1.230"), (900, "isk", "9")]
    {
        let payment = world.platform.insert_payment(user, "completed", units, currency, None).await;
        world.sync_becomes(transaction_sync(payment), "synced").await;
        let records = world.sandbox.records("transactions").await;
        let record = records.iter().find(|record| record.reference() == payment.to_string()).expect("it is there");
        assert_eq!(record.json("amount"), Some(told), "{currency}");
    }
}

#[tokio::test]
async fn a_worker_of_the_other_mode_waits_and_says_why() {
    let world = World::new().await;
    let options = world.worker_options("other").env("UPCOACH_MODE", "views");
    let mut worker = Service::start(options).await.expect("it starts");
    eventually(SOON, "it says what is wrong", || async {
        std::fs::read_to_string(worker.log()).is_ok_and(|log| log.contains("run deploy/upcoach-views.sql"))
    })
    .await;
    world.platform.make_tables().await;
    world.platform.make_views().await;
    worker.until_ready(SOON).await.expect("ready");
}
