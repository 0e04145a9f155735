//! Facts: told once their transaction has committed, whatever happens in between.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use async_nats::Subscriber;
use events::traffic::{Party, Stream};
use events::{Event, EventType as _};
use futures::StreamExt as _;
use messaging::{Broker, Outbox, PendingFact, Relay};
use sqlx::PgPool;
use testkit::{PrivateBroker, TestBroker, TestDatabase, eventually};
use tokio::sync::Notify;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::support::{SOON, completed, connected, listen, messages_in, on};

const OUTBOX: Outbox = Outbox::new("sync", Party::SyncWorker);

struct Running {
    stop: CancellationToken,
    task: JoinHandle<()>,
}

impl Running {
    fn start(pool: &PgPool, broker: &Broker, wake: &Arc<Notify>) -> Self {
        let stop = CancellationToken::new();
        let relay = Relay::new(OUTBOX, pool.clone(), broker.clone(), Arc::clone(wake));
        Self { task: tokio::spawn(relay.run(stop.clone())), stop }
    }

    async fn stopped(self) {
        self.stop.cancel();
        tokio::time::timeout(SOON, self.task).await.expect("the relay ends").expect("without a panic");
    }
}

/// Facts about syncs of these numbers, committed.
async fn commit(pool: &PgPool, syncs: impl IntoIterator<Item = u128>) -> Vec<PendingFact> {
    let facts: Vec<_> = syncs.into_iter().map(|sync| OUTBOX.fact(completed(sync))).collect();
    let mut transaction = pool.begin().await.expect("begun");
    OUTBOX.insert(&mut transaction, &facts).await.expect("inserted");
    transaction.commit().await.expect("committed");
    facts
}

async fn depth(pool: &PgPool) -> i64 {
    sqlx::query_scalar("SELECT count(*) FROM sync.outbox").fetch_one(pool).await.expect("counted")
}

async fn emptied(pool: &PgPool) {
    eventually(SOON, "the outbox is empty", || async { depth(pool).await == 0 }).await;
}

async fn heard(subscriber: &mut Subscriber) -> async_nats::Message {
    tokio::time::timeout(SOON, subscriber.next()).await.expect("in time").expect("a message")
}

fn message_id(message: &async_nats::Message) -> String {
    message.headers.as_ref().and_then(|headers| headers.get("Nats-Msg-Id")).expect("a message id").to_string()
}

#[tokio::test]
async fn a_committed_fact_reaches_its_stream_and_leaves_the_outbox() {
    let (test, database) = (TestBroker::new().await, TestDatabase::new().await);
    let (broker, pool) = (on(&test, Party::SyncWorker).await, database.pool("erp_sync_worker").await);
    broker.topology().ensure_stream(Stream::Sync).await.expect("made");
    let mut subscriber = listen(&broker, "sync.completed.*").await;
    let wake = Arc::new(Notify::new());
    let relay = Running::start(&pool, &broker, &wake);

    let mut rolled_back = pool.begin().await.expect("begun");
    OUTBOX.insert(&mut rolled_back, &[OUTBOX.fact(completed(1))]).await.expect("inserted");
    rolled_back.rollback().await.expect("rolled back");

    let event = Event::now(Party::SyncWorker, completed(2));
    let mut transaction = pool.begin().await.expect("begun");
    OUTBOX.insert(&mut transaction, &[PendingFact::from(&event)]).await.expect("inserted");
    transaction.commit().await.expect("committed");
    wake.notify_one();

    let message = heard(&mut subscriber).await;
    assert_eq!(broker.namespace().strip(&message.subject), event.data.subject());
    assert_eq!(message_id(&message), event.id.to_string());
    assert_eq!(message.payload, event.to_json());
    emptied(&pool).await;
    assert_eq!(messages_in(&broker, Stream::Sync).await, 1);
    relay.stopped().await;
}

#[tokio::test]
async fn a_fact_whose_process_died_after_the_commit_is_told_by_the_timer() {
    let (test, database) = (TestBroker::new().await, TestDatabase::new().await);
    let (broker, pool) = (on(&test, Party::SyncWorker).await, database.pool("erp_sync_worker").await);
    let relay = Running::start(&pool, &broker, &Arc::new(Notify::new()));
    commit(&pool, [1]).await;
    emptied(&pool).await;
    assert_eq!(messages_in(&broker, Stream::Sync).await, 1);
    relay.stopped().await;
}

#[tokio::test]
async fn two_relays_together_tell_each_fact_once() {
    const FACTS: u128 = 3_000;
    let (test, database) = (TestBroker::new().await, TestDatabase::new().await);
    let pool = database.pool("erp_sync_worker").await;
    let (first, second) = (on(&test, Party::SyncWorker).await, on(&test, Party::SyncWorker).await);
    first.topology().ensure_stream(Stream::Sync).await.expect("made");
    let mut subscriber = listen(&first, "sync.completed.*").await;
    let facts = commit(&pool, 0..FACTS).await;
    let wake = Arc::new(Notify::new());
    let relays = [Running::start(&pool, &first, &wake), Running::start(&pool, &second, &wake)];
    emptied(&pool).await;
    let mut ids = BTreeSet::new();
    for _ in 0..FACTS {
        assert!(ids.insert(message_id(&heard(&mut subscriber).await)), "published twice");
    }
    assert_eq!(ids.len(), facts.len());
    assert_eq!(u128::from(messages_in(&first, Stream::Sync).await), FACTS);
    for relay in relays {
        relay.stopped().await;
    }
}

