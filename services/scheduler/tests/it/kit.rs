//! A scheduler's surroundings: database, broker, sandbox, configuration; and what the tests ask of them.

use std::time::Duration;

use serde_json::Value;
use sqlx::PgPool;
use testkit::sandbox::{Sandbox, StripeSend};
use testkit::{Scratch, Service, ServiceOptions, TestBroker, TestDatabase, eventually_some};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use uuid::Uuid;

/// How long anything may take that these tests wait for.
pub(crate) const SOON: Duration = Duration::from_secs(60);
pub(crate) const STRIPE_KEY: &str = "sk_test_of_the_test";
/// The job under test.
pub(crate) const PULL: &str = "pull-missed-events";

const KEYS: &str = testkit::ENCRYPTION_KEYS;
const STRIPE_SECRET: &str = "whsec_of_the_test";

/// A database, broker and sandbox of a test's own.
pub(crate) struct World {
    pub(crate) database: TestDatabase,
    pub(crate) broker: TestBroker,
    pub(crate) sandbox: Sandbox,
    /// As the superuser, for looking and for changing as an admin does.
    pub(crate) pool: PgPool,
    scratch: Scratch,
    _sandbox: Service,
}

/// A run that has ended.
#[derive(Debug, Clone, sqlx::FromRow)]
pub(crate) struct RunRow {
    pub(crate) id: Uuid,
    pub(crate) status: String,
    pub(crate) result: Option<Value>,
    pub(crate) error: Option<String>,
}

impl RunRow {
    /// A number of the run's result, such as `stripe.found`.
    pub(crate) fn number(&self, source: &str, name: &str) -> u64 {
        self.result.as_ref().and_then(|result| result[source][name].as_u64()).unwrap_or_else(|| panic!("{self:?}"))
    }
}

impl World {
    /// With an enabled configuration that names the sandbox.
    pub(crate) async fn new() -> Self {
        let (database, broker, scratch) =
            (TestDatabase::new().await, TestBroker::new().await, Scratch::new().expect("a folder"));
        let options = testkit::service("flasherp-sandbox", scratch.path())
            .env("STRIPE_API_KEY", STRIPE_KEY)
            .env("STRIPE_WEBHOOK_SECRET", STRIPE_SECRET);
        let process = Service::start(options).await.expect("the sandbox starts");
        let http = process.addresses().http.expect("the sandbox serves HTTP");
        let sandbox = Sandbox::at(format!("http://{http}"));
        let pool = PgPool::connect(&database.admin_url()).await.expect("the superuser gets in");
        let world = Self { database, broker, sandbox, pool, scratch, _sandbox: process };
        testkit::configure(&world.pool, &world.sandbox.api_url()).await;
        world
    }

    fn service(&self, program: &str, name: &str, role: &str) -> ServiceOptions {
        let mut options = testkit::service(program, self.scratch.path())
            .env("DATABASE_URL", self.database.url_for(role))
            .env("NATS_URL", self.broker.url())
            .env("NATS_SUBJECT_PREFIX", self.broker.prefix())
            .env("ERP_ENCRYPTION_KEYS", KEYS)
            .env("ERP_ALLOW_PRIVATE_BASE_URL", "true")
            .env("FLASHERP_TIMEOUT_SECS", "5")
            .env("RUST_LOG", "info");
        options.port_file = self.scratch.path().join(format!("{name}.json"));
        options.log = self.scratch.path().join(format!("{name}.log"));
        options
    }

    /// A scheduler that leaves nothing to webhooks.
    pub(crate) fn scheduler_options(&self, name: &str) -> ServiceOptions {
        self.service("scheduler", name, "erp_scheduler")
            .env("STRIPE_API_KEY", STRIPE_KEY)
            .env("STRIPE_BASE_URL", self.sandbox.stripe_url())
            .env("MISSED_EVENTS_GRACE_SECS", "0")
            .env("JOB_LEASE_SECS", "20")
    }

    pub(crate) async fn scheduler(&self) -> Service {
        self.start(self.scheduler_options("scheduler")).await
    }

    pub(crate) async fn worker(&self) -> Service {
        let options = self.service("sync-worker", "worker", "erp_sync_worker");
        self.start(options.env("FLASHERP_SETTLE_SECS", "2").env("SYNC_LEASE_SECS", "20")).await
    }

    pub(crate) async fn ingress(&self) -> Service {
        let options = self.service("ingress", "ingress", "erp_ingress");
        self.start(options.env("STRIPE_WEBHOOK_SECRET", STRIPE_SECRET).env("WEBHOOK_RATE_LIMIT_STRIPE", "0")).await
    }

    /// Starts a service and waits until it is ready: then the jobs are in the timetable.
    pub(crate) async fn start(&self, options: ServiceOptions) -> Service {
        let mut service = Service::start(options).await.unwrap_or_else(|error| panic!("{error}"));
        service.until_ready(SOON).await.unwrap_or_else(|error| panic!("{error}"));
        service
    }

