//! The same event more than once, to one ingress and to several.

use futures::future::join_all;

use crate::harness::{Bench, event, rows};

#[tokio::test]
async fn an_event_sent_again_is_a_duplicate_and_stored_once() {
    let bench = Bench::new().await;
    let ingress = bench.start().await;
    assert!(!ingress.deliver(event("evt_1")).await);
    for _ in 0..3 {
        assert!(ingress.deliver(event("evt_1")).await);
    }
    assert_eq!(rows(&bench.pool().await, "evt_1").await, 1);
}

#[tokio::test]
async fn the_same_event_to_two_ingresses_at_once_is_stored_once() {
    let bench = Bench::new().await;
    let (one, other) = tokio::join!(bench.start(), bench.start());
    let ids: Vec<String> = (0..50).map(|n| format!("evt_{n}")).collect();
    let answers = join_all(ids.iter().map(async |id| {
        let deliveries =
            [one.deliver(event(id)), other.deliver(event(id)), one.deliver(event(id)), other.deliver(event(id))];
        join_all(deliveries).await
    }))
    .await;
    for (id, duplicates) in ids.iter().zip(answers) {
        assert_eq!(duplicates.iter().filter(|duplicate| !**duplicate).count(), 1, "{id}: one delivery is the first");
    }
    let stored: i64 = sqlx::query_scalar("SELECT count(*) FROM ingress.webhook_events")
        .fetch_one(&bench.pool().await)
        .await
        .expect("rows");
    assert_eq!(stored, 50);
}

#[tokio::test]
async fn an_event_of_another_process_is_a_duplicate_after_a_restart() {
    let bench = Bench::new().await;
    let before = bench.start().await;
    assert!(!before.deliver(event("evt_1")).await);
    before.stop().await.expect("joins").expect("stops in order");
    let after = bench.start().await;
    assert!(after.deliver(event("evt_1")).await);
}
