//! `kill -9` of every part in the middle of 500 events: every accepted event is one transaction in FlashERP.

use testkit::eventually;

use crate::system::{LONG, System};

const STORIES: u32 = 250;
const PER_SECOND: u32 = 150;

#[tokio::test]
async fn ingress_killed_in_the_middle_of_500_events() {
    let mut system = System::new().await;
    let send = system.send(STORIES, PER_SECOND).await;
    for accepted in [100, 250] {
        system.accepted(send, accepted).await;
        system.ingress.kill().await.expect("killed");
        system.ingress.restart().await.expect("ingress starts again");
    }
    let progress = system.ends_with_every_payment_once(send).await;
    assert!(progress.retried > 0, "the kill was not felt");
}

#[tokio::test]
async fn the_worker_killed_in_the_middle_of_500_events() {
    let mut system = System::new().await;
    let send = system.send(STORIES, PER_SECOND).await;
    for accepted in [100, 250] {
        system.accepted(send, accepted).await;
        system.worker.kill().await.expect("killed");
        system.worker.restart().await.expect("the worker starts again");
    }
    system.ends_with_every_payment_once(send).await;
}

#[tokio::test]
async fn the_broker_killed_in_the_middle_of_500_events() {
    let mut system = System::new().await;
    let send = system.send(STORIES, PER_SECOND).await;
    for accepted in [100, 250] {
        system.accepted(send, accepted).await;
        system.broker.nats.kill().await.expect("killed");
        system.broker.nats.restart().await.expect("the broker starts again");
    }
    system.ends_with_every_payment_once(send).await;
}

#[tokio::test]
async fn the_brokers_storage_deleted_while_it_is_stopped() {
    let mut system = System::new().await;
    let send = system.send(STORIES, PER_SECOND).await;
    system.accepted(send, 150).await;
    system.broker.nats.kill().await.expect("killed");
    system.broker.nats.delete_storage().expect("everything it knew is gone");
    system.accepted(send, 250).await;
    system.broker.nats.restart().await.expect("the broker starts again");
    system.ends_with_every_payment_once(send).await;
}

#[tokio::test]
async fn the_database_killed_in_the_middle_of_500_events() {
    let mut system = System::new().await;
    let send = system.send(STORIES, PER_SECOND).await;
    for accepted in [100, 250] {
        system.accepted(send, accepted).await;
        system.database.postgres.kill().await.expect("killed");
        system.database.postgres.restart().await.expect("the database starts again");
    }
    let progress = system.ends_with_every_payment_once(send).await;
    assert!(progress.statuses.keys().all(|status| [200, 503, 0].contains(status)), "{:?}", progress.statuses);
}

#[tokio::test]
async fn while_the_database_is_down_nothing_is_acknowledged_and_every_retry_is_applied_once() {
    let mut system = System::new().await;
    let send = system.send(STORIES, PER_SECOND).await;
    system.accepted(send, 100).await;
    system.database.postgres.kill().await.expect("killed");
    let refused = async |at_least: u64| {
        eventually(LONG, "senders hear 503", || async {
            system.sandbox.stripe_progress(send).await.statuses.get(&503).is_some_and(|count| *count >= at_least)
        })
        .await;
        system.sandbox.stripe_progress(send).await.accepted
    };
    // When so many have been refused, each of the 32 senders has heard at least one answer since.
    let accepted = refused(100).await;
    assert_eq!(refused(200).await, accepted, "something was acknowledged without a database");
    system.database.postgres.restart().await.expect("the database starts again");
    let progress = system.ends_with_every_payment_once(send).await;
    assert!(progress.retried >= 100, "{} retries", progress.retried);
    assert!(progress.statuses.keys().all(|status| [200, 503, 0].contains(status)), "{:?}", progress.statuses);
}

#[tokio::test]
async fn every_part_killed_one_after_the_other() {
    let mut system = System::new().await;
    let send = system.send(STORIES, PER_SECOND).await;
    system.accepted(send, 60).await;
    system.worker.kill().await.expect("killed");
    system.accepted(send, 120).await;
    system.broker.nats.kill().await.expect("killed");
    system.worker.restart().await.expect("the worker starts without a broker");
    system.accepted(send, 180).await;
    system.database.postgres.kill().await.expect("killed");
    system.ingress.kill().await.expect("killed");
    system.database.postgres.restart().await.expect("the database starts again");
    system.ingress.restart().await.expect("ingress starts again");
    system.broker.nats.restart().await.expect("the broker starts again");
    system.worker.until_ready(LONG).await.expect("the worker is ready again");
    system.ends_with_every_payment_once(send).await;
}
