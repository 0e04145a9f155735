//! The gate that all callers share: a real row between real clients, each with a pool of its own as if it were another process.

use std::{
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use domain::{EntityType, ErrorCode, FlashErpId, SyncId, gate::BreakerSettings};
use events::{CircuitCause, CircuitState};
use flasherp::{Call, CallError, Client, GateSettings, ListQuery, SharedGate};
use opentelemetry::trace::{TraceContextExt as _, TracerProvider as _};
use opentelemetry_sdk::{propagation::TraceContextPropagator, trace::SdkTracerProvider};
use sqlx::PgPool;
use testkit::{TestDatabase, eventually};
use tracing::Instrument as _;
use tracing_opentelemetry::OpenTelemetrySpanExt as _;
use tracing_subscriber::layer::SubscriberExt as _;
use uuid::Uuid;
use wiremock::{
    Mock, MockServer, ResponseTemplate,
    matchers::{method, path, path_regex},
};

use crate::support::*;

const SOON: Duration = Duration::from_secs(30);

/// A caller of FlashERP with its own view of the gate.
struct Caller {
    gate: SharedGate,
    client: Client,
    pool: PgPool,
    told: Arc<Mutex<Vec<CircuitCause>>>,
}

async fn caller(database: &TestDatabase, role: &str, server: &MockServer, settings: GateSettings) -> Caller {
    let pool = database.pool(role).await;
    let told: Arc<Mutex<Vec<CircuitCause>>> = Arc::default();
    let hears = Arc::clone(&told);
    let gate = SharedGate::start(
        pool.clone(),
        settings,
        Arc::new(move |changed| hears.lock().expect("nobody panics with it").push(changed.cause)),
    );
    let client = Client::with(options(&server.uri()), gate.of_version(1), None).expect("a client");
    Caller { gate, client, pool, told }
}

fn breaker(failures: u32, reset_secs: u64) -> GateSettings {
    GateSettings { breaker: BreakerSettings { failures, reset: Duration::from_secs(reset_secs) }, max_per_second: 0 }
}

async fn answer(server: &MockServer, what: &str, at: &str, answer: ResponseTemplate) {
    Mock::given(method(what)).and(path_regex(at)).respond_with(answer).mount(server).await;
}

fn healthy() -> ResponseTemplate {
    json(200, r#"{"status":"ok","capabilities":[]}"#)
}

impl Caller {
    fn of(record: u128) -> Call {
        let lease = Instant::now() + Duration::from_secs(600);
        call().for_sync(SyncId(Uuid::from_u128(record)), lease)
    }

    async fn create(&self, record: u128) -> Result<(), CallError> {
        self.client.create(&Self::of(record), EntityType::Transaction, body(), &key(false)).await.map(|_| ())
    }

    async fn get(&self, record: u128) -> Result<(), CallError> {
        let id = FlashErpId::new("txn_1").expect("a fitting id");
        self.client.get(&Self::of(record), EntityType::Transaction, &id).await.map(|_| ())
    }

    async fn list(&self) -> Result<(), CallError> {
        self.client.list(&call(), EntityType::Transaction, &ListQuery::default(), None).await.map(|_| ())
    }

    fn told(&self) -> Vec<CircuitCause> {
        self.told.lock().expect("nobody panics with it").clone()
    }
}

async fn version(pool: &PgPool) -> i64 {
    sqlx::query_scalar("SELECT version FROM sync.gate_for_callers").fetch_one(pool).await.expect("the gate")
}

async fn facts(database: &TestDatabase) -> Vec<serde_json::Value> {
    let pool = database.pool("erp_sync_worker").await;
    let bodies: Vec<Vec<u8>> =
        sqlx::query_scalar("SELECT body FROM sync.outbox WHERE subject = 'circuit.changed' ORDER BY id")
            .fetch_all(&pool)
            .await
            .expect("the outbox");
    bodies.iter().map(|body| serde_json::from_slice::<serde_json::Value>(body).expect("JSON")["data"].clone()).collect()
}

#[tokio::test]
async fn what_changed_the_gate_is_told_in_the_trace_of_the_call_or_the_hand_that_did() {
    opentelemetry::global::set_text_map_propagator(TraceContextPropagator::new());
    let provider = SdkTracerProvider::builder().build();
    let subscriber =
        tracing_subscriber::registry().with(tracing_opentelemetry::layer().with_tracer(provider.tracer("test")));
    let _guard = tracing::subscriber::set_default(subscriber);
    let (database, server) = (TestDatabase::new().await, MockServer::start().await);
    answer(&server, "GET", "^/health$", healthy()).await;
    answer(&server, "POST", "^/transactions$", own_error(500, "SERVER_ERROR")).await;
    let worker = caller(&database, "erp_sync_worker", &server, breaker(2, 60)).await;
    let api = caller(&database, "erp_config_api", &server, breaker(2, 60)).await;
    let mut traces = Vec::new();
    for (name, record) in [("first", 1), ("second", 2)] {
        let span = tracing::info_span!("sync", name);
        traces.push(span.context().span().span_context().trace_id().to_string());
        worker.create(record).instrument(span).await.expect_err("it fails");
    }
    let span = tracing::info_span!("pause");
    traces.push(span.context().span().span_context().trace_id().to_string());
    api.gate.pause("ada", "month end", None).instrument(span).await.expect("paused");

    let told: Vec<Option<String>> =
        sqlx::query_scalar("SELECT split_part(traceparent, '-', 2) FROM sync.outbox ORDER BY id")
            .fetch_all(&worker.pool)
            .await
            .expect("the outbox");
    assert_eq!(told, [Some(traces[1].clone()), Some(traces[2].clone())], "the second failure opened it");
}

async fn calls(server: &MockServer, at: &str) -> usize {
    let received = server.received_requests().await.expect("requests are recorded");
    received.iter().filter(|request| request.url.path() == at).count()
}

#[tokio::test]
async fn failures_in_a_row_from_two_records_shut_everybody_out_and_are_told() {
    let (database, server) = (TestDatabase::new().await, MockServer::start().await);
    answer(&server, "GET", "^/health$", healthy()).await;
    answer(&server, "POST", "^/transactions$", own_error(500, "SERVER_ERROR")).await;
    answer(&server, "GET", "^/transactions$", json(200, r#"{"data":[],"nextCursor":null}"#)).await;
    let worker = caller(&database, "erp_sync_worker", &server, breaker(3, 60)).await;
    let reconciler = caller(&database, "erp_reconciler", &server, breaker(3, 60)).await;
    reconciler.list().await.expect("the gate is open");

    for record in [1, 1, 1] {
        let error = worker.create(record).await.expect_err("it fails");
        assert!(!error.definite && !error.handed_back, "a write of unknown outcome stays one");
    }
    assert_eq!(worker.gate.circuit().await, Some(CircuitState::Closed), "one record alone does not open it");
    worker.create(2).await.expect_err("it fails");
    assert_eq!(worker.told(), [CircuitCause::FailuresInARow]);

    let error = worker.create(3).await.expect_err("the breaker is open");
    assert!(error.handed_back && !error.sent, "{error}");
    assert!(error.failure().retry_after.is_some());
    eventually(SOON, "the other caller is shut out too", || async {
        reconciler.list().await.is_err_and(|error| error.handed_back)
    })
    .await;
    assert!(worker.client.health(&call()).await.is_ok(), "health checks always pass");

    let facts = facts(&database).await;
    assert_eq!(facts.len(), 1);
    assert_eq!((facts[0]["state"].as_str(), facts[0]["cause"].as_str()), (Some("open"), Some("failures_in_a_row")));
}

#[tokio::test]
async fn a_failed_call_and_a_failed_health_check_open_it_at_once_and_the_failure_is_handed_back() {
    let (database, server) = (TestDatabase::new().await, MockServer::start().await);
    answer(&server, "GET", "", html(503)).await;
    let worker = caller(&database, "erp_sync_worker", &server, breaker(5, 60)).await;
    let error = worker.get(1).await.expect_err("it fails");
    assert!(error.handed_back, "no retry is spent on an outage: {error}");
    assert_eq!(worker.told(), [CircuitCause::HealthCheckFailed]);
    assert!(worker.get(2).await.is_err_and(|error| error.handed_back && !error.sent));
}

#[tokio::test]
async fn a_failure_while_health_passes_stands_and_many_ask_for_health_once() {
    let (database, server) = (TestDatabase::new().await, MockServer::start().await);
    answer(&server, "GET", "^/health$", healthy().set_delay(Duration::from_millis(300))).await;
    answer(&server, "GET", "^/transactions", html(502)).await;
    let worker = caller(&database, "erp_sync_worker", &server, breaker(1000, 60)).await;
    let ended = futures::future::join_all((0..10).map(|record| worker.get(record))).await;
    assert!(ended.iter().all(|ended| ended.as_ref().is_err_and(|error| !error.handed_back)));
    assert!(calls(&server, "/health").await < 5, "{}", calls(&server, "/health").await);
}

#[tokio::test]
async fn refused_credentials_stop_everything_at_the_first_until_the_configuration_changes() {
    let (database, server) = (TestDatabase::new().await, MockServer::start().await);
    answer(&server, "GET", "", own_error(401, "INVALID_API_KEY")).await;
    answer(&server, "POST", "", own_error(401, "INVALID_API_KEY")).await;
    let worker = caller(&database, "erp_sync_worker", &server, breaker(5, 60)).await;
    let other = caller(&database, "erp_scheduler", &server, breaker(5, 60)).await;
    let admin = PgPool::connect(&database.admin_url()).await.expect("the superuser gets in");
    sqlx::query(
        "INSERT INTO config.erp_configurations (base_url, api_key_enc, api_secret_enc, health_status)
         VALUES ('https://x.example', '', '', 'healthy')",
    )
    .execute(&admin)
    .await
    .expect("a configuration");

    let error = worker.create(1).await.expect_err("refused");
    assert!(error.handed_back && error.definite, "it is not the record's fault: {error}");
    assert_eq!(worker.told(), [CircuitCause::CredentialsRefused]);
    let sent = calls(&server, "/transactions").await;
    let error = other.create(2).await.expect_err("everything stops");
    assert_eq!((error.code, error.sent), (ErrorCode::InvalidApiKey, false));
    assert_eq!((sent, calls(&server, "/transactions").await), (1, 1));
    let health: String = sqlx::query_scalar("SELECT health_status::text FROM config.erp_configurations")
        .fetch_one(&admin)
        .await
        .expect("a configuration");
    assert_eq!(health, "down");

    worker.gate.configured(1).await;
    assert!(worker.create(1).await.is_err_and(|error| !error.sent), "the same version is as bad as it was");
    worker.gate.configured(2).await;
    assert_eq!(worker.told(), [CircuitCause::CredentialsRefused, CircuitCause::StopLifted]);
    assert!(worker.create(1).await.is_err_and(|error| error.sent), "it is tried again");
}

#[tokio::test]
async fn a_stop_ends_when_health_passes_and_a_refusal_that_health_does_not_confirm_is_the_records_own() {
    let (database, server) = (TestDatabase::new().await, MockServer::start().await);
    Mock::given(path("/health")).respond_with(own_error(403, "AUTH_FAILED")).up_to_n_times(1).mount(&server).await;
    answer(&server, "GET", "^/health$", healthy()).await;
    answer(&server, "POST", "", own_error(403, "AUTH_FAILED")).await;
    let worker = caller(&database, "erp_sync_worker", &server, breaker(5, 60)).await;
    assert!(worker.create(1).await.is_err_and(|error| error.handed_back));
    worker.client.health(&call()).await.expect("healthy again");
    assert_eq!(worker.told(), [CircuitCause::CredentialsRefused, CircuitCause::StopLifted]);
    let error = worker.create(1).await.expect_err("refused");
    assert!(!error.handed_back && error.code == ErrorCode::AuthFailed && !error.retry_helps());
    assert_eq!(worker.told().len(), 2);
}

#[tokio::test]
async fn being_told_to_wait_holds_every_caller() {
    let (database, server) = (TestDatabase::new().await, MockServer::start().await);
    let quota = own_error(429, "QUOTA_EXCEEDED").insert_header("Retry-After", "3600");
    answer(&server, "POST", "", quota).await;
    let worker = caller(&database, "erp_sync_worker", &server, breaker(5, 60)).await;
    let other = caller(&database, "erp_reconciler", &server, breaker(5, 60)).await;
    assert!(worker.create(1).await.is_err_and(|error| error.sent));
    let error = other.list().await.expect_err("held");
    assert!(error.handed_back && !error.sent && error.code == ErrorCode::QuotaExceeded);
    assert!(error.retry_after > Some(Duration::from_secs(3500)), "{:?}", error.retry_after);
    assert_eq!(requests(&server).await, 1);
    assert_eq!(worker.told(), [CircuitCause::ToldToWait]);
    assert_eq!(worker.gate.circuit().await, Some(CircuitState::Closed), "a 429 does not count for the breaker");
}

#[tokio::test]
async fn a_short_wait_is_waited_for_and_then_everybody_goes_on() {
    let (database, server) = (TestDatabase::new().await, MockServer::start().await);
    let limited = own_error(429, "RATE_LIMIT_EXCEEDED").insert_header("Retry-After", "1");
    Mock::given(method("POST")).respond_with(limited).up_to_n_times(1).mount(&server).await;
    answer(&server, "POST", "", json(201, RECORD)).await;
    let worker = caller(&database, "erp_sync_worker", &server, breaker(5, 60)).await;
    let begun = Instant::now();
    let (first, second) = tokio::join!(worker.create(1), worker.create(2));
    assert!(first.is_ok() && second.is_ok());
    worker.create(3).await.expect("it waited");
    assert!(begun.elapsed() >= Duration::from_secs(1));
}

#[tokio::test]
async fn successes_write_nothing_but_after_a_failure() {
    let (database, server) = (TestDatabase::new().await, MockServer::start().await);
    answer(&server, "GET", "^/health$", healthy()).await;
    Mock::given(method("POST")).respond_with(json(201, RECORD)).up_to_n_times(20).mount(&server).await;
    Mock::given(method("POST")).respond_with(html(502)).up_to_n_times(1).mount(&server).await;
    answer(&server, "POST", "", json(201, RECORD)).await;
    let worker = caller(&database, "erp_sync_worker", &server, breaker(5, 60)).await;
    for record in 0..20 {
        worker.create(record).await.expect("made");
    }
    assert_eq!(version(&worker.pool).await, 0);
    worker.create(20).await.expect_err("a failure");
    assert_eq!(version(&worker.pool).await, 1);
    worker.create(21).await.expect("made");
    eventually(SOON, "the row of failures is over", || async {
        let failures: i32 = sqlx::query_scalar("SELECT failures FROM sync.gate_for_callers")
            .fetch_one(&worker.pool)
            .await
            .expect("the gate");
        failures == 0
    })
    .await;
    let after = version(&worker.pool).await;
    for record in 0..20 {
        worker.create(record).await.expect("made");
    }
    assert_eq!(version(&worker.pool).await, after);
}

#[tokio::test]
async fn one_caller_probes_with_one_record_and_a_success_opens_the_way_for_all() {
    let (database, server) = (TestDatabase::new().await, MockServer::start().await);
    answer(&server, "GET", "", html(503)).await;
    let worker = caller(&database, "erp_sync_worker", &server, breaker(5, 1)).await;
    let other = caller(&database, "erp_sync_worker", &server, breaker(5, 1)).await;
    assert!(worker.get(1).await.is_err());
    server.reset().await;
    answer(&server, "GET", "^/health$", healthy()).await;
    answer(&server, "POST", "", json(201, RECORD)).await;

    let lease = Duration::from_secs(60);
    let owner = testkit::eventually_some(SOON, "the probe is due", || worker.gate.take_probe(lease)).await;
    assert_eq!(other.gate.take_probe(lease).await, None, "one worker probes");
    worker.gate.probe_with(owner, SyncId(Uuid::from_u128(7))).await;
    assert!(worker.create(8).await.is_err_and(|error| error.handed_back && !error.sent));
    assert!(other.create(7).await.is_err_and(|error| error.handed_back && !error.sent));
    worker.create(7).await.expect("the probe's record passes");
    let probed = worker.gate.probed();
    assert!(probed.answered == 1 && !probed.failed);
    worker.gate.probe_succeeded(owner).await;
    worker.create(8).await.expect("open for business");
    eventually(SOON, "the other sees it", || async { other.create(9).await.is_ok() }).await;
    let told = [CircuitCause::HealthCheckFailed, CircuitCause::ResetTime, CircuitCause::ProbeSucceeded];
    assert_eq!(worker.told(), told);
}

#[tokio::test]
async fn a_probes_failing_record_opens_it_again_and_pays_for_it() {
    let (database, server) = (TestDatabase::new().await, MockServer::start().await);
    answer(&server, "GET", "", html(503)).await;
    let worker = caller(&database, "erp_sync_worker", &server, breaker(5, 1)).await;
    assert!(worker.get(1).await.is_err());
    server.reset().await;
    answer(&server, "GET", "^/transactions", html(502)).await;
    answer(&server, "GET", "^/health$", healthy()).await;
    let lease = Duration::from_secs(60);
    let owner = testkit::eventually_some(SOON, "the probe is due", || worker.gate.take_probe(lease)).await;
    worker.gate.probe_with(owner, SyncId(Uuid::from_u128(7))).await;
    let error = worker.get(7).await.expect_err("it fails");
    assert!(!error.handed_back, "/health passed, so it is the record's own retry");
    assert!(worker.gate.probed().failed);
    assert_eq!(worker.gate.circuit().await, Some(CircuitState::Open));
    let last: Uuid = sqlx::query_scalar("SELECT last_probe FROM sync.gate_for_callers")
        .fetch_one(&worker.pool)
        .await
        .expect("the gate");
    assert_eq!(last, Uuid::from_u128(7));
}

#[tokio::test]
async fn all_callers_together_keep_under_the_cap_and_each_gets_its_turn() {
    let (database, server) = (TestDatabase::new().await, MockServer::start().await);
    answer(&server, "POST", "", json(201, RECORD)).await;
    let settings = GateSettings { max_per_second: 50, ..GateSettings::default() };
    let one = caller(&database, "erp_sync_worker", &server, settings).await;
    let two = caller(&database, "erp_sync_worker", &server, settings).await;
    let begun = Instant::now();
    let (first, second) = tokio::join!(
        futures::future::join_all((0..30).map(|record| one.create(record))),
        futures::future::join_all((0..30).map(|record| two.create(record))),
    );
    assert!(first.iter().chain(&second).all(Result::is_ok));
    // 60 requests, the first at once: not before 59 fiftieths of a second.
    assert!(begun.elapsed() >= Duration::from_millis(1180), "{:?}", begun.elapsed());
    assert_eq!(version(&one.pool).await, 0, "grants are no change");
}

#[tokio::test]
async fn a_pause_by_hand_holds_outbound_work_lets_reading_pass_and_is_told() {
    let (database, server) = (TestDatabase::new().await, MockServer::start().await);
    answer(&server, "GET", "^/transactions$", json(200, r#"{"data":[],"nextCursor":null}"#)).await;
    let api = caller(&database, "erp_config_api", &server, GateSettings::default()).await;
    assert!(api.gate.pause("ada", "month end", None).await.expect("paused"));
    assert!(!api.gate.pause("bob", "me too", None).await.expect("paused already"));
    assert!(api.create(1).await.is_err_and(|error| error.handed_back && !error.sent));
    api.list().await.expect("reading passes");
    assert!(api.gate.resume(None).await.expect("resumed"));
    assert!(!api.gate.resume(None).await.expect("resumed already"));
    let facts = facts(&database).await;
    let told: Vec<_> = facts.iter().map(|fact| (fact["cause"].as_str(), fact["paused"].as_bool())).collect();
    assert_eq!(told, [(Some("paused"), Some(true)), (Some("resumed"), Some(false))]);
}

#[tokio::test]
async fn while_the_gate_cannot_be_read_nothing_is_sent() {
    let (database, server) = (TestDatabase::new().await, MockServer::start().await);
    answer(&server, "POST", "", json(201, RECORD)).await;
    let worker = caller(&database, "erp_sync_worker", &server, GateSettings::default()).await;
    worker.pool.close().await;
    let error = worker.create(1).await.expect_err("nobody knows whether FlashERP may be called");
    assert!(error.handed_back && !error.sent);
    assert_eq!(requests(&server).await, 0);
}
