//! The consumer loop while the broker is well.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use events::traffic::{Durable, Party};
use messaging::consumer::{ConsumerOptions, Disposition, Dispositions};
use testkit::{TestBroker, eventually};

use crate::recorder::{ids_of, record, record_acked, record_gated};
use crate::support::{SOON, durable_info, hint, on, publish_stored, store_hint};

const OUTBOUND: Durable = Durable::SyncWorkerOutbound;

/// A connection on which the durable is there already, so that no hint is too early.
async fn prepared(test: &TestBroker) -> messaging::Broker {
    let broker = on(test, Party::SyncWorker).await;
    broker.topology().ensure_durable(OUTBOUND).await.expect("made");
    broker
}

#[tokio::test]
async fn a_hint_is_handled_once_and_acked_only_after_the_handler() {
    let test = TestBroker::new().await;
    let broker = prepared(&test).await;
    let mut recording = record_gated(&broker, ConsumerOptions::default(), 0, |_| Dispositions::all(Disposition::Ack));
    let sender = on(&test, Party::Ingress).await;
    sender.hints().publish(hint([7]));

    let hint = recording.hint().await;
    assert_eq!((ids_of(&hint), hint.subject.as_str(), hint.deliveries), (vec![7], "sync.requested.transaction", 1));
    // The handler has seen it and has not returned.
    let info = durable_info(&broker, OUTBOUND).await;
    assert_eq!((info.num_ack_pending, info.ack_floor.stream_sequence), (1, 0));

    recording.gate.add_permits(1);
    eventually(SOON, "the hint is acked", || async {
        let info = durable_info(&broker, OUTBOUND).await;
        info.num_ack_pending == 0 && info.ack_floor.stream_sequence == 1
    })
    .await;
    assert!(recording.batches.try_recv().is_err());
    assert_eq!(durable_info(&broker, OUTBOUND).await.num_redelivered, 0);
    recording.stopped().await;
}

#[tokio::test]
async fn a_hint_to_be_retried_comes_again_and_one_to_be_terminated_does_not() {
    let test = TestBroker::new().await;
    let broker = prepared(&test).await;
    let mut recording = record(&broker, |batch| {
        let each = batch.iter().map(|hint| match (ids_of(hint)[0], hint.deliveries) {
            (1, 1) => Disposition::Retry { after: Duration::ZERO },
            (2, _) => Disposition::Terminate,
            _ => Disposition::Ack,
        });
        Dispositions::each(each.collect())
    });
    store_hint(&broker, 1).await;
    store_hint(&broker, 2).await;
    assert_eq!(recording.ids(3).await, [1, 1, 2]);
    eventually(SOON, "nothing is left", || async {
        let info = durable_info(&broker, OUTBOUND).await;
        info.num_ack_pending == 0 && info.num_pending == 0 && info.ack_floor.stream_sequence == 2
    })
    .await;
    assert!(recording.batches.try_recv().is_err());
    recording.stopped().await;
}

#[tokio::test]
async fn an_unparseable_hint_is_terminated_and_does_not_block_those_behind_it() {
    let test = TestBroker::new().await;
    let broker = prepared(&test).await;
    let subject = "sync.requested.transaction";
    publish_stored(&broker, subject, b"{".to_vec()).await;
    publish_stored(&broker, subject, br#"{"type":"upcoach.erp.else.v1","specversion":"1.0"}"#.to_vec()).await;
    store_hint(&broker, 3).await;
    let mut recording = record_acked(&broker);
    assert_eq!(ids_of(&recording.hint().await), [3]);
    eventually(SOON, "all three are settled", || async {
        let info = durable_info(&broker, OUTBOUND).await;
        info.num_ack_pending == 0 && info.ack_floor.stream_sequence == 3
    })
    .await;
    let metrics = service::metrics::render().expect("rendered");
    let counted = metrics.lines().any(|line| {
        line.starts_with("erp_messages_unparseable_total{")
            && line.contains("sync-worker-outbound")
            && !line.ends_with(" 0")
    });
    assert!(counted, "{metrics}");
    recording.stopped().await;
}

#[tokio::test]
async fn a_handler_that_panics_costs_a_retry_and_not_the_loop() {
    let test = TestBroker::new().await;
    let broker = prepared(&test).await;
    let panicked = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&panicked);
    let mut recording = record(&broker, move |batch| {
        if ids_of(&batch[0]) == [1] && counter.fetch_add(1, Ordering::SeqCst) == 0 {
            panic!("on purpose");
        }
        Dispositions::all(Disposition::Ack)
    });
    store_hint(&broker, 1).await;
    assert_eq!(ids_of(&recording.hint().await), [1]);
    store_hint(&broker, 2).await;
    assert_eq!(recording.ids(2).await, [1, 2]);
    eventually(SOON, "both are acked", || async {
        durable_info(&broker, OUTBOUND).await.ack_floor.stream_sequence == 2
    })
    .await;
    recording.stopped().await;
}

