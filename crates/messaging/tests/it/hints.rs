//! Hints: never in the way, split, lost when the broker is away.

use std::collections::BTreeSet;

use events::traffic::Party;
use events::{Decode as _, Event, SyncRequested};
use futures::StreamExt as _;
use testkit::{PrivateBroker, TestBroker};

use crate::support::{SOON, connected, connecting, hint, listen, on};

/// The value of a counter with a label, summed over the others.
fn counted(name: &str, label: &str) -> u64 {
    let page = service::metrics::render().expect("rendered");
    let lines = page.lines().filter(|line| line.starts_with(name) && line.contains(label));
    lines.filter_map(|line| line.rsplit_once(' ')?.1.parse::<u64>().ok()).sum()
}

#[tokio::test]
async fn many_ids_come_in_messages_of_at_most_a_thousand_and_none_is_missing() {
    let test = TestBroker::new().await;
    let broker = on(&test, Party::SyncWorker).await;
    let mut subscriber = listen(&broker, "sync.requested.*").await;
    broker.hints().publish(hint(0..2_300));
    let mut ids = BTreeSet::new();
    let mut sizes = Vec::new();
    while ids.len() < 2_300 {
        let message = tokio::time::timeout(SOON, subscriber.next()).await.expect("in time").expect("a message");
        let event = Event::<SyncRequested>::decode(&message.payload).expect("an event");
        assert_eq!(event.source, "/erp/sync-worker");
        sizes.push(event.data.ids.len());
        ids.extend(event.data.ids);
    }
    assert_eq!(sizes, [1_000, 1_000, 300]);
}

#[tokio::test]
async fn hints_do_not_block_while_the_broker_is_down_and_are_dropped_and_counted() {
    let mut private = PrivateBroker::start().await;
    private.nats.stop().await.expect("stopped");
    let broker = connecting(&private.url_for("admin"), "", Party::SyncWorker).await;
    let before = counted("erp_hints_dropped_total", "disconnected") + counted("erp_hints_dropped_total", "buffer_full");
    // More than any buffer holds; this is not an async call, so it can't wait.
    for id in 0..5_000 {
        broker.hints().publish(hint([id]));
    }
    broker.hints().flush().await;
    let after = counted("erp_hints_dropped_total", "disconnected") + counted("erp_hints_dropped_total", "buffer_full");
    assert!(after - before >= 5_000, "{before} {after}");

    private.nats.restart().await.expect("restarted");
    let listener = connected(&private.url_for("admin"), "", Party::SyncWorker).await;
    let mut subscriber = listen(&listener, "sync.requested.*").await;
    let mut state = broker.state();
    tokio::time::timeout(SOON, state.wait_for(|state| state.connected)).await.expect("in time").expect("lives");
    broker.hints().publish(hint([9_999]));
    let message = tokio::time::timeout(SOON, subscriber.next()).await.expect("in time").expect("a message");
    let event = Event::<SyncRequested>::decode(&message.payload).expect("an event");
    assert_eq!(event.data, hint([9_999]), "what was dropped does not come late");
}

#[tokio::test]
async fn closing_sends_what_was_published_before() {
    let test = TestBroker::new().await;
    let broker = on(&test, Party::SyncWorker).await;
    let listener = on(&test, Party::SyncWorker).await;
    let mut subscriber = listen(&listener, "sync.requested.*").await;
    for id in 0..100 {
        broker.hints().publish(hint([id]));
    }
    broker.close().await;
    drop(broker);
    for _ in 0..100 {
        tokio::time::timeout(SOON, subscriber.next()).await.expect("in time").expect("a message");
    }
}
