//! Brokers.

use testkit::{PrivateBroker, TestBroker};

#[tokio::test]
async fn two_tests_on_the_shared_broker_have_subjects_of_their_own() {
    let (one, two) = (TestBroker::new().await, TestBroker::new().await);
    assert_eq!(one.url(), two.url());
    assert_ne!(one.prefix(), two.prefix());
    assert!(one.prefix().ends_with('.'));
}

#[tokio::test]
async fn a_broker_comes_back_on_its_port_after_being_killed_and_robbed() {
    let mut broker = PrivateBroker::start().await;
    let (port, first) = (broker.nats.port(), broker.nats.process().expect("it runs"));
    assert!(broker.nats.delete_storage().is_err(), "not while it runs");
    broker.nats.kill().await.expect("killed");
    assert!(!first.is_alive());
    broker.nats.delete_storage().expect("removed");
    broker.nats.restart().await.expect("back");
    assert_eq!(broker.nats.port(), port);
    assert_ne!(broker.nats.process(), Some(first));
}
