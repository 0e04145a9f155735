//! The group commit itself, where a test decides what is in a batch: order across replicas, repeats within a batch, bounds.

use std::net::Ipv4Addr;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use bytes::Bytes;
use domain::EventRowId;
use events::WebhookSource;
use futures::future::join_all;
use futures::poll;
use sqlx::{Executor as _, PgPool};
use testkit::TestDatabase;
use uuid::Uuid;

use super::committer::Committer;
use super::event::{Event, NotStored, Stored};
use super::queue::{Bounds, Queue};

/// How long anything may take that a test waits for.
const LIMIT: Duration = Duration::from_secs(30);

fn event(event_id: &str) -> Event {
    Event {
        id: EventRowId(Uuid::now_v7()),
        source: WebhookSource::Stripe,
        event_id: event_id.to_owned(),
        event_type: "customer.created".to_owned(),
        body: Bytes::from_static(b"{}"),
        occurred_at: None,
        defect: None,
        remote_addr: Ipv4Addr::LOCALHOST.into(),
        user_agent: None,
        request_id: Uuid::now_v7(),
        traceparent: None,
        secret: "current",
        received: Instant::now(),
    }
}

struct Replica {
    queue: Arc<Queue>,
    committer: Committer,
    announced: Arc<Mutex<Vec<EventRowId>>>,
}

fn replica(database: &TestDatabase) -> Replica {
    let options = database.url_for("erp_ingress").parse().expect("a URL");
    let queue = Arc::new(Queue::new(Bounds::default()));
    let announced = Arc::new(Mutex::new(Vec::new()));
    let heard = Arc::clone(&announced);
    let committer = Committer::new(
        Arc::clone(&queue),
        options,
        Arc::new(move |_, ids| heard.lock().expect("nobody panics under it").extend(ids)),
    );
    Replica { queue, committer, announced }
}

/// Makes every insert take a millisecond, so that two statements of 100 are under way at the same time.
async fn slow_down_inserts(database: &TestDatabase) {
    let owner = database.pool("erp_owner").await;
    for statement in [
        "CREATE FUNCTION ingress.slowly() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_sleep(0.001); RETURN NEW; END $$",
        "CREATE TRIGGER slowly BEFORE INSERT ON ingress.webhook_events FOR EACH ROW EXECUTE FUNCTION ingress.slowly()",
    ] {
        owner.execute(statement).await.expect("the owner may");
    }
}

async fn count(pool: &PgPool, sql: &'static str) -> i64 {
    sqlx::query_scalar(sql).fetch_one(pool).await.expect("a count")
}

#[tokio::test]
async fn two_batches_with_the_same_ids_in_opposite_order_do_not_wait_for_each_other_in_a_ring() {
    let database = TestDatabase::new().await;
    slow_down_inserts(&database).await;
    let (mut one, mut other) = (replica(&database), replica(&database));
    let ids: Vec<String> = (0..100).map(|n| format!("evt_{n}")).collect();
    let upwards = join_all(ids.iter().map(|id| one.queue.store(event(id))));
    let downwards = join_all(ids.iter().rev().map(|id| other.queue.store(event(id))));
    let (upwards, downwards, (), ()) =
        tokio::join!(upwards, downwards, one.committer.commit_what_waits(), other.committer.commit_what_waits());

    let of = |outcomes: &[Result<Stored, NotStored>], expected| {
        outcomes.iter().filter(|outcome| **outcome == Ok(expected)).count()
    };
    assert_eq!(of(&upwards, Stored::New) + of(&downwards, Stored::New), 100);
    assert_eq!(of(&upwards, Stored::Duplicate) + of(&downwards, Stored::Duplicate), 100);
    let announced = one.announced.lock().expect("nobody panics under it").len()
        + other.announced.lock().expect("nobody panics under it").len();
    assert_eq!(announced, 100, "each event is announced by whoever stored it");

    // A deadlock would have been survived by trying again; there must not have been one. A session tells its statistics at its end.
    drop((one, other));
    let pool = database.pool("postgres").await;
    let sessions =
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND usename = 'erp_ingress'";
    testkit::eventually(LIMIT, "both sessions have ended", async || count(&pool, sessions).await == 0).await;
    let deadlocks = "SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()";
    assert_eq!(count(&pool, deadlocks).await, 0);
    assert_eq!(count(&pool, "SELECT count(*) FROM ingress.webhook_events").await, 100);
}