#[tokio::test]
async fn a_relay_killed_between_publishing_and_deleting_repeats_with_the_same_id() {
    let (test, database) = (TestBroker::new().await, TestDatabase::new().await);
    let (broker, pool) = (on(&test, Party::SyncWorker).await, database.pool("erp_sync_worker").await);
    broker.topology().ensure_stream(Stream::Sync).await.expect("made");
    let mut subscriber = listen(&broker, "sync.completed.*").await;
    commit(&pool, 1..=3).await;

    // This lock lets rows be read and locked, and makes deleting wait.
    let admin = PgPool::connect(&database.admin_url()).await.expect("connected");
    let mut lock = admin.begin().await.expect("begun");
    sqlx::query("LOCK TABLE sync.outbox IN SHARE MODE").execute(&mut *lock).await.expect("locked");
    let doomed_pool = database.pool("erp_sync_worker").await;
    let doomed = Running::start(&doomed_pool, &broker, &Arc::new(Notify::new()));
    let mut first = BTreeSet::new();
    for _ in 0..3 {
        first.insert(message_id(&heard(&mut subscriber).await));
    }
    eventually(SOON, "the relay is about to delete", || async {
        sqlx::query_scalar(
            "SELECT EXISTS (SELECT FROM pg_locks WHERE relation = 'sync.outbox'::regclass AND NOT granted)",
        )
        .fetch_one(&admin)
        .await
        .expect("asked")
    })
    .await;
    doomed.task.abort();
    sqlx::query(
        "SELECT pg_terminate_backend(pid) FROM pg_locks WHERE relation = 'sync.outbox'::regclass AND NOT granted",
    )
    .execute(&admin)
    .await
    .expect("its session ends with it");
    lock.rollback().await.expect("unlocked");
    assert_eq!(depth(&pool).await, 3);

    let relay = Running::start(&pool, &broker, &Arc::new(Notify::new()));
    emptied(&pool).await;
    let mut again = BTreeSet::new();
    for _ in 0..3 {
        again.insert(message_id(&heard(&mut subscriber).await));
    }
    assert_eq!(first, again, "the repeat has the same ids");
    assert_eq!(messages_in(&broker, Stream::Sync).await, 3, "by which the stream knows it");
    relay.stopped().await;
}

#[tokio::test]
async fn facts_wait_while_the_broker_is_down_and_none_is_lost_when_it_comes_back_empty() {
    let mut private = PrivateBroker::start().await;
    let database = TestDatabase::new().await;
    let pool = database.pool("erp_sync_worker").await;
    let broker = connected(&private.url_for("admin"), "", Party::SyncWorker).await;
    let wake = Arc::new(Notify::new());
    let relay = Running::start(&pool, &broker, &wake);
    commit(&pool, [1]).await;
    emptied(&pool).await;

    private.nats.kill().await.expect("killed");
    let facts = commit(&pool, 2..=301).await;
    wake.notify_one();
    assert_eq!(depth(&pool).await, 300);
    private.nats.delete_storage().expect("deleted");
    private.nats.restart().await.expect("restarted");
    emptied(&pool).await;
    assert_eq!(messages_in(&broker, Stream::Sync).await, facts.len() as u64);
    relay.stopped().await;
}

#[tokio::test]
async fn a_stream_deleted_under_a_running_relay_is_made_again() {
    let (test, database) = (TestBroker::new().await, TestDatabase::new().await);
    let (broker, pool) = (on(&test, Party::SyncWorker).await, database.pool("erp_sync_worker").await);
    let wake = Arc::new(Notify::new());
    let relay = Running::start(&pool, &broker, &wake);
    commit(&pool, [1]).await;
    emptied(&pool).await;
    broker.jetstream().delete_stream(broker.namespace().stream(Stream::Sync)).await.expect("deleted");
    commit(&pool, [2]).await;
    wake.notify_one();
    emptied(&pool).await;
    assert_eq!(messages_in(&broker, Stream::Sync).await, 1);
    relay.stopped().await;
}

#[tokio::test]
async fn a_relay_survives_the_loss_of_its_database_sessions() {
    let (test, database) = (TestBroker::new().await, TestDatabase::new().await);
    let (broker, pool) = (on(&test, Party::SyncWorker).await, database.pool("erp_sync_worker").await);
    let relay = Running::start(&pool, &broker, &Arc::new(Notify::new()));
    commit(&pool, [1]).await;
    emptied(&pool).await;
    let admin = PgPool::connect(&database.admin_url()).await.expect("connected");
    sqlx::query(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'erp_sync_worker' AND datname = $1",
    )
    .bind(database.name())
    .execute(&admin)
    .await
    .expect("terminated");
    eventually(Duration::from_secs(60), "facts can be inserted again", || async { pool.acquire().await.is_ok() }).await;
    commit(&pool, [2]).await;
    emptied(&pool).await;
    assert_eq!(messages_in(&broker, Stream::Sync).await, 2);
    relay.stopped().await;
}
