//! Streams and consumers: made, mended, by several at once.

use std::time::Duration;

use async_nats::jetstream::consumer::DeliverPolicy;
use async_nats::jetstream::stream::{DiscardPolicy, RetentionPolicy, StorageType};
use events::traffic::{Durable, Party, Stream};
use futures::future::try_join_all;
use testkit::TestBroker;

use crate::support::{durable_info, on};

#[tokio::test]
async fn what_is_declared_is_there_after_many_made_it_at_once() {
    let test = TestBroker::new().await;
    let broker = on(&test, Party::Erpctl).await;
    let makers = (0..8).map(|_| {
        let topology = broker.topology();
        async move { topology.ensure_all().await }
    });
    try_join_all(makers).await.expect("made by all");
    for stream in Stream::ALL {
        let found = broker.jetstream().get_stream(broker.namespace().stream(stream)).await.expect("there");
        let config = &found.cached_info().config;
        let subjects: Vec<_> = stream.subjects().iter().map(|subject| broker.namespace().subject(subject)).collect();
        assert_eq!(config.subjects, subjects);
        assert_eq!(
            (config.retention, config.discard, config.storage),
            (RetentionPolicy::Limits, DiscardPolicy::Old, StorageType::File)
        );
        assert_eq!(config.max_age, Duration::from_secs(86_400));
        assert_eq!(config.duplicate_window, Duration::from_secs(120));
        assert!(config.max_bytes > 0);
    }
    for durable in Durable::ALL {
        let config = durable_info(&broker, durable).await.config;
        assert_eq!(config.durable_name.as_deref(), Some(durable.name()));
        let wanted = if durable == Durable::Scheduler { DeliverPolicy::All } else { DeliverPolicy::New };
        assert_eq!(config.deliver_policy, wanted, "{durable:?}");
    }
}

#[tokio::test]
async fn what_differs_is_mended_and_what_nobody_declares_is_left() {
    let test = TestBroker::new().await;
    let broker = on(&test, Party::Erpctl).await;
    broker.topology().ensure_all().await.expect("made");
    let name = broker.namespace().stream(Stream::Sync);
    let mut config = broker.jetstream().get_stream(&name).await.expect("there").cached_info().config.clone();
    config.max_age = Duration::from_secs(3_600);
    config.description = Some("looked at by operators".to_owned());
    config.subjects.pop();
    config.subjects.push(broker.namespace().subject("sync.requested.>"));
    broker.jetstream().update_stream(config).await.expect("changed");
    let outbound = Durable::SyncWorkerOutbound;
    let consumer = broker.topology().ensure_durable(outbound).await.expect("there");
    assert_eq!(consumer.cached_info().config.max_ack_pending, 1_000);
    let mended = broker.jetstream().get_stream(&name).await.expect("there").cached_info().config.clone();
    assert_eq!(mended.max_age, Duration::from_secs(86_400));
    assert_eq!(mended.subjects, [broker.namespace().subject("sync.>")]);
    assert_eq!(mended.description.as_deref(), Some("looked at by operators"));

    let mut changed = async_nats::jetstream::consumer::pull::Config {
        durable_name: Some(outbound.name().to_owned()),
        filter_subject: broker.namespace().subject("sync.requested.*"),
        deliver_policy: DeliverPolicy::New,
        max_ack_pending: 3,
        ..Default::default()
    };
    changed.ack_wait = Duration::from_secs(1);
    broker.jetstream().create_consumer_on_stream(changed, &name).await.expect("changed");
    assert_eq!(durable_info(&broker, outbound).await.config.max_ack_pending, 3);
    broker.topology().ensure_durable(outbound).await.expect("mended");
    let config = durable_info(&broker, outbound).await.config;
    assert_eq!((config.max_ack_pending, config.ack_wait), (1_000, Duration::from_secs(30)));
}