    /// Makes a job due now, as an admin does.
    pub(crate) async fn make_due(&self, job: &str) {
        let due: bool = sqlx::query_scalar("SELECT scheduling.run_now($1, 'ada')")
            .bind(job)
            .fetch_one(&self.pool)
            .await
            .expect("the job is made due");
        assert!(due, "there is no job {job}");
    }

    /// The runs of a job that have ended, oldest first.
    pub(crate) async fn ended(&self, job: &str) -> Vec<RunRow> {
        sqlx::query_as(
            "SELECT id, status::text, result, error FROM scheduling.job_runs WHERE job_name = $1 AND status <> 'running' ORDER BY id",
        )
        .bind(job)
        .fetch_all(&self.pool)
        .await
        .expect("the runs")
    }

    /// Runs the job and waits for the run's end.
    pub(crate) async fn run_job(&self, job: &str) -> RunRow {
        let before = self.ended(job).await.len();
        self.make_due(job).await;
        self.next_ended(job, before).await
    }

    /// The first run that ends after so many.
    pub(crate) async fn next_ended(&self, job: &str, before: usize) -> RunRow {
        eventually_some(SOON, "the job has run", || async { self.ended(job).await.into_iter().nth(before) }).await
    }

    /// The first run that succeeded after so many had ended.
    pub(crate) async fn next_succeeded(&self, job: &str, before: usize) -> RunRow {
        eventually_some(SOON, "the job has run well", || async {
            self.ended(job).await.into_iter().skip(before).find(|run| run.status == "succeeded")
        })
        .await
    }

    /// Stories of every plot that began so long ago; `miss_rate` is the share of events that no webhook tells of.
    pub(crate) async fn stories(
        &self,
        count: u32,
        seed: u64,
        age: time::Duration,
        miss_rate: f64,
        target: String,
    ) -> u64 {
        let created = (OffsetDateTime::now_utc() - age).format(&Rfc3339).expect("a time");
        let send = self
            .sandbox
            .send_stripe(&StripeSend {
                count,
                seed: Some(seed),
                stories: Some(vec!["all".to_owned()]),
                created: Some(created),
                miss_rate: Some(miss_rate),
                target: Some(target),
                ..StripeSend::default()
            })
            .await;
        let done = self.sandbox.wait_send_done(send.id, SOON).await;
        assert_eq!(done.failed, 0, "{done:?}");
        send.id
    }

    /// Stories that only Stripe's list tells.
    pub(crate) async fn untold_stories(&self, count: u32, seed: u64, age: time::Duration) -> u64 {
        self.stories(count, seed, age, 1.0, "http://127.0.0.1:1/".to_owned()).await
    }

    /// The ids that Stripe lists of events that something is done for, sorted.
    pub(crate) async fn listed(&self) -> Vec<String> {
        let text = |event: &Value, name: &str| event[name].as_str().expect("a text").to_owned();
        let events = self.sandbox.stripe_events(STRIPE_KEY).await;
        let read = events.iter().filter(|event| webhooks::stripe::is_read(&text(event, "type")));
        let mut ids: Vec<String> = read.map(|event| text(event, "id")).collect();
        ids.sort_unstable();
        ids
    }

    /// The ids of Stripe's events that are stored, sorted.
    pub(crate) async fn stored(&self) -> Vec<String> {
        sqlx::query_scalar(
            "SELECT event_id FROM ingress.webhook_events WHERE source = 'stripe' ORDER BY event_id COLLATE \"C\"",
        )
        .fetch_all(&self.pool)
        .await
        .expect("the events")
    }

    pub(crate) async fn count(&self, statement: &'static str) -> i64 {
        sqlx::query_scalar(statement).fetch_one(&self.pool).await.unwrap_or_else(|error| panic!("{statement}: {error}"))
    }

    pub(crate) async fn text(&self, statement: &'static str) -> Option<String> {
        sqlx::query_scalar(statement).fetch_one(&self.pool).await.unwrap_or_else(|error| panic!("{statement}: {error}"))
    }

    pub(crate) async fn run(&self, statement: &'static str) {
        sqlx::query(statement).execute(&self.pool).await.unwrap_or_else(|error| panic!("{statement}: {error}"));
    }

    /// Where the search for missed events of a source goes on.
    pub(crate) async fn cursor(&self, source: &str) -> Option<Value> {
        sqlx::query_scalar("SELECT resume_after -> $2 FROM scheduling.jobs WHERE name = $1")
            .bind(PULL)
            .bind(source)
            .fetch_one(&self.pool)
            .await
            .expect("the job")
    }

    /// Waits until no event is waiting to be applied.
    pub(crate) async fn all_settled(&self) {
        testkit::eventually(SOON, "every event has left the queue", || async {
            self.count("SELECT count(*) FROM ingress.webhook_events WHERE status = 'received'").await == 0
        })
        .await;
    }

    /// Waits until nothing is asked for and every sync is synced.
    pub(crate) async fn all_synced(&self) {
        testkit::eventually(SOON, "every record is in step", || async {
            self.count("SELECT count(*) FROM sync.requests").await == 0
                && self
                    .count("SELECT count(*) FROM sync.erp_syncs WHERE sync_status NOT IN ('synced', 'skipped')")
                    .await
                    == 0
        })
        .await;
    }
}