#[tokio::test]
async fn messages_come_in_batches_of_at_most_the_given_size_several_at_a_time() {
    let test = TestBroker::new().await;
    let broker = prepared(&test).await;
    for id in 0..20 {
        store_hint(&broker, id).await;
    }
    let options = ConsumerOptions { max_batch: 4, max_in_flight: 2 };
    let mut recording = record_gated(&broker, options, 0, |_| Dispositions::all(Disposition::Ack));
    // Two calls are in hand at the same time, since neither has returned; a third has to wait.
    let mut ids = Vec::new();
    for _ in 0..2 {
        let batch = recording.batch().await;
        assert!(batch.len() <= 4, "{}", batch.len());
        ids.extend(batch.iter().flat_map(ids_of));
    }
    assert!(recording.batches.try_recv().is_err());
    recording.gate.add_permits(20);
    while ids.len() < 20 {
        let batch = recording.batch().await;
        assert!(batch.len() <= 4, "{}", batch.len());
        ids.extend(batch.iter().flat_map(ids_of));
    }
    ids.sort_unstable();
    assert_eq!(ids, (0..20).collect::<Vec<_>>());
    assert_eq!(recording.peak.load(Ordering::SeqCst), 2);
    recording.stopped().await;
}

#[tokio::test]
async fn replicas_share_the_hints_and_each_goes_to_one() {
    let test = TestBroker::new().await;
    let broker = prepared(&test).await;
    let one_by_one = ConsumerOptions { max_batch: 1, max_in_flight: 1 };
    let ack = |_: &[_]| Dispositions::all(Disposition::Ack);
    let mut first = record_gated(&broker, one_by_one, 0, ack);
    let other = on(&test, Party::SyncWorker).await;
    let mut second = record_gated(&other, one_by_one, 0, ack);
    for id in 0..10 {
        store_hint(&broker, id).await;
    }
    // Each has one in hand, so both take part.
    let mut ids = vec![ids_of(&first.hint().await)[0], ids_of(&second.hint().await)[0]];
    first.gate.add_permits(10);
    second.gate.add_permits(10);
    while ids.len() < 10 {
        let hint = tokio::select! { hint = first.hint() => hint, hint = second.hint() => hint };
        ids.extend(ids_of(&hint));
    }
    eventually(SOON, "all are acked", || async {
        durable_info(&broker, OUTBOUND).await.ack_floor.stream_sequence == 10
    })
    .await;
    ids.sort_unstable();
    assert_eq!(ids, (0..10).collect::<Vec<_>>());
    assert!(first.batches.try_recv().is_err() && second.batches.try_recv().is_err());
    first.stopped().await;
    second.stopped().await;
}

#[tokio::test]
async fn a_stop_finishes_what_is_in_hand_and_gives_the_rest_back_at_once() {
    let test = TestBroker::new().await;
    let broker = prepared(&test).await;
    for id in 1..=8 {
        store_hint(&broker, id).await;
    }
    let options = ConsumerOptions { max_batch: 2, max_in_flight: 1 };
    let mut stopping = record_gated(&broker, options, 0, |_| Dispositions::all(Disposition::Ack));
    let in_hand: Vec<_> = stopping.batch().await.iter().flat_map(ids_of).collect();
    eventually(SOON, "more is on its way to this replica", || async {
        durable_info(&broker, OUTBOUND).await.num_ack_pending > in_hand.len()
    })
    .await;
    stopping.stop.cancel();
    // Another replica gets the rest before the ack wait of 30 s could bring it.
    let other = on(&test, Party::SyncWorker).await;
    let mut second = record_acked(&other);
    let rest = tokio::time::timeout(Duration::from_secs(20), second.ids(8 - in_hand.len())).await.expect("in time");
    assert!(!stopping.task.is_finished(), "what is in hand is waited for");
    stopping.gate.add_permits(1);
    let mut all = [in_hand, rest].concat();
    all.sort_unstable();
    assert_eq!(all, (1..=8).collect::<Vec<_>>());
    tokio::time::timeout(SOON, stopping.task).await.expect("the loop ends").expect("without a panic");
    eventually(SOON, "all are acked", || async {
        durable_info(&broker, OUTBOUND).await.ack_floor.stream_sequence == 8
    })
    .await;
    second.stopped().await;
}
