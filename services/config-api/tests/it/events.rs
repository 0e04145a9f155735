//! Live events over HTTP, from facts that the services' outboxes relay.

use std::sync::Arc;

use domain::{EntityType, SourceSystem, SyncId};
use events::traffic::Party;
use events::{
    AlertKind, AlertRaised, AlertState, Fact, HealthChecked, HealthStatus, JobFinished, JobResult, JobTrigger,
    ReconciliationCompleted, ReconciliationStatus, Severity, SyncCompleted, SyncResult,
};
use futures::StreamExt as _;
use futures::stream::BoxStream;
use messaging::{Broker, BrokerOptions, Outbox, Relay};
use serde_json::{Value, json};
use sqlx::PgPool;
use testkit::PrivateBroker;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::api::{Api, DEADLINE};

const EVENTS: &str = "/api/erp/events";
const FACTS: Outbox = Outbox::new("sync", Party::SyncWorker);

/// A service's relay, the worker's by default, without the service.
struct Teller {
    facts: Outbox,
    pool: PgPool,
    wake: Arc<Notify>,
    stop: CancellationToken,
    task: tokio::task::JoinHandle<()>,
}

impl Teller {
    async fn start(api: &Api) -> Self {
        Self::of(api, FACTS, Party::SyncWorker, "erp_sync_worker").await
    }

    async fn of(api: &Api, facts: Outbox, party: Party, role: &str) -> Self {
        let broker = Broker::connect(BrokerOptions {
            url: api.broker.url().into(),
            party,
            namespace: api.broker.prefix().parse().expect("a prefix"),
        })
        .await
        .expect("connects");
        let (pool, wake, stop) = (api.database.pool(role).await, Arc::new(Notify::new()), CancellationToken::new());
        let relay = Relay::new(facts, pool.clone(), broker, Arc::clone(&wake));
        let task = tokio::spawn(relay.run(stop.clone()));
        Self { facts, pool, wake, stop, task }
    }

    async fn state(&self, fact: impl Fact) {
        let mut connection = self.pool.acquire().await.expect("a connection");
        self.facts.insert(&mut connection, &[self.facts.fact(fact)]).await.expect("stated");
        self.wake.notify_one();
    }

    /// States that a transaction was synced; gives the sync's id.
    async fn synced(&self) -> Uuid {
        let sync_id = Uuid::new_v4();
        let fact = SyncCompleted {
            sync_id: SyncId(sync_id),
            source_system: SourceSystem::Upcoach,
            entity_type: EntityType::Transaction,
            source_id: Uuid::new_v4(),
            target_id: None,
            result: SyncResult::Created,
            request_counter: 1,
            duration_ms: 1,
            batch_id: None,
            request_id: None,
        };
        self.state(fact).await;
        sync_id
    }

    async fn stop(self) {
        self.stop.cancel();
        self.task.await.expect("no panic");
    }
}

/// An event as a browser reads it.
#[derive(Debug)]
struct Heard {
    id: String,
    kind: String,
    data: Value,
}

struct Listener {
    chunks: BoxStream<'static, String>,
    text: String,
}

impl Listener {
    async fn new(api: &Api, last_seen: Option<&str>) -> Self {
        // Without a deadline for the whole answer: it has no end.
        let client = reqwest::Client::builder().no_proxy().build().expect("a client");
        let mut request = client.get(api.url(EVENTS)).bearer_auth(testkit::tokens::viewer());
        if let Some(id) = last_seen {
            request = request.header("last-event-id", id);
        }
        let response = request.send().await.expect("an answer");
        assert_eq!(response.status(), 200);
        assert_eq!(response.headers()["content-type"], "text/event-stream");
        assert_eq!(response.headers()["cache-control"], "no-store");
        let chunks =
            response.bytes_stream().map(|chunk| String::from_utf8(chunk.expect("a chunk").to_vec()).expect("UTF-8"));
        Self { chunks: chunks.boxed(), text: String::new() }
    }

    /// The next event that is no comment; none at the end.
    async fn next(&mut self) -> Option<Heard> {
        tokio::time::timeout(DEADLINE, async {
            loop {
                while let Some((event, rest)) = self.text.split_once("\n\n") {
                    let field =
                        |name: &str| event.lines().find_map(|line| line.strip_prefix(name)).map(ToOwned::to_owned);
                    let (id, kind, data) = (field("id: "), field("event: "), field("data: "));
                    self.text = rest.to_owned();
                    if let (Some(id), Some(kind), Some(data)) = (id, kind, data) {
                        return Some(Heard { id, kind, data: serde_json::from_str(&data).expect("JSON") });
                    }
                }
                self.text.push_str(&self.chunks.next().await?);
            }
        })
        .await
        .expect("an event comes")
    }