#[tokio::test]
async fn an_event_twice_in_a_batch_is_stored_once_and_its_first_delivery_is_the_new_one() {
    let database = TestDatabase::new().await;
    let mut replica = replica(&database);
    let queue = Arc::clone(&replica.queue);
    let stores = join_all(["evt_b", "evt_a", "evt_b", "evt_a", "evt_b"].map(|id| queue.store(event(id))));
    let (outcomes, ()) = tokio::join!(stores, replica.committer.commit_what_waits());
    let (new, duplicate) = (Ok(Stored::New), Ok(Stored::Duplicate));
    assert_eq!(outcomes, [new, new, duplicate, duplicate, duplicate]);
    assert_eq!(replica.announced.lock().expect("nobody panics under it").len(), 2);
}

#[tokio::test]
async fn a_caller_that_gave_up_changes_nothing_for_the_others() {
    let database = TestDatabase::new().await;
    let mut replica = replica(&database);
    let queue = Arc::clone(&replica.queue);
    {
        let mut gone = Box::pin(queue.store(event("evt_gone")));
        assert!(poll!(&mut gone).is_pending());
    }
    let (outcome, ()) = tokio::join!(queue.store(event("evt_there")), replica.committer.commit_what_waits());
    assert_eq!(outcome, Ok(Stored::New));
    let pool = database.pool("erp_ingress").await;
    assert_eq!(count(&pool, "SELECT count(*) FROM ingress.webhook_events").await, 2);
}

#[tokio::test]
async fn a_queue_is_bounded_in_events_and_in_bytes() {
    let bounds = Bounds { events: 3, bytes: 10, ..Bounds::default() };
    let queue = Queue::new(bounds);
    let mut waiting: Vec<_> = (0..3).map(|n| Box::pin(queue.store(event(&n.to_string())))).collect();
    for store in &mut waiting {
        assert!(poll!(store).is_pending());
    }
    assert_eq!(queue.store(event("one more")).await, Err(NotStored::Full));

    let queue = Queue::new(bounds);
    let large = |len| Event { body: Bytes::from(vec![b'x'; len]), ..event("large") };
    let mut fits = Box::pin(queue.store(large(10)));
    assert!(poll!(&mut fits).is_pending());
    assert_eq!(queue.store(large(1)).await, Err(NotStored::Full));
    let mut batch = Vec::new();
    queue.take(&mut batch).await;
    assert!(poll!(Box::pin(queue.store(large(10)))).is_pending(), "what was taken makes room");
}

#[tokio::test]
async fn a_batch_is_bounded_in_events_and_in_bytes_and_never_empty() {
    let queue = Queue::new(Bounds { batch_events: 3, batch_bytes: 10, ..Bounds::default() });
    let sizes = [4, 4, 4, 20, 1, 1, 1, 1];
    let mut waiting: Vec<_> = sizes
        .iter()
        .map(|len| Box::pin(queue.store(Event { body: Bytes::from(vec![b'x'; *len]), ..event("e") })))
        .collect();
    for store in &mut waiting {
        assert!(poll!(store).is_pending());
    }
    let mut taken = Vec::new();
    while taken.iter().flatten().count() < sizes.len() {
        let mut batch = Vec::new();
        queue.take(&mut batch).await;
        taken.push(batch.iter().map(|waiting| waiting.event.body.len()).collect::<Vec<_>>());
    }
    assert_eq!(taken, [vec![4, 4], vec![4], vec![20], vec![1, 1, 1], vec![1]]);
}
