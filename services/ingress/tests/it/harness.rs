//! An ingress in this process on a port of its own, and a sender that signs as Stripe does.

use std::net::SocketAddr;
use std::sync::LazyLock;
use std::time::Duration;

use ingress::{Config, Ingress};
use reqwest::{RequestBuilder, Response, StatusCode};
use serde_json::Value;
use service::health::Health;
use service::settings::{Common, Env, read};
use service::{Binary, Context};
use sqlx::PgPool;
use testkit::{TestBroker, TestDatabase};
use time::OffsetDateTime;
use tokio::runtime::Runtime;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;
use webhooks::signature::{SigningKey, stripe};

pub(crate) const SECRET: &str = "whsec_of_the_test";

/// How long anything may take that a test waits for.
pub(crate) const LIMIT: Duration = Duration::from_secs(30);

/// What every ingress runs on. A test's own runtime stands still while the test's database is dropped, and a connection that was being opened
/// then would hold the dropping up until PostgreSQL gives it up, a minute later.
static RUNTIME: LazyLock<Runtime> = LazyLock::new(|| Runtime::new().expect("a runtime"));

/// A running ingress.
pub(crate) struct Running {
    pub(crate) address: SocketAddr,
    pub(crate) health: Health,
    shutdown: CancellationToken,
    task: JoinHandle<anyhow::Result<()>>,
    client: reqwest::Client,
}

/// A database and a broker's corner of the test's own, and what ingress is told.
pub(crate) struct Bench {
    pub(crate) database: TestDatabase,
    pub(crate) broker: TestBroker,
}

impl Bench {
    pub(crate) async fn new() -> Self {
        Self { database: TestDatabase::new().await, broker: TestBroker::new().await }
    }

    pub(crate) async fn start(&self) -> Running {
        self.start_with(&[]).await
    }

    /// Starts an ingress with further settings.
    pub(crate) async fn start_with(&self, settings: &[(&str, &str)]) -> Running {
        let mut all = vec![("NATS_URL", self.broker.url()), ("NATS_SUBJECT_PREFIX", self.broker.prefix())];
        all.extend_from_slice(settings);
        start(&self.database.url_for("erp_ingress"), &all).await
    }

    /// A way to look at what is stored.
    pub(crate) async fn pool(&self) -> PgPool {
        self.database.pool("erp_ingress").await
    }
}

/// Starts an ingress on a database; later settings win.
pub(crate) async fn start(database_url: &str, settings: &[(&str, &str)]) -> Running {
    service::bootstrap::install_tls_provider();
    let mut all = vec![
        ("DATABASE_URL", database_url),
        // Nobody listens there: ingress does without.
        ("NATS_URL", "nats://ingress:none@127.0.0.1:1"),
        ("STRIPE_WEBHOOK_SECRET", SECRET),
        ("HTTP_ADDR", "127.0.0.1:0"),
        ("MANAGEMENT_ADDR", "127.0.0.1:0"),
        ("ERP_ENCRYPTION_KEYS", "k1:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="),
    ];
    all.extend_from_slice(settings);
    let env = Env::from_pairs(Binary::Ingress, all);
    let (common, config) = read(env, |env| (Common::read(env), Config::read(env))).expect("the settings are right");
    let (instance, shutdown) = (Uuid::new_v4(), CancellationToken::new());
    let health = Health::new(Binary::Ingress, instance, shutdown.clone());
    let management = common.management_addr;
    let context = Context {
        binary: Binary::Ingress,
        instance,
        common,
        shutdown: shutdown.clone(),
        health: health.clone(),
        management,
    };
    let binding = RUNTIME.spawn(Ingress::bind(context, config));
    let ingress = binding.await.expect("it does not panic").expect("ingress listens");
    let address = ingress.address();
    let client = reqwest::Client::builder().no_proxy().timeout(LIMIT).build().expect("a client");
    Running { address, health, shutdown, task: RUNTIME.spawn(ingress.run()), client }
}

impl Running {
    pub(crate) fn url(&self) -> String {
        format!("http://{}/api/webhooks/stripe", self.address)
    }

    /// A delivery to be finished by the test.
    pub(crate) fn post(&self) -> RequestBuilder {
        self.client.post(self.url())
    }

    pub(crate) fn client(&self) -> &reqwest::Client {
        &self.client
    }

    /// A delivery signed as it should be.
    pub(crate) fn signed(&self, body: impl Into<Vec<u8>>) -> RequestBuilder {
        let body = body.into();
        self.post().header("stripe-signature", signature(&body)).body(body)
    }

    /// Sends an event that must be taken, and tells whether it was a duplicate.
    pub(crate) async fn deliver(&self, body: impl Into<Vec<u8>>) -> bool {
        let answer = Answer::of(self.signed(body)).await;
        assert_eq!(answer.status, StatusCode::OK, "{answer:?}");
        answer.body["duplicate"].as_bool().expect("an answer says whether it is a duplicate")
    }

    /// Asks it to stop; the task ends when it has.
    pub(crate) fn stop(self) -> JoinHandle<anyhow::Result<()>> {
        self.shutdown.cancel();
        self.task
    }
}

/// An answer, read.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: reqwest::header::HeaderMap,
    pub(crate) body: Value,
}

impl Answer {
    pub(crate) async fn of(request: RequestBuilder) -> Self {
        Self::read(request.send().await.expect("an answer")).await
    }

    async fn read(response: Response) -> Self {
        let (status, headers) = (response.status(), response.headers().clone());
        let body = response.json().await.expect("every answer is JSON");
        let answer = Self { status, headers, body };
        assert_eq!(answer.header("content-type"), Some("application/json"));
        assert_eq!(
            answer.body["requestId"].as_str(),
            answer.header("x-request-id"),
            "body and header name the same request"
        );
        answer
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// Status and body for a snapshot, without the request's id.
    pub(crate) fn redacted(mut self) -> String {
        self.body["requestId"] = "[request id]".into();
        format!("{}\n{}", self.status, serde_json::to_string_pretty(&self.body).expect("JSON"))
    }
}

pub(crate) fn now() -> i64 {
    OffsetDateTime::now_utc().unix_timestamp()
}

pub(crate) fn signature(body: &[u8]) -> String {
    signature_at(SECRET, now(), body)
}

pub(crate) fn signature_at(secret: &str, timestamp: i64, body: &[u8]) -> String {
    stripe::sign(&[SigningKey::new(secret.as_bytes())], timestamp, body)
}

/// An event of the given id.
pub(crate) fn event(id: &str) -> String {
    format!(
        r#"{{"id":"{id}","object":"event","api_version":"2025-09-30.clover","created":1764000000,"livemode":false,"type":"customer.created","data":{{"object":{{"id":"cus_1","object":"customer","created":1764000000}}}}}}"#
    )
}

/// Rows with this event id.
pub(crate) async fn rows(pool: &PgPool, event_id: &str) -> i64 {
    sqlx::query_scalar("SELECT count(*) FROM ingress.webhook_events WHERE source = 'stripe' AND event_id = $1")
        .bind(event_id)
        .fetch_one(pool)
        .await
        .expect("rows can be counted")
}