    /// Reads on until that sync is told of.
    async fn until(&mut self, sync_id: Uuid) -> Heard {
        loop {
            let heard = self.next().await.expect("it goes on");
            if heard.data["syncId"] == sync_id.to_string() {
                return heard;
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_client_hears_every_fact_and_one_that_comes_back_what_it_missed() {
    let api = Api::start().await;
    let teller = Teller::start(&api).await;
    let mut listeners = Vec::new();
    for _ in 0..50 {
        listeners.push(Listener::new(&api, None).await);
    }
    process_listens(&api).await;
    let first = teller.synced().await;
    let mut seen = String::new();
    for listener in &mut listeners {
        let heard = listener.until(first).await;
        assert_eq!(
            (heard.kind.as_str(), &heard.data["result"], &heard.data["entityType"]),
            ("sync", &"created".into(), &"transaction".into())
        );
        seen = heard.id;
    }
    drop(listeners);
    let missed = [teller.synced().await, teller.synced().await];
    let mut witness = Listener::new(&api, Some(&seen)).await;
    for id in missed {
        assert_eq!(witness.next().await.expect("missed").data["syncId"], id.to_string());
    }
    let mut stranger = Listener::new(&api, Some("0123-4")).await;
    let told = stranger.next().await.expect("told");
    assert_eq!((told.kind.as_str(), &told.data["reason"]), ("resync", &"away".into()));

    // Streams end with the process, and do not hold it up.
    teller.stop().await;
    let (client, stopped) = tokio::join!(witness.next(), api.stop());
    assert!(client.is_none());
    drop(stopped);
}

/// Waits until the process hears facts: its first event is that it had heard none before. Gives the id of its newest.
async fn process_listens(api: &Api) -> String {
    testkit::eventually_some(DEADLINE, "the process hears facts", || async {
        let told = Listener::new(api, Some("none of its own")).await.next().await.expect("told");
        (!told.id.ends_with("-0")).then_some(told.id)
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_the_broker_was_away_everybody_fetches_everything_again() {
    let mut broker = PrivateBroker::start().await;
    let (url, prefix) = (broker.url_for("config-api"), "");
    let api = Api::start_with(|options| options.env("NATS_URL", url).env("NATS_SUBJECT_PREFIX", prefix)).await;
    let newest = process_listens(&api).await;
    let mut listener = Listener::new(&api, Some(&newest)).await;
    broker.nats.kill().await.expect("killed");
    broker.nats.restart().await.expect("started again");
    let told = listener.next().await.expect("told");
    assert_eq!((told.kind.as_str(), &told.data["reason"]), ("resync", &"broker".into()));
    api.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_batch_that_goes_on_or_ends_is_told() {
    let api = Api::start().await;
    let pool = api.pool().await;
    let mut listener = Listener::new(&api, None).await;
    let batch = Uuid::new_v4();
    let set = async |statement: &'static str| {
        sqlx::query(statement).bind(batch).execute(&pool).await.expect("it runs");
    };
    let heard = async |listener: &mut Listener| loop {
        let heard = listener.next().await.expect("it goes on");
        if heard.kind == "batch" {
            assert_eq!(heard.data["batchId"], batch.to_string());
            return heard.data["finished"].as_bool().expect("a flag");
        }
    };
    // The first look of a listener tells nothing: another batch beside it shows when it has been.
    set("INSERT INTO sync.batches (id, kind, status) VALUES ($1, 'full_sync', 'running')").await;
    let stepping = tokio::spawn({
        let pool = pool.clone();
        async move {
            for done in 1_i64.. {
                let step = sqlx::query("UPDATE sync.batches SET done = $2 WHERE id = $1").bind(batch).bind(done);
                step.execute(&pool).await.expect("it goes on");
                tokio::task::yield_now().await;
            }
        }
    });
    assert!(!heard(&mut listener).await);
    stepping.abort();
    let _aborted = stepping.await;
    set("UPDATE sync.batches SET status = 'completed', finished_at = clock_timestamp() WHERE id = $1").await;
    while !heard(&mut listener).await {}
    api.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn jobs_health_alerts_and_reconciliations_are_told_thinly() {
    let api = Api::start().await;
    let scheduler =
        Teller::of(&api, Outbox::new("scheduling", Party::Scheduler), Party::Scheduler, "erp_scheduler").await;
    let reconciler =
        Teller::of(&api, Outbox::new("reconciliation", Party::Reconciler), Party::Reconciler, "erp_reconciler").await;
    process_listens(&api).await;
    let mut listener = Listener::new(&api, None).await;
    let (run, check, alert) = (Uuid::new_v4(), Uuid::new_v4(), Uuid::new_v4());
    let job = JobFinished {
        job: "prune".to_owned(),
        run_id: run,
        trigger: JobTrigger::Schedule,
        result: JobResult::Failed,
        items: 3,
        started_at: time::OffsetDateTime::UNIX_EPOCH,
        duration_ms: 5,
        next_run_at: None,
        error_code: Some(domain::ErrorCode::InternalError),
    };
    let health = HealthChecked {
        check_id: check,
        status: HealthStatus::Degraded,
        previous_status: Some(HealthStatus::Down),
        latency_ms: Some(2_500),
        failure_rate_basis_points: None,
        error_code: None,
    };
    let raised = AlertRaised {
        alert_id: alert,
        kind: AlertKind::Health,
        severity: Severity::Warning,
        state: AlertState::Raised,
        value: None,
        threshold: None,
        entity_type: None,
        reference_id: Some(check),
    };
    let reconciled = ReconciliationCompleted {
        run_id: run,
        status: ReconciliationStatus::Incomplete,
        from: time::OffsetDateTime::UNIX_EPOCH,
        to: time::OffsetDateTime::UNIX_EPOCH + time::Duration::days(90),
        proven: false,
        discrepancies: 1,
        heals_requested: 0,
        counts: Vec::new(),
        duration_ms: 7,
    };
    let mut expect = async |kind: &str, data: Value| {
        let heard = loop {
            let heard = listener.next().await.expect("it goes on");
            if heard.kind != "resync" {
                break heard;
            }
        };
        assert_eq!((heard.kind.as_str(), heard.data), (kind, data));
    };
    scheduler.state(job).await;
    expect("job", json!({"name": "prune", "runId": run, "result": "failed"})).await;
    scheduler.state(health).await;
    expect("health", json!({"status": "degraded"})).await;
    scheduler.state(raised).await;
    expect("alert", json!({"alertId": alert})).await;
    reconciler.state(reconciled).await;
    expect("reconciliation", json!({"runId": run, "status": "incomplete"})).await;
    scheduler.stop().await;
    reconciler.stop().await;
    api.stop().await;
}
